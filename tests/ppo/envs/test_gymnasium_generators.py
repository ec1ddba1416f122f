"""Each Gymnasium environment has its own global generators, and the process keeps its own."""

from __future__ import annotations

import random
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from tests.ppo.envs.test_gymnasium_replay import TASKS, _registered, drive, made, of_lane  # noqa: F401


def seed_all(seed: int) -> None:
    """The process's global generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def states() -> tuple[Any, ...]:
    """Of the process's global generators."""
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]


def test_an_environments_draws_from_global_generators_follow_from_its_runs_seed_alone() -> None:
    alone = of_lane(drive(made("Drawing-v0", 1, 2), 50, 1, 2), 0)
    for noise in range(2):
        seed_all(noise)
        packed = made("Drawing-v0", 3, 2)
        assert of_lane(drive(packed, 50, 1, 2, lanes=3), 0) == alone
    values = [value for step in alone for value in np.ravel(step[0])]
    assert len(set(values)) == len(values)


def test_the_processs_global_generators_are_as_they_were() -> None:
    seed_all(3)
    env = made("Drawing-v0", 2)
    before = states()
    drive(env, 20, 1, 1, lanes=2)
    env.set_state(0, env.get_state(0))
    env.close(0)
    assert states() == before


@pytest.mark.parametrize("env_id", [*TASKS, "MountainCar-v0", "Swimmer-v5", "Reacher-v5", "InvertedDoublePendulum-v5"])
def test_gymnasiums_own_environments_leave_the_global_generators_alone(env_id: str) -> None:
    env = gymnasium.make(env_id, disable_env_checker=True)
    before = states()
    for seed in range(3):
        env.reset(seed=seed)
        for _ in range(20):
            env.step(env.action_space.sample())
    assert states() == before
