"""One actor's environment: its episode follows from one seed and its actions, so that both can be saved and replayed."""

from __future__ import annotations

import copy
import hashlib
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch

from ppo.data import Floats
from ppo.envs.base import Spec
from ppo.envs.gymnasium import registered
from ppo.envs.gymnasium.carried import carried
from ppo.envs.gymnasium.global_generators import GlobalGenerators, never_drawn_from

Env = gymnasium.Env[Any, Any]
_REST = struct.Struct("<d??").pack  # reward and ends


Call = Callable[..., Any]  # call(function, *args): the guard around somebody else's code


class Seen(NamedTuple):
    """What an environment returned, checked."""

    obs: Floats  # [obs], a new array
    reward: float
    terminated: bool
    truncated: bool


class Unequal(Exception):
    """A replay did not come to what was there before."""


class Seat:
    """An environment and its running episode. `born` seeds what its constructor draws from global generators.

    The environment finds its own global generators in place whenever its code runs; the caller puts back the process's.
    Memory: 8 bytes for each number of each action since the episode began.
    """

    def __init__(self, env_id: str, time_limit: int | None, born: int, call: Call) -> None:
        self._call, self._task = call, (env_id, time_limit)
        self._globals = GlobalGenerators()
        self._build(born)

    def _build(self, born: int) -> None:
        self.born = born
        self.env = self._call(self._make)
        self._space: Any = self.env.action_space
        self.spec = self._call(registered.to_spec, self._task[0], self.env.observation_space, self._space)
        self._begin(0)

    def _begin(self, seed: int) -> None:
        self.seed, self.steps, self._actions = seed, 0, bytearray()
        self._digest = hashlib.blake2b(digest_size=16)

    def start(self, seed: int) -> Floats:
        """Begin an episode; returns its first observation [obs]."""
        self._begin(seed)
        obs: Floats = self._call(self._reset)
        self._digest.update(obs)
        return obs

    def step(self, action: Floats) -> Seen:
        """Take an action [columns]; returns what came of it, the last observation where the episode ended."""
        seen: Seen = self._call(self._step, action)
        self._actions += action.tobytes()
        self.steps += 1
        self._digest.update(seen.obs)
        self._digest.update(_REST(*seen[1:]))
        return seen

    def close(self) -> None:
        """Let go of windows, files and processes."""
        self._call(self._close)

    def get_state(self) -> dict[str, Any]:
        """The running episode; torch.load(weights_only=True) can read it."""
        actions = np.frombuffer(bytes(self._actions), np.float64).reshape(self.steps, self.spec.action.columns)
        small = actions.astype(np.float32)
        return {
            "born": self.born,
            "seed": self.seed,
            "actions": torch.from_numpy(small if np.array_equal(small, actions, equal_nan=True) else actions.copy()),
            "digest": self._digest.hexdigest(),
            "carried": carried(self.env),
        }

    def replay(self, state: dict[str, Any]) -> tuple[Seen, list[str]]:
        """Play a saved episode again: its last step, and attributes that the environment has carried into it.

        Raises Unequal if it does not come to the same.
        """
        if state["born"] != self.born:
            with suppress(Exception):
                self.close()
            self._build(state["born"])
        seen = Seen(self.start(state["seed"]), 0.0, terminated=False, truncated=False)
        actions = state["actions"].numpy().astype(np.float64)
        for step, action in enumerate(actions, 1):
            seen = self.step(action)
            if seen.terminated or seen.truncated:
                raise Unequal(f"the same seed and actions ended its episode at step {step} of {len(actions)}")
        if self._digest.hexdigest() != state["digest"]:
            raise Unequal(f"the same seed and {len(actions)} actions did not lead to the same numbers")
        now, before = carried(self.env), state["carried"]
        return seen, sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))

    # What follows runs the environment's code, and is called through the guard only.

    def _make(self) -> Env:
        self._globals.seed(self.born)
        try:
            env = registered.make(*self._task)
            for name in ("action_space", "observation_space"):  # often the class's, and then shared by all seats
                with suppress(Exception):
                    setattr(env.unwrapped, name, copy.deepcopy(getattr(env.unwrapped, name)))
        finally:
            self._globals.take()
        self._draws = not never_drawn_from(env)
        return env

    def _reset(self) -> Floats:
        self._globals.seed(self.seed)
        try:
            self.env.action_space.seed(self.seed)
            self.env.observation_space.seed(self.seed)
            return to_obs(_of(self.env.reset(seed=self.seed), 2, "reset")[0], self.spec)
        finally:
            self._globals.take()

    def _step(self, action: Floats) -> Seen:
        if self._draws:
            self._globals.put()
        try:
            result = _of(self.env.step(self._to_env(action)), 5, "step")
            return Seen(to_obs(result[0], self.spec), to_reward(result[1]), to_flag(result[2]), to_flag(result[3]))
        finally:
            if self._draws:
                self._globals.take()

    def _to_env(self, action: Floats) -> Any:
        """An action [columns] as the space spells it; a new array, since an environment may keep it."""
        space = self._space
        if self.spec.action.discrete:
            return space.dtype.type(action[0]) + space.start
        return action.reshape(space.shape).astype(space.dtype)

    def _close(self) -> None:
        self._globals.put()
        try:
            self.env.close()
        finally:
            self._globals.take()


def to_obs(obs: Any, spec: Spec) -> Floats:
    """An observation as a new array [obs]; TypeError or ValueError if it is none of the environment's space."""
    array = np.asarray(obs)
    if array.shape != spec.obs.shape:
        raise ValueError(f"an observation of shape {array.shape} came, and its space has {spec.obs.shape}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"an observation of dtype {array.dtype} came: expected real numbers")
    return array.astype(np.float64)


def to_reward(reward: Any) -> float:
    """A reward as a number; TypeError if it is none."""
    if type(reward) is not float:
        array = np.asarray(reward)
        if array.shape or array.dtype.kind not in "fiub":
            raise TypeError(f"a reward of type {type(reward).__name__} came, {_brief(array)}: expected one real number")
    return float(reward)


def to_flag(flag: Any) -> bool:
    """An end as a bool; TypeError if it is none."""
    if type(flag) is not bool:
        array = np.asarray(flag)
        if array.shape or array.dtype.kind not in "iub":
            raise TypeError(f"an end of type {type(flag).__name__} came, {_brief(array)}: expected true or false")
    return bool(flag)


def _brief(array: np.ndarray) -> str:
    return f"shape {array.shape}, dtype {array.dtype}"


def _of(result: Any, length: int, call: str) -> tuple[Any, ...]:
    """What `reset` or `step` returned, if it has the length that Gymnasium asks for."""
    if isinstance(result, tuple) and len(result) == length:
        return result
    came = f"{len(result)} values" if isinstance(result, tuple) else f"a {type(result).__name__}"
    raise TypeError(f"{call} returned {came}: expected a tuple of {length}")
