"""Bare physics: rollouts played again with nothing but `mj_step` around them, to see what a trainer adds.

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
    """What an iteration of a whole pack comes to, its physics alone."""

    seconds: float  # d.ctrl[:] = action; mj_step(model, d, frame_skip)
    resets: float  # more seconds: mj_resetData, the task's draws, mj_forward
    steps: int  # environment steps


class Simulator(NamedTuple):
    """One actor's."""

    place: int  # lane after lane
    data: mujoco.MjData
    ctrl: np.ndarray  # view of the data's
    draws: np.random.Generator  # of its episodes


class Moment(NamedTuple):
    """One step of all actors that were not at rest."""

    moving: Sequence[Simulator]
    actions: np.ndarray  # [L * N, action]
    ended: Sequence[Simulator]


class Replay:
    """The state of a pack's simulators before some rollouts, and what to do with it after."""

    def __init__(self, pack: Pack) -> None:
        self.env: Any = pack.env
        self.lanes = pack.lanes
        self.states = [self.env.get_state(lane) for lane in self.lanes]

    def run(self, rollouts: Sequence[Rollout]) -> Bare:
        """Play the rollouts again, one after the other, and time them; RuntimeError if they end elsewhere."""
        simulators = self._simulators()
        moments = [moment for rollout in rollouts for moment in self._moments(rollout, simulators)]
        seconds, resets = self._play(moments)
        task = self.env._task
        now = np.stack([np.concatenate(task.watch(simulator.data)) for simulator in simulators])
        obs = rollouts[-1].obs[self.lanes, -1].reshape(len(now), -1)
        if not np.array_equal(task.observe(now), obs, equal_nan=True):
            raise RuntimeError("the rollouts played again end elsewhere: bare physics cannot be compared")
        return Bare(seconds, resets, sum(len(moment.moving) for moment in moments))

    def _simulators(self) -> list[Simulator]:
        """Fresh ones in the states noted."""
        model = self.env._model
        simulators: list[Simulator] = []
        for state in self.states:
            for physics, generator in zip(state["physics"].numpy(), state["generators"], strict=True):
                data, draws = mujoco.MjData(model), np.random.Generator(np.random.PCG64())
                mujoco.mj_setState(model, data, physics, _PHYSICS)
                draws.bit_generator.state = generator
                simulators.append(Simulator(len(simulators), data, data.ctrl, draws))
        return simulators

    def _moments(self, rollout: Rollout, simulators: Sequence[Simulator]) -> list[Moment]:
        """A rollout by time, until all actors are at rest."""

        def chosen(mask: np.ndarray) -> list[Simulator]:
            return [simulators[place] for place in np.flatnonzero(mask).tolist()]

        actions = _by_time(rollout.action.double().cpu().numpy()[self.lanes])
        ended = [chosen(row) for row in _by_time((rollout.terminated | rollout.truncated)[self.lanes])]
        if rollout.stepped is None:
            return [Moment(simulators, *both) for both in zip(actions, ended, strict=True)]
        moving = [chosen(row) for row in _by_time(rollout.stepped[self.lanes])]
        return [Moment(*all_three) for all_three in zip(moving, actions, ended, strict=True) if all_three[0]]

    def _play(self, moments: Sequence[Moment]) -> tuple[float, float]:
        """Seconds of stepping and of beginning episodes again."""
        mj_step, model, frame_skip = mujoco.mj_step, self.env._model, self.env._task.frame_skip
        resets, start = 0.0, time.perf_counter()
        for moving, actions, ended in moments:
            for place, data, ctrl, _ in moving:
                ctrl[:] = actions[place]
                mj_step(model, data, frame_skip)
            if ended:
                before = time.perf_counter()
                for simulator in ended:
                    self._begin(simulator)
                resets += time.perf_counter() - before
        return time.perf_counter() - start - resets, resets

    def _begin(self, simulator: Simulator) -> None:
        data = simulator.data
        mujoco.mj_resetData(self.env._model, data)
        data.qpos[:], data.qvel[:] = self.env._task.reset(self.env._model, simulator.draws)
        mujoco.mj_forward(self.env._model, data)


def _by_time(rows: np.ndarray) -> np.ndarray:
    """[L, T, N, ...] as contiguous [T, L * N, ...]."""
    lanes, horizon, actors, *rest = rows.shape
    return np.ascontiguousarray(np.swapaxes(rows, 0, 1)).reshape(horizon, lanes * actors, *rest)
