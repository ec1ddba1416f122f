"""Any registered Gymnasium environment, stepped in lock-step at Gymnasium's own speed (DESIGN: ppo).

What it asks of the environment is a flat Box observation and a Box or Discrete action.
"""

from __future__ import annotations

import difflib
import logging
import re
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import parse_env_id
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ppo.envs.base import Bools, Floats, Spec, Step
from ppo.errors import UserError

_log = logging.getLogger(__name__)


def check(env_id: str) -> None:
    """UserError if there is no such environment, or it has spaces that the networks cannot take."""
    env = _make(env_id)
    try:
        _spec(env_id, env.observation_space, env.action_space)
    finally:
        env.close()


def _make(env_id: str, time_limit: int | None = None) -> gymnasium.Env[Any, Any]:
    """One environment; UserError if it cannot be made."""
    try:
        return gymnasium.make(env_id, max_episode_steps=time_limit, disable_env_checker=True)
    except Exception as error:  # not only Gymnasium's: the environment's own code runs here
        raise UserError(f"env.id={env_id} {_why_not(env_id, error)}.") from error


def _why_not(env_id: str, error: Exception) -> str:
    """Why an environment could not be made, as the rest of a sentence."""
    if isinstance(error, gymnasium.error.Error) and not isinstance(error, gymnasium.error.DependencyNotInstalled):
        close = difflib.get_close_matches(env_id, _latest_ids(), n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        return f"is unknown to Gymnasium: {hint}allowed is any id that gymnasium.pprint_registry() shows"
    first_line, *_ = str(error).strip().splitlines() or ["no reason given"]
    return f"cannot be made: {type(error).__name__}: {first_line.rstrip('.')}"


def _latest_ids() -> list[str]:
    """The registered ids, each environment in its highest version only."""
    latest: dict[tuple[str | None, str], tuple[int, str]] = {}
    for env_id in gymnasium.registry:
        namespace, name, version = parse_env_id(env_id)
        key = (namespace, name)
        latest[key] = max(latest.get(key, (-1, "")), (version or 0, env_id))
    return [env_id for _, env_id in latest.values()]


def _spec(env_id: str, observations: Space[Any], actions: Space[Any]) -> Spec:
    """Sizes of the two spaces; UserError if the networks cannot take them."""
    if not isinstance(observations, Box) or len(observations.shape) != 1:
        raise UserError(
            f"env.id={env_id} cannot be trained on: its observation space is {_in_a_line(observations)}; allowed is a "
            "Box of one dimension."
        )
    obs_size = observations.shape[0]
    if isinstance(actions, Discrete):
        choices = int(actions.n)
        return Spec(obs_size, choices, True, np.zeros(1), np.full(1, choices - 1.0))
    if not isinstance(actions, Box) or not np.issubdtype(actions.dtype, np.floating):
        raise UserError(
            f"env.id={env_id} cannot be trained on: its action space is {_in_a_line(actions)}; allowed are Discrete "
            "and a Box of real numbers."
        )
    low, high = (bound.astype(np.float64).ravel() for bound in (actions.low, actions.high))
    return Spec(obs_size, low.size, False, low, high)


def _in_a_line(space: Space[Any]) -> str:
    """A space as part of a sentence."""
    text = re.sub(r"\s+", " ", str(space))
    return text if len(text) <= 80 else f"{text[:77]}..."


class GymnasiumSuite:
    """The LockStep of any environment by its id. `generators` are PCG64, [L][N], and from now on the suite's own.

    An environment's inner state is out of reach: `get_state` saves the generators only, and `set_state` starts new
    episodes, seeded from them.
    """

    restores_exactly = False

    def __init__(self, env_id: str, generators: list[list[np.random.Generator]], time_limit: int | None = None) -> None:
        self._generators = generators
        lanes, actors = len(generators), len(generators[0])
        make = [partial(_make, env_id, time_limit)]
        # A vector of one for each actor, so that each can rest. We copy its rows, so SyncVectorEnv need not.
        self._envs = [
            [SyncVectorEnv(make, copy=False, autoreset_mode=AutoresetMode.SAME_STEP) for _ in range(actors)]
            for _ in range(lanes)
        ]
        first = self._envs[0][0]
        self._action_space = first.single_action_space
        self.spec = _spec(env_id, first.single_observation_space, self._action_space)
        self.failures: dict[int, Exception] = {}
        self.marker = np.zeros(1, np.uint32)
        obs, none = np.zeros((lanes, actors, self.spec.obs_size)), np.zeros((lanes, actors), np.bool_)
        self._last = Step(obs, np.zeros((lanes, actors)), none, none, obs)
        self.set_active(~none)

    def reset(self) -> Floats:
        """Start an episode everywhere; returns obs [L, N, obs]."""
        obs = self._last.obs.copy()
        for lane in range(len(self._envs)):
            self._start(lane, obs)
        none = np.zeros_like(self._last.terminated)
        self._last = Step(obs, np.zeros_like(self._last.reward), none, none, obs)
        return obs.copy()

    def step(self, action: Floats) -> Step:
        """Advance every active actor by one action [L, N, action], sent unclipped ([L, N, 1] choices if discrete)."""
        obs, reward, terminated, truncated, final_obs = step = Step._make(rows.copy() for rows in self._last)
        for lane, actor in np.argwhere(self._active).tolist():
            if lane in self.failures:  # of this very step
                continue
            self.marker[0] = lane + 1
            at = (lane, slice(actor, actor + 1))
            try:
                result = self._envs[lane][actor].step(self._to_env(action[at]))
            except Exception as error:
                self._fail(lane, error)
                continue
            obs[at], reward[at], terminated[at], truncated[at], info = result
            final_obs[at] = info["final_obs"][0] if (terminated[at] | truncated[at]).any() else obs[at]
        self.marker[0] = 0
        self._last = step
        return step

    def set_active(self, actors: Bools) -> None:
        """Step only these actors [L, N] from now on. A lane that has failed stays out."""
        self._active = np.array(actors, np.bool_)
        self._active[list(self.failures)] = False

    def get_state(self, lane: int) -> dict[str, Any]:
        """The lane's generators; torch.load(weights_only=True) can read them."""
        return {"generators": [generator.bit_generator.state for generator in self._generators[lane]]}

    def set_state(self, lane: int, state: dict[str, Any]) -> Floats:
        """Start new episodes in one lane, the same ones for the same state; returns their obs [N, obs]."""
        for generator, saved in zip(self._generators[lane], state["generators"], strict=True):
            generator.bit_generator.state = saved
        self._last = Step._make(rows.copy() for rows in self._last)
        self._start(lane, self._last.obs)
        return self._last.obs[lane].copy()

    def _start(self, lane: int, obs: Floats) -> None:
        """Begin new episodes in one lane, and put what they show into its row of obs [L, N, obs]."""
        # A seed, not the generator itself: environments may draw from sources that only their own `reset` can seed.
        seeds = [int(generator.integers(2**31)) for generator in self._generators[lane]]
        try:
            for actor, seed in enumerate(seeds):
                obs[lane, actor] = self._envs[lane][actor].reset(seed=[seed])[0][0]
        except Exception as error:
            self._fail(lane, error)

    def _to_env(self, action: Floats) -> Any:
        """Actions [N, action] as the environment's space spells them."""
        space = self._action_space
        if isinstance(space, Discrete):
            return action[:, 0].astype(space.dtype) + space.start
        return action.reshape(-1, *(space.shape or ())).astype(space.dtype)

    def _fail(self, lane: int, error: Exception) -> None:
        """Take a lane out, and let the others go on."""
        _log.debug("lane %d has failed", lane, exc_info=error)
        self.failures[lane] = error
        self._active[lane] = False
