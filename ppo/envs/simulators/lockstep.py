"""MuJoCo tasks stepped in lock-step on the raw simulators (section 6.1).

One MjData per actor and a plain loop over them. Everything around the physics is done for all actors in one NumPy call:
at one Python call per actor and quantity, the bookkeeping would cost as much as the small tasks' physics.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
import torch

from ppo.data import Bools, Floats, Obs, Space
from ppo.envs.base import Actions, Generators, Marker, Spec, Step
from ppo.envs.simulators import tasks

_ASSETS = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
_PHYSICS = int(mujoco.mjtState.mjSTATE_INTEGRATION)  # all that mj_step depends on, the solver's warm start included
FEW_SLICES = 4
_log = logging.getLogger(__name__)


def _log_warning(text: str) -> None:
    """Where MuJoCo's warnings go: left alone, it prints them and writes MUJOCO_LOG.TXT into the working directory.

    They are no news here: a policy without a trust region does diverge. MuJoCo takes a nan control for 0 and starts
    a diverged simulation again at its rest position; the episode goes on, in Gymnasium's environments as in ours.
    """
    _log.debug("MuJoCo: %s", text)


class MujocoLockStep:
    """The LockStep of one task. `generators` are PCG64, [L][N], and from now on the suite's own.

    Returned arrays are the caller's: never written to again here.
    """

    def __init__(self, task_id: str, generators: Generators, time_limit: int | None, marker: Marker) -> None:
        mujoco.set_mju_user_warning(_log_warning)
        self._marker = marker
        self._task = task = tasks.find(task_id)
        self._model = model = mujoco.MjModel.from_xml_path(str(_ASSETS / task.model_file))
        self._time_limit = time_limit or task.time_limit
        self._generators = [generator for lane in generators for generator in lane]
        self._lanes, self._actors = len(generators), len(generators[0])
        self._data = [mujoco.MjData(model) for _ in self._generators]
        # Looking these views up costs more than reading them; MuJoCo never moves what they point at.
        self._ctrl = [data.ctrl for data in self._data]
        self._watched = [view for data in self._data for view in task.watch(data)]
        self._clock = np.zeros(len(self._data), np.int64)  # steps since the episode began
        self._now = self._look()
        self._last = self._quiet_step(task.observe(self._now))
        low, high = model.actuator_ctrlrange.T
        obs = Space((self._last.obs.shape[-1],), np.dtype(np.float64))
        self.spec = Spec(obs, Actions(model.nu, False, low.copy(), high.copy()))
        self.failures: dict[int, Exception] = {}
        self.inexact: dict[int, str] = {}  # never: all that matters is saved
        self.set_active(np.ones((self._lanes, self._actors), np.bool_))

    def reset(self) -> Obs:
        """Start an episode everywhere; returns obs [L, N, obs]."""
        for index in range(len(self._data)):
            self._start(index)
        self._now = self._look()
        self._last = self._quiet_step(self._task.observe(self._now))
        return self._last.obs

    def step(self, action: Floats) -> Step:
        """Advance every active actor by one action [L, N, nu], sent unclipped."""
        task, before, grid = self._task, self._now, (self._lanes, self._actors)
        actions = np.asarray(action, np.float64).reshape(len(self._data), -1)
        self._advance(actions)
        self._now = now = self._look()
        terminated = task.terminated(now)
        reward = task.reward(before, now, actions, terminated)
        obs = final_obs = task.observe(now).reshape(*grid, -1)
        self._clock += self._ticks
        truncated = self._clock >= self._time_limit
        over = terminated | truncated
        if self._idle:
            over &= self._ticks
        if np.count_nonzero(over):
            for index in np.flatnonzero(over).tolist():
                self._start(index)
            self._now = self._look()
            obs = task.observe(self._now).reshape(*grid, -1)
        elif self._idle:
            obs = obs.copy()  # where an idle lane's last episode ended, it differs from final_obs
        step = Step(obs, reward.reshape(grid), terminated.reshape(grid), truncated.reshape(grid), final_obs)
        for rows in self._idle:
            for new, old in zip(step.arrays.values(), self._last.arrays.values(), strict=True):
                _flat(new)[rows] = _flat(old)[rows]
        self._last = step
        return step

    def set_active(self, actors: Bools) -> None:
        """Step only these actors [L, N] from now on. A lane that has failed stays out."""
        active = np.array(actors, np.bool_)
        active[list(self.failures)] = False
        self._ticks = active.ravel()  # [L * N] what a step adds to each clock
        edges = np.flatnonzero(np.diff(~self._ticks, prepend=False, append=False)).reshape(-1, 2)
        # As slices: they are several times faster to copy than a mask, and a pack's spare lanes are one slice.
        slices: list[slice | Bools] = [slice(start, stop) for start, stop in edges.tolist()]
        self._idle = slices if len(slices) <= FEW_SLICES else [~self._ticks]
        self._running = [
            (lane, [(i, self._data[i], self._ctrl[i]) for i in self._of(lane) if self._ticks[i]])
            for lane in np.flatnonzero(active.any(1)).tolist()
        ]

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that the next steps depend on; torch.load(weights_only=True) can read it."""
        actors = self._of(lane)
        physics = np.empty((self._actors, mujoco.mj_stateSize(self._model, _PHYSICS)))
        for row, index in zip(physics, actors, strict=True):
            mujoco.mj_getState(self._model, self._data[index], row, _PHYSICS)
        return {
            "physics": torch.from_numpy(physics),
            "clock": [int(self._clock[index]) for index in actors],
            "generators": [self._generators[index].bit_generator.state for index in actors],
            "last": {name: torch.from_numpy(rows[lane].copy()) for name, rows in self._last.arrays.items()},
        }

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to where `get_state` was called."""
        for actor, index in enumerate(self._of(lane)):
            mujoco.mj_setState(self._model, self._data[index], state["physics"][actor].numpy(), _PHYSICS)
            self._clock[index] = state["clock"][actor]
            self._generators[index].bit_generator.state = state["generators"][actor]
        # What MuJoCo derives from the state (xpos, qfrc_constraint) stays old until the next step. Nobody looks at it
        # before: a reward compares coordinates only, and the last observation is restored as it was.
        self._now = self._look()
        self._last = self._last.copy()
        for name, rows in self._last.arrays.items():
            rows[lane] = state["last"][name].numpy()

    def close(self, lane: int) -> None:
        """There is nothing to let go of."""

    def _of(self, lane: int) -> range:
        """Positions of a lane's actors in the flat lists."""
        return range(lane * self._actors, (lane + 1) * self._actors)

    def _look(self) -> Floats:
        """The watched numbers of every simulator, [L * N, watched]; a new array."""
        return np.concatenate(self._watched).reshape(len(self._data), -1)

    def _quiet_step(self, obs: Floats) -> Step:
        """A step in which nothing happened yet: `obs` [L * N, obs] and nothing else."""
        grid = (self._lanes, self._actors)
        none = np.zeros(grid, np.bool_)
        return Step(obs.reshape(*grid, -1), np.zeros(grid), none, none, obs.reshape(*grid, -1))

    def _advance(self, actions: Floats) -> None:
        """Step the simulators of the active lanes by actions [L * N, nu]."""
        mj_step, model, frame_skip, marker = mujoco.mj_step, self._model, self._task.frame_skip, self._marker
        for lane, actors in self._running:
            marker[0] = lane + 1
            try:
                for index, data, ctrl in actors:
                    ctrl[:] = actions[index]
                    mj_step(model, data, frame_skip)
            except Exception as error:
                self._fail(lane, error)
        marker[0] = 0

    def _start(self, index: int) -> None:
        """Begin a new episode of one actor."""
        data = self._data[index]
        try:
            mujoco.mj_resetData(self._model, data)
            data.qpos[:], data.qvel[:] = self._task.reset(self._model, self._generators[index])
            mujoco.mj_forward(self._model, data)
            self._clock[index] = 0
        except Exception as error:
            self._fail(index // self._actors, error)

    def _fail(self, lane: int, error: Exception) -> None:
        """Take a lane out, and let the others go on."""
        _log.debug("lane %d has failed", lane, exc_info=error)
        self.failures[lane] = error
        self.set_active(self._ticks.reshape(self._lanes, self._actors))


def _flat(rows: np.ndarray) -> np.ndarray:
    """[L, N, ...] as [L * N, ...], the same memory."""
    return rows.reshape(-1, *rows.shape[2:])
