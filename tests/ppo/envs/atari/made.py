"""Games in lock-step for tests, with actions drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppo.config import choices
from ppo.data import Floats
from ppo.envs.atari.lockstep import AtariLockStep

AS_IN_YAML = {
    "suite": "atari", "time_limit": None, "full_actions": False, "sticky": 0.0, "noops": 30, "end_on_life_loss": True,
    "stack_at_reset": "refill",
}  # fmt: skip


def task(game: str, **keys: Any) -> Any:
    """The suite's schema, with the yaml's values but for some keys."""
    return choices.suite.build(AS_IN_YAML | {"id": game} | keys, "env").resolved()


def made(game: str, lanes: int = 1, actors: int = 1, **keys: Any) -> AtariLockStep:
    """Not yet reset; the generators of a lane depend on its number only."""
    generators = [[np.random.default_rng([lane, actor]) for actor in range(actors)] for lane in range(lanes)]
    env = task(game, **keys).make(generators, np.zeros(1 + lanes, np.uint32))
    assert isinstance(env, AtariLockStep)
    return env


def choices_for(env: AtariLockStep, steps: int, lanes: int = 1, actors: int = 1) -> Floats:
    """Random choices [steps, L, N, 1]."""
    size = env.spec.action.size
    return np.random.default_rng(99).integers(size, size=(steps, lanes, actors, 1)).astype(np.float64)
