"""Games of the Atari 2600 in lock-step: a loop over emulators; observations are the last four frames, as bytes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ppo.data import Bools, Floats, Obs, Space
from ppo.envs.atari.game import AtariGame
from ppo.envs.atari.screen import SIDE
from ppo.envs.base import Actions, Game, Generators, Marker, Spec, Step

if TYPE_CHECKING:
    from ppo.envs.atari.schema import Atari

Stacks = NDArray[np.uint32]  # [..., 84, 84] the last four values of a pixel, the oldest in the lowest byte
STACKED, NEWEST = 4, 24  # frames; bits by which the newest is shifted
# An episode's first frame x this is its stack.
FIRST = {"refill": np.uint32(0x01010101), "zero": np.uint32(1 << NEWEST)}
_log = logging.getLogger(__name__)


class _Rows(NamedTuple):
    """What a step returns, over all actors [L * N]."""

    stacks: Stacks
    finals: Stacks  # before resets; the same array as `stacks` where none differs
    reward: Floats
    terminated: Bools
    truncated: Bools


class AtariLockStep:
    """The LockStep of one game. `generators` are PCG64, [L][N], and from now on the suite's own.

    Returned arrays are the caller's: never written to again here.
    """

    def __init__(self, task: Atari, generators: Generators, marker: Marker) -> None:
        self._marker = marker
        self._lanes, self._actors = len(generators), len(generators[0])
        self._games = [AtariGame(task, generator) for lane in generators for generator in lane]
        self._first = FIRST[task.stack_at_reset]
        choices = len(self._games[0].actions)
        obs = Space((SIDE, SIDE, STACKED), np.dtype(np.uint8))
        self.spec = Spec(obs, Actions(choices, True, np.zeros(1), np.full(1, choices - 1.0)))
        self.failures: dict[int, Exception] = {}
        self.inexact: dict[int, str] = {}  # no lane's: every state is restored exactly
        self._last = self._quiet()
        self.set_active(np.ones((self._lanes, self._actors), np.bool_))

    def reset(self) -> Obs:
        """Start a game everywhere; returns obs [L, N, 84, 84, 4]."""
        self._last = rows = self._quiet()
        for lane, actors in self._running:
            self._marker[0] = lane + 1
            try:
                for index in actors:
                    self._begin(index, rows.stacks)
            except Exception as error:
                self._fail(lane, error)
        self._marker[0] = 0
        return self._seen(rows.stacks)

    def step(self, action: Floats) -> Step:
        """Advance every active actor by one choice [L, N, 1]; `ended` has the games that were finished."""
        choices, last = np.asarray(action).reshape(-1).tolist(), self._last
        stacks = np.empty_like(last.stacks)
        rows = _Rows(stacks, stacks, last.reward.copy(), last.terminated.copy(), last.truncated.copy())
        finals: dict[int, Stacks] = {}  # of the episodes that ended
        for lane, actors in self._running:
            self._marker[0] = lane + 1
            try:
                for index in actors:
                    self._step_one(index, int(choices[index]), rows, finals)
            except Exception as error:
                self._fail(lane, error)
        self._marker[0] = 0
        if finals or (self._resting.any() and last.finals is not last.stacks):
            rows = rows._replace(finals=stacks.copy())
            for index, stack in finals.items():
                rows.finals[index] = stack
        if self._resting.any():  # lanes that have just failed are among them
            for name, new in rows._asdict().items():
                new[self._resting] = getattr(last, name)[self._resting]
        self._last = rows
        return self._to_step(rows)

    def _step_one(self, index: int, choice: int, rows: _Rows, finals: dict[int, Stacks]) -> None:
        """Write one actor's step into its rows."""
        game, stack = self._games[index], rows.stacks[index]
        rows.reward[index], done = game.play(choice)
        rows.truncated[index] = game.truncated
        rows.terminated[index] = done and not game.truncated
        np.right_shift(self._last.stacks[index], 8, out=stack)
        stack |= game.frame() << NEWEST
        if done:
            finals[index] = stack.copy()
            self._begin(index, rows.stacks)

    def _begin(self, index: int, stacks: Stacks) -> None:
        """Start an episode of one actor."""
        self._games[index].begin()
        stacks[index] = self._games[index].frame() * self._first

    def set_active(self, actors: Bools) -> None:
        """Step only these actors [L, N] from now on. A lane that has failed stays out."""
        active = np.array(actors, np.bool_)
        active[list(self.failures)] = False
        self._active, self._resting = active, ~active.ravel()
        self._running = [
            (lane, [lane * self._actors + actor for actor in np.flatnonzero(active[lane]).tolist()])
            for lane in np.flatnonzero(active.any(1)).tolist()
        ]

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that the next steps depend on; torch.load(weights_only=True) can read it."""
        own = self._of(lane)
        rows = {name: torch.from_numpy(_bytes(rows[own]).copy()) for name, rows in self._last._asdict().items()}
        return {"games": [game.get_state() for game in self._games[own]], "last": rows}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to where `get_state` was called."""
        own = self._of(lane)
        self._marker[0] = lane + 1
        for game, saved in zip(self._games[own], state["games"], strict=True):
            game.set_state(saved)
        self._marker[0] = 0
        self._last = _Rows._make(rows.copy() for rows in self._last)
        for name, rows in self._last._asdict().items():
            _bytes(rows[own])[:] = state["last"][name].numpy()

    def close(self, lane: int) -> None:
        """There is nothing to let go of."""

    def _of(self, lane: int) -> slice:
        """A lane's actors in the flat lists."""
        return slice(lane * self._actors, (lane + 1) * self._actors)

    def _quiet(self) -> _Rows:
        """Nothing happened yet and nothing is seen."""
        count = len(self._games)
        stacks, none = np.zeros((count, SIDE, SIDE), np.uint32), np.zeros(count, np.bool_)
        return _Rows(stacks, stacks, np.zeros(count), none, none.copy())

    def _to_step(self, rows: _Rows) -> Step:
        grid = (self._lanes, self._actors)
        obs, final_obs = self._seen(rows.stacks), self._seen(rows.finals)
        terminated, truncated = rows.terminated.reshape(grid), rows.truncated.reshape(grid)
        ended = [
            Game(*divmod(index, self._actors), score, length)
            for index, game in enumerate(self._games)
            for score, length in game.taken()
        ]
        return Step(obs, rows.reward.reshape(grid), terminated, truncated, final_obs, ended)

    def _seen(self, stacks: Stacks) -> Obs:
        """Stacks as bytes [L, N, 84, 84, 4], the newest frame last; the same memory."""
        return stacks.view(np.uint8).reshape(self._lanes, self._actors, SIDE, SIDE, STACKED)

    def _fail(self, lane: int, error: Exception) -> None:
        """Take a lane out, and let the others go on."""
        _log.debug("lane %d has failed", lane, exc_info=error)
        self.failures[lane] = error
        self.set_active(self._active)


def _bytes(rows: np.ndarray) -> np.ndarray:
    """Stacks as bytes, which every torch can store; other rows as they are. The same memory."""
    return rows.view(np.uint8) if rows.dtype == np.uint32 else rows
