"""Numbers that no training can go on with, found where they come in: in a rollout, with their step and place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ppo.data import Bools, Filtering, Obs, Rollout

# The largest observations whose squares can be added up: the filter does so in float64 over all of a training;
# without it they go to the networks as float32, and their gradients are squared.
LARGEST: dict[Filtering, float] = {"running": 1e150, "initial": 1e150, "off": 1e19}


class Fault(NamedTuple):
    """A number that training cannot go on with."""

    steps: int  # of the rollout that its run had taken by then
    place: str  # what has it, with {step} for the step of the run
    value: float
    most: float = np.inf

    def error(self, before: int) -> FloatingPointError:
        """The reason of the run's failure, after `before` steps in earlier rollouts."""
        where = self.place.format(step=before + self.steps)
        if not np.isfinite(self.value):
            return FloatingPointError(f"{where} is not finite: {self.value}")
        return FloatingPointError(f"{where} is too large to be squared: {self.value:.3g}, beyond {self.most:.0e}")


def find(rollout: Rollout, most: float) -> dict[int, Fault]:
    """The first fault of each lane that has one; observations may be as large as `most`."""
    fine = usable(rollout.reward, np.inf)
    floating = np.issubdtype(rollout.obs.dtype, np.floating)
    if floating:
        fine = fine and usable(rollout.obs, most)
    if fine:
        return {}
    found: dict[int, Fault] = {}
    for lane in range(len(rollout.reward)):
        obs = _fault_of_obs(rollout, lane, most) if floating else None
        reward = _fault_of_reward(rollout, lane)
        faults = [fault for fault in (reward, obs) if fault is not None]
        if faults:
            found[lane] = min(faults, key=lambda fault: fault.steps)
    return found


def find_last(final_obs: Obs, over: Bools, taken: np.ndarray, most: float) -> dict[int, Fault]:
    """The same of the last observations [L, N, *obs] of the episodes that are over [L, N], after steps taken [L]."""
    if not np.issubdtype(final_obs.dtype, np.floating) or usable(final_obs[over], most):
        return {}
    place, lanes = "the last observation of the episode that ended at step {step}", np.flatnonzero(over.any(1)).tolist()
    worst = {lane: final_obs[lane][over[lane]] for lane in lanes}
    return {
        lane: Fault(int(taken[lane]), place, _worst(obs), most) for lane, obs in worst.items() if not usable(obs, most)
    }


def first(some: Mapping[int, Fault], others: Mapping[int, Fault]) -> dict[int, Fault]:
    """The first fault of each lane."""
    return {
        lane: min((found[lane] for found in (some, others) if lane in found), key=lambda fault: fault.steps)
        for lane in {**some, **others}
    }


def usable(values: np.ndarray, most: float) -> bool:
    """Whether all are finite and none is beyond `most`."""
    if not values.size:
        return True
    largest, least = float(values.max()), float(values.min())  # either is NaN if any is
    return bool(largest <= most and least >= -most and np.isfinite(largest) and np.isfinite(least))


def _worst(values: np.ndarray) -> float:
    """One that is not finite, else the largest."""
    flat = values.ravel()
    bad = flat[~np.isfinite(flat)]
    return float(bad[0] if len(bad) else flat[np.abs(flat).argmax()])


def _fault_of_reward(rollout: Rollout, lane: int) -> Fault | None:
    bad = ~np.isfinite(rollout.reward[lane]).all(-1)  # [T]
    if not bad.any():
        return None
    t = int(bad.argmax())
    return Fault(_taken(rollout, lane, t + 1), "the reward of step {step}", _worst(rollout.reward[lane, t]))


def _fault_of_obs(rollout: Rollout, lane: int, most: float) -> Fault | None:
    values = rollout.obs[lane]  # [T + 1, N, *obs]
    one = tuple(range(2, values.ndim))
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(values) <= min(most, np.finfo(values.dtype).max)).all(axis=one)  # [T + 1, N]
    if not bad.any():
        return None
    t = int(bad.any(1).argmax())
    actor = int(bad[t].argmax())
    if t == 0:
        return Fault(0, "the observation that training starts from at step {step}", _worst(values[t, actor]), most)
    fresh = rollout.terminated[lane, t - 1, actor] or rollout.truncated[lane, t - 1, actor]
    place = "the first observation of the episode after step {step}" if fresh else "the observation of step {step}"
    return Fault(_taken(rollout, lane, t), place, _worst(values[t, actor]), most)


def _taken(rollout: Rollout, lane: int, steps: int) -> int:
    """Environment steps of a lane in the first steps of a rollout."""
    if rollout.stepped is None:
        return steps * rollout.reward.shape[2]
    return int(rollout.stepped[lane, :steps].sum())
