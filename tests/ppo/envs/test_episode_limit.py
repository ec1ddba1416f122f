"""How long an episode can get: algorithms that collect whole ones must know, and say in one sentence if they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from ppo.config import choices
from ppo.config.compose import compose
from ppo.envs.base import Suite
from ppo.errors import UserError


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


def task(suite: str, env_id: str, time_limit: int | None) -> Suite:
    return choices.suite.build({"suite": suite, "id": env_id, "time_limit": time_limit}, "env")


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
    env = task(suite, env_id, time_limit)
    assert env.episode_limit() == limit


def test_of_a_task_that_never_ends_no_limit_is_known() -> None:
    assert task("gymnasium", "Endless-v0", None).episode_limit() is None


@pytest.mark.parametrize("algorithm", ["vpg", "cem"])
def test_a_run_of_whole_episodes_without_a_limit_is_refused_before_anything_starts(algorithm: str) -> None:
    with pytest.raises(UserError, match=rf"^env\.time_limit=null is invalid: .*Endless-v0 .*{algorithm}.*\.$"):
        compose([f"algorithm={algorithm}", "env=gymnasium", "env.id=Endless-v0"])
    assert compose([f"algorithm={algorithm}", "env=gymnasium", "env.id=Endless-v0", "env.time_limit=20"])
