"""A worker in which one run is sabotaged: `python -m tests.sweeps.sabotage PACK.json`, as $SABOTAGE says.

SABOTAGE=<run hash>:<what>:<step>, where <what> is a signal that the process dies of, or `raise`, while the simulator of
that run takes that step.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import mujoco

from ppo.envs.simulators.lockstep import MujocoLockStep
from sweeps.launching.worker import main

RUN, WHAT, STEP = os.environ["SABOTAGE"].split(":")
real_step, real_advance = mujoco.mj_step, MujocoLockStep._advance
victim: list[Any] = []  # the simulator of the sabotaged run
taken = 0


def step(model: Any, data: Any, count: int) -> None:
    """mj_step, but for the victim."""
    global taken
    if victim and data is victim[0]:
        taken += 1
        if taken == int(STEP):
            if WHAT == "raise":
                raise RuntimeError("sabotage")
            os.kill(os.getpid(), getattr(signal, WHAT))
    real_step(model, data, count)


def advance(self: MujocoLockStep, actions: Any) -> None:
    """Find the victim by its hash in the marker, which names the run of every lane."""
    lanes = [lane for lane, run in enumerate(self._marker[1:].tolist()) if f"{run:08x}" == RUN[:8]]
    victim[:] = [self._data[lane * self._actors] for lane in lanes]
    real_advance(self, actions)


if __name__ == "__main__":
    mujoco.mj_step, MujocoLockStep._advance = step, advance
    sys.exit(main(sys.argv[1]))
