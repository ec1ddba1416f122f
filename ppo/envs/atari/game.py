"""One actor's game on a bare ALE, as the authors' wrappers change it: noop starts, skipped frames, lives (section 6.4).

In the order of their code since October 2017: noop start, frame skip, score, life loss, FIRE, then the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ale_py
import numpy as np
import torch
from ale_py import Action, ALEInterface, ALEState

from ppo.envs.atari import games
from ppo.envs.atari.screen import Screens

if TYPE_CHECKING:
    from ppo.envs.atari.schema import Atari

SKIP = 4  # frames of one action
COUNTERS = ("score", "length", "lives", "over", "truncated", "held")


class AtariGame:
    """One emulator. `begin` starts an episode, `play` takes a step; `frame` is what is seen after either."""

    def __init__(self, task: Atari, generator: np.random.Generator) -> None:
        ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.ale = ale = ALEInterface()
        ale.setFloat("repeat_action_probability", 0.0)  # actions stick here: ALE's own state leaves out which one did
        ale.setInt("random_seed", 0)  # nothing else is drawn
        ale.loadROM(games.rom(task.id))
        self.generator, self._task, self._limit = generator, task, task.episode_limit()
        minimal = ale.getMinimalActionSet()
        self.actions = ale.getLegalActionSet() if task.full_actions else minimal
        # As the authors' code, which looks at the game's minimal set, plays its actions 1 and 2.
        self._start = minimal[1:3] if len(minimal) > 2 and minimal[1] == Action.FIRE else []
        self._screens = Screens(ale)
        self.frame = self._screens.frame
        self.score, self.length, self.lives = 0.0, 0, 0  # of the game, not of a life; of the policy's steps
        self.over, self.truncated = True, False
        self.held = Action.NOOP.value  # the action that sticks
        self._finished: list[tuple[float, int]] = []

    def play(self, choice: int) -> tuple[float, bool]:
        """One step of the policy: its raw reward, and whether an episode ended, with the game or with a life."""
        self.length += 1
        reward, done = self._live(self.actions[choice])
        self.truncated = self.length >= self._limit and not self.over
        if self.truncated:
            self._finish()
        return reward, done or self.truncated

    def begin(self) -> None:
        """Start an episode: a new game, or the next life of this one; press FIRE where the game waits for it."""
        self._begin()
        for action in self._start:
            if self._live(action)[1]:
                self._begin()

    def _begin(self) -> None:
        """A new game with its noops; where one is going on, a single noop."""
        if not self.over:
            self._skip(Action.NOOP)
        if self.over:
            self._new_game()
        self.lives = self.ale.lives()

    def _new_game(self) -> None:
        ale, noops = self.ale, self._task.noops
        ale.reset_game()
        for _ in range(int(self.generator.integers(1, noops + 1)) if noops else 0):
            ale.act(Action.NOOP)
            if ale.game_over():
                ale.reset_game()
        self._screens.look(alone=True)
        self.score, self.length, self.over, self.held = 0.0, 0, False, Action.NOOP.value

    def _live(self, action: Action) -> tuple[float, bool]:
        """Skip frames; a life that is lost ends an episode too. Without lives, or with the last, the game decides."""
        reward = self._skip(action)
        lives = self.ale.lives()
        lost = self._task.end_on_life_loss and 0 < lives < self.lives
        self.lives = lives
        return reward, self.over or lost

    def _skip(self, action: Action) -> float:
        """Four frames of one action, fewer if the game ends; the last two screens are kept."""
        act, game_over, reward = self.ale.act, self.ale.game_over, 0
        actions = self._stuck(action) if self._task.sticky else (action,) * SKIP
        for frame in range(SKIP):
            reward += act(actions[frame])
            if frame == SKIP - 2:
                self._screens.look_first()
            if over := game_over():
                break
        self._screens.look(alone=frame < SKIP - 1)
        self.score += reward
        if over:
            self._finish()
        return float(reward)

    def _stuck(self, action: Action) -> list[Action]:
        """The action of each frame: with a probability, the one before it once more."""
        actions = []
        for draw in self.generator.random(SKIP).tolist():
            if draw >= self._task.sticky:
                self.held = action.value
            actions.append(Action(self.held))
        return actions

    def _finish(self) -> None:
        """Note the game that has ended."""
        self.over = True
        self._finished.append((self.score, self.length))

    def taken(self) -> list[tuple[float, int]]:
        """Score and length of the games that ended since the last call."""
        taken, self._finished = self._finished, []
        return taken

    def get_state(self) -> dict[str, Any]:
        """All that the next steps depend on; torch.load(weights_only=True) can read it."""
        ale = np.frombuffer(self.ale.cloneState(include_rng=True).serialize(), np.uint8)
        counters = {name: getattr(self, name) for name in COUNTERS}
        return {"ale": torch.from_numpy(ale.copy()), "generator": self.generator.bit_generator.state} | counters

    def set_state(self, state: dict[str, Any]) -> None:
        """Put the game back to where `get_state` was called; the screens are of nothing until the next step."""
        self.ale.reset_game()
        self.ale.act(Action.NOOP)  # an emulator that never acted does not take every state exactly
        self.ale.restoreState(ALEState(state["ale"].numpy().tobytes()))
        self.generator.bit_generator.state = state["generator"]
        for name in COUNTERS:
            setattr(self, name, state[name])
