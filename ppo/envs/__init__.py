"""Environments: suites of tasks behind one contract, `LockStep`, chosen by `env.suite` (DESIGN: ppo)."""

from __future__ import annotations

import numpy as np

from ppo.envs.lockstep import LockStep, Spec, Step
from ppo.errors import UserError, near

__all__ = ["SUITES", "LockStep", "Spec", "Step", "check", "make"]

SUITES = ("gymnasium", "mujoco")


def make(suite: str, env_id: str, time_limit: int | None, generators: list[list[np.random.Generator]]) -> LockStep:
    """Environments for lanes L and actors N, with one generator each, [L][N]; time_limit None: the task's own."""
    _check_suite(suite)
    if suite == "mujoco":  # suites are imported when asked for: nobody needs every simulator
        from ppo.envs.mujoco_suite import MujocoSuite

        return MujocoSuite(env_id, generators, time_limit)
    from ppo.envs.gymnasium_suite import GymnasiumSuite

    return GymnasiumSuite(env_id, generators, time_limit)


def check(suite: str, env_id: str) -> None:
    """UserError if there is no such suite or task, or it cannot be trained on; builds no pack."""
    _check_suite(suite)
    if suite == "mujoco":
        from ppo.envs import mujoco_tasks

        mujoco_tasks.find(env_id)
    else:
        from ppo.envs import gymnasium_suite

        gymnasium_suite.check(env_id)


def _check_suite(suite: str) -> None:
    if suite not in SUITES:
        raise UserError(f"env.suite={suite} is unknown: {near(suite, SUITES)}.")
