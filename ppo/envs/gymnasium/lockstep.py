"""Gymnasium environments in lock-step: a plain loop over bare environments, each episode with a seed of its own."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from ppo.data import Bools, Floats, Obs
from ppo.envs.base import Generators, Marker, Step
from ppo.envs.gymnasium import registered

_log = logging.getLogger(__name__)


class GymnasiumLockStep:
    """The LockStep of any environment by its id. `generators` are PCG64, [L][N], and from now on the suite's own.

    Every episode starts with a seed drawn from the actor's generator. An environment's inner state is out of reach:
    `get_state` saves the generators only, and `set_state` starts new episodes.
    """

    restores_exactly = False

    def __init__(self, env_id: str, generators: Generators, time_limit: int | None, marker: Marker) -> None:
        self._generators, self._marker = generators, marker
        self._envs = [[registered.make(env_id, time_limit) for _ in lane] for lane in generators]
        first = self._envs[0][0]
        self._action_space = first.action_space
        self.spec = registered.to_spec(env_id, first.observation_space, first.action_space)
        self.failures: dict[int, Exception] = {}
        grid = (len(generators), len(generators[0]))
        obs, none = np.zeros((*grid, *self.spec.obs.shape)), np.zeros(grid, np.bool_)
        self._last = Step(obs, np.zeros(grid), none, none, obs)
        self.set_active(~none)

    def reset(self) -> Obs:
        """Start an episode everywhere; returns obs [L, N, obs]."""
        obs = self._last.obs.copy()
        for lane in range(len(self._envs)):
            self._start_lane(lane, obs)
        none = np.zeros_like(self._last.terminated)
        self._last = Step(obs, np.zeros_like(self._last.reward), none, none, obs)
        return obs.copy()

    def step(self, action: Floats) -> Step:
        """Advance every active actor by one action [L, N, action], sent unclipped ([L, N, 1] choices if discrete)."""
        step = self._last.copy()
        for lane, actor in np.argwhere(self._active).tolist():
            if lane in self.failures:  # of this very step
                continue
            self._marker[0] = lane + 1
            try:
                self._step_one(lane, actor, action[lane, actor], step)
            except (Exception, SystemExit) as error:
                self._fail(lane, error)
        self._marker[0] = 0
        self._last = step
        return step

    def _step_one(self, lane: int, actor: int, action: Floats, step: Step) -> None:
        """Write one actor's step into its rows; what an environment returns is copied before it is reset."""
        at = (lane, actor)
        obs, reward, terminated, truncated, _ = self._envs[lane][actor].step(self._to_env(action))
        step.obs[at] = step.final_obs[at] = obs
        step.reward[at], step.terminated[at], step.truncated[at] = reward, terminated, truncated
        if terminated or truncated:
            step.obs[at] = self._start(lane, actor)

    def set_active(self, actors: Bools) -> None:
        """Step only these actors [L, N] from now on. A lane that has failed stays out."""
        self._active = np.array(actors, np.bool_)
        self._active[list(self.failures)] = False

    def get_state(self, lane: int) -> dict[str, Any]:
        """The lane's generators; torch.load(weights_only=True) can read them."""
        return {"generators": [generator.bit_generator.state for generator in self._generators[lane]]}

    def set_state(self, lane: int, state: dict[str, Any]) -> Obs:
        """Start new episodes in one lane, the same ones for the same state; returns their obs [N, obs]."""
        for generator, saved in zip(self._generators[lane], state["generators"], strict=True):
            generator.bit_generator.state = saved
        self._last = self._last.copy()
        self._start_lane(lane, self._last.obs)
        return self._last.obs[lane].copy()

    def _start_lane(self, lane: int, obs: Obs) -> None:
        """Begin new episodes in one lane, and put what they show into its row of obs [L, N, obs]."""
        try:
            for actor in range(len(self._envs[lane])):
                obs[lane, actor] = self._start(lane, actor)
        except (Exception, SystemExit) as error:
            self._fail(lane, error)

    def _start(self, lane: int, actor: int) -> Any:
        """Begin a new episode of one actor; returns its first observation."""
        # A seed, not the generator itself: environments may draw from sources that only their own `reset` can seed.
        env, seed = self._envs[lane][actor], int(self._generators[lane][actor].integers(2**31))
        env.action_space.seed(seed)
        env.observation_space.seed(seed)
        return env.reset(seed=seed)[0]

    def _to_env(self, action: Floats) -> Any:
        """An action [columns] as the environment's space spells it."""
        space = self._action_space
        if isinstance(space, Discrete):
            return space.dtype.type(action[0]) + space.start
        return action.reshape(space.shape or ()).astype(space.dtype)

    def _fail(self, lane: int, error: Exception | SystemExit) -> None:
        """Take a lane out, and let the others go on."""
        if isinstance(error, SystemExit):  # an environment's, which must end neither its mates nor the process
            error = RuntimeError(f"the environment called sys.exit({error.code!r})")
        _log.debug("lane %d has failed", lane, exc_info=error)
        self.failures[lane] = error
        self._active[lane] = False
