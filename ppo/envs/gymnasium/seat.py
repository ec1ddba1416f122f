"""One actor's environment: its episode follows from a seed and actions, which are saved, and played again to resume."""

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
from ppo.envs import returned
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

    The environment finds its own global generators in place whenever its code runs. To put back the process's, and to
    guard against what else that code may do, is left to the caller.
    Memory: 8 bytes for each number of each action since the episode began.
    """

    def __init__(self, env_id: str, time_limit: int | None, born: int) -> None:
        self._task = (env_id, time_limit)
        self._globals = GlobalGenerators()
        self._build(born)

    def _build(self, born: int) -> None:
        self.born = born
        self.env = self._make()
        space: Any = self.env.action_space
        self.spec = registered.to_spec(self._task[0], self.env.observation_space, space)
        self._discrete, self._kind, self._shape = self.spec.action.discrete, space.dtype.type, space.shape
        self._first = space.start if self._discrete else None
        self._begin(0)

    def _begin(self, seed: int) -> None:
        self.seed, self.steps, self._actions = seed, 0, bytearray()
        self._digest = hashlib.blake2b(digest_size=16)

    def start(self, seed: int) -> Floats:
        """Begin an episode; returns its first observation [obs]."""
        self._begin(seed)
        obs = self._reset()
        self._digest.update(obs.tobytes())
        return obs

    def step(self, action: Floats) -> Seen:
        """Take an action [columns]; returns what came of it, the last observation where the episode ended."""
        seen = self._step(action)
        self._actions += action.tobytes()
        self.steps += 1
        self._digest.update(seen.obs.tobytes())
        self._digest.update(_REST(*seen[1:]))
        return seen

    def close(self) -> None:
        """Let go of windows, files and processes."""
        self._globals.put()
        try:
            self.env.close()
        finally:
            self._globals.take()

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

    def replay(self, state: dict[str, Any], call: Call) -> tuple[Seen, list[str]]:
        """Play a saved episode again: its last step, and attributes that the environment has carried into it.

        Raises Unequal if it does not come to the same.
        """
        if state["born"] != self.born:
            with suppress(Exception):
                call(self.close)
            call(self._build, state["born"])
        seen = Seen(call(self.start, state["seed"]), 0.0, terminated=False, truncated=False)
        actions = state["actions"].numpy().astype(np.float64)
        for step, action in enumerate(actions, 1):
            seen = call(self.step, action)
            if seen.terminated or seen.truncated:
                raise Unequal(f"the same seed and actions ended its episode at step {step} of {len(actions)}")
        if self._digest.hexdigest() != state["digest"]:
            raise Unequal(f"the same seed and {len(actions)} actions did not lead to the same numbers")
        now, before = carried(self.env), state["carried"]
        return seen, sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))

    def _make(self) -> Env:
        self._globals.seed(self.born)
        try:
            env = registered.make(*self._task)
            for name in ("action_space", "observation_space"):  # often the class's, and then shared by all seats
                with suppress(Exception):
                    setattr(env.unwrapped, name, copy.deepcopy(getattr(env.unwrapped, name)))
        finally:
            self._globals.take()
        self.draws = not never_drawn_from(env)
        return env

    def _reset(self) -> Floats:
        if self.draws:
            self._globals.seed(self.seed)
        try:
            self.env.action_space.seed(self.seed)
            self.env.observation_space.seed(self.seed)
            obs, _ = returned.parts(self.env.reset(seed=self.seed), 2, "reset")
            return returned.observation(obs, self.spec.obs).astype(np.float64)
        finally:
            if self.draws:
                self._globals.take()

    def _step(self, action: Floats) -> Seen:
        if self.draws:
            self._globals.put()
        try:
            obs, reward, terminated, truncated, _ = returned.parts(self.env.step(self._to_env(action)), 5, "step")
            return Seen(
                returned.observation(obs, self.spec.obs).astype(np.float64),
                returned.reward(reward),
                returned.ending(terminated, "terminated"),
                returned.ending(truncated, "truncated"),
            )
        finally:
            if self.draws:
                self._globals.take()

    def _to_env(self, action: Floats) -> Any:
        """An action [columns] as the space spells it; a new array, since an environment may keep it."""
        if self._discrete:
            return self._kind(action[0]) + self._first
        return action.reshape(self._shape).astype(self._kind)
