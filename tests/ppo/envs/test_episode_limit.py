"""How long an episode can get: algorithms that collect whole ones must know, and say in one sentence if they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from ppo.config.compose import compose
from ppo.envs import episode_limit
from ppo.errors import UserError
from ppo.train import train

UNBOUNDED = (
    "env.time_limit=null is not possible: Endless-v0 has no limit of its own, and this algorithm collects whole "
    "episodes; allowed is a whole number of at least 1."
)


class Endless(gymnasium.Env[Any, Any]):
    """Nothing ever happens."""

    observation_space, action_space = Box(-1, 1, (1,)), Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(1, np.float32), 0.0, False, False, {}


@pytest.fixture(autouse=True)
def _endless() -> Iterator[None]:
    gymnasium.register("Endless-v0", Endless)  # type: ignore[arg-type]
    yield
    del gymnasium.registry["Endless-v0"]


@pytest.mark.parametrize(
    ("suite", "env_id", "time_limit", "limit"),
    [
        ("mujoco", "Hopper-v5", None, 1000),
        ("mujoco", "Reacher-v5", None, 50),
        ("mujoco", "Reacher-v5", 7, 7),
        ("gymnasium", "CartPole-v1", None, 500),
        ("gymnasium", "CartPole-v1", 20, 20),
        ("gymnasium", "Endless-v0", 20, 20),
    ],
)
def test_an_episode_ends_at_the_limit_asked_for_or_else_at_the_tasks_own(
    suite: str, env_id: str, time_limit: int | None, limit: int
) -> None:
    assert episode_limit(suite, env_id, time_limit) == limit


def test_an_episode_without_a_limit_is_refused() -> None:
    with pytest.raises(UserError) as error:
        episode_limit("gymnasium", "Endless-v0", None)
    assert str(error.value) == UNBOUNDED


@pytest.mark.parametrize("algorithm", ["vpg", "cem"])
def test_a_run_of_whole_episodes_without_a_limit_is_refused_before_anything_starts(
    algorithm: str, tmp_path: Path
) -> None:
    run = compose([f"algorithm={algorithm}", "env=gymnasium", "env.id=Endless-v0", f"outputs={tmp_path}"])
    with pytest.raises(UserError) as error:
        train([run])
    assert str(error.value) == UNBOUNDED
    assert not list(tmp_path.iterdir())
