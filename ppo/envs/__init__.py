"""Environments: suites of tasks behind one contract, `LockStep`, chosen by `env.suite` (DESIGN: ppo)."""

from __future__ import annotations

import numpy as np

from ppo.envs.base import LockStep, Spec, Step
from ppo.errors import UserError, near

__all__ = ["SUITES", "LockStep", "Spec", "Step", "check", "make"]

SUITES = ("gymnasium", "mujoco")


def make(suite: str, env_id: str, time_limit: int | None, generators: list[list[np.random.Generator]]) -> LockStep:
    """Environments for lanes L and actors N, with one generator each, [L][N]; time_limit None: the task's own."""
    _check_suite(suite)
    if suite == "mujoco":  # suites are imported when asked for: nobody needs every simulator
        from ppo.envs.simulators.suite import MujocoSuite

        return MujocoSuite(env_id, generators, time_limit)
    from ppo.envs.gymnasium import GymnasiumSuite

    return GymnasiumSuite(env_id, generators, time_limit)


def check(suite: str, env_id: str) -> None:
    """UserError if there is no such suite or task, or it cannot be trained on; builds no pack."""
    _check_suite(suite)
    if suite == "mujoco":
        from ppo.envs.simulators import tasks as mujoco_tasks

        mujoco_tasks.find(env_id)
    else:
        from ppo.envs import gymnasium as gymnasium_suite

        gymnasium_suite.check(env_id)


def episode_limit(suite: str, env_id: str, time_limit: int | None) -> int:
    """The most steps of an episode, for algorithms that collect whole ones; UserError if there is no bound."""
    if time_limit is None and suite == "mujoco":
        from ppo.envs.simulators import tasks as mujoco_tasks

        return mujoco_tasks.find(env_id).time_limit
    if time_limit is None:
        import gymnasium

        time_limit = gymnasium.spec(env_id).max_episode_steps
    if time_limit is None:
        reason = f"{env_id} has no limit of its own, and this algorithm collects whole episodes"
        raise UserError(f"env.time_limit=null is not possible: {reason}; allowed is a whole number of at least 1.")
    return time_limit


def _check_suite(suite: str) -> None:
    if suite not in SUITES:
        raise UserError(f"env.suite={suite} is unknown: {near(suite, SUITES)}.")
