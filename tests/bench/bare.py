"""Bare physics: a rollout played again with nothing but `mj_step` around it, to see what a trainer adds.

The same actions from the same states, episodes begun again where they ended and with the same draws: the very same
trajectories, in the same process, right after the trainer made them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np

from ppo.collect import Rollout
from ppo.pack import Pack

_PHYSICS = int(mujoco.mjtState.mjSTATE_INTEGRATION)


class Bare(NamedTuple):
    """Seconds of one rollout of a whole pack."""

    steps: float  # d.ctrl[:] = action; mj_step(model, d, frame_skip)
    resets: float  # mj_resetData, the task's draws, mj_forward


class Replay:
    """The state of a pack's simulators before a rollout, and what to do with it after."""

    def __init__(self, pack: Pack) -> None:
        self.env: Any = pack.env
        self.lanes = pack.lanes
        self.states = [self.env.get_state(lane) for lane in self.lanes]

    def run(self, rollout: Rollout) -> Bare:
        """Play the rollout again and time it; RuntimeError if it ends elsewhere."""
        simulators = self._simulators()
        actions = _by_time(rollout.action.double().cpu().numpy()[self.lanes])
        over = _by_time((rollout.terminated | rollout.truncated)[self.lanes])
        ended = [np.flatnonzero(row).tolist() for row in over]
        bare = self._play(simulators, actions, ended)
        task = self.env._task
        now = np.stack([np.concatenate(task.watch(data)) for data, _, _ in simulators])
        obs = rollout.obs[self.lanes, -1].reshape(len(now), -1)
        if not np.array_equal(task.observe(now), obs, equal_nan=True):
            raise RuntimeError("the rollout played again ends elsewhere: bare physics cannot be compared")
        return bare

    def _simulators(self) -> list[tuple[mujoco.MjData, np.ndarray, np.random.Generator]]:
        """Fresh ones in the states noted: data, view of its ctrl, and the generator of its episodes."""
        model, simulators = self.env._model, []
        for state in self.states:
            for physics, generator in zip(state["physics"].numpy(), state["generators"], strict=True):
                data, draws = mujoco.MjData(model), np.random.Generator(np.random.PCG64())
                mujoco.mj_setState(model, data, physics, _PHYSICS)
                draws.bit_generator.state = generator
                simulators.append((data, data.ctrl, draws))
        return simulators

    def _play(self, simulators: Sequence[Any], actions: np.ndarray, ended: Sequence[list[int]]) -> Bare:
        mj_step, model, frame_skip = mujoco.mj_step, self.env._model, self.env._task.frame_skip
        numbered = [(index, data, ctrl) for index, (data, ctrl, _) in enumerate(simulators)]
        resets, start = 0.0, time.perf_counter()
        for row, over in zip(actions, ended, strict=True):
            for index, data, ctrl in numbered:
                ctrl[:] = row[index]
                mj_step(model, data, frame_skip)
            if over:
                before = time.perf_counter()
                for index in over:
                    self._begin(simulators[index][0], simulators[index][2])
                resets += time.perf_counter() - before
        return Bare(time.perf_counter() - start - resets, resets)

    def _begin(self, data: mujoco.MjData, draws: np.random.Generator) -> None:
        mujoco.mj_resetData(self.env._model, data)
        data.qpos[:], data.qvel[:] = self.env._task.reset(self.env._model, draws)
        mujoco.mj_forward(self.env._model, data)


def _by_time(rows: np.ndarray) -> np.ndarray:
    """[L, T, N, ...] as contiguous [T, L * N, ...]."""
    lanes, horizon, actors, *rest = rows.shape
    return np.ascontiguousarray(np.swapaxes(rows, 0, 1)).reshape(horizon, lanes * actors, *rest)
