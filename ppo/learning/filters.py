"""Running normalisation of observations as in the authors' code, and of rewards as in ppo2."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ppo.data import Bools, Filtering, Floats, Obs, Rollout, Space
from ppo.errors import invalid

PSEUDO_COUNT = 1e-2
MIN_VARIANCE = 1e-2  # so the deviation is at least 0.1
OBS_CLIP = 5.0


class ObsFilter:
    """(obs - mean) / deviation clipped to +-5, one filter per lane; the identity (but for the clip) before any data.

    `running` is updated by every rollout, `initial` by none; `off` passes observations on as they are.
    """

    def __init__(self, lanes: int, space: Space, filtering: Filtering) -> None:
        if not np.issubdtype(space.dtype, np.floating):
            if filtering == "running":
                raise invalid("algorithm.normalize_obs", True, f"false for observations of type {space.dtype}")
            filtering = "off"
        self.filtering = filtering
        size = space.size if filtering == "running" else 1
        self.count = np.full((lanes, 1), PSEUDO_COUNT)
        self.sum = np.zeros((lanes, size))
        self.sum_square = np.full((lanes, size), PSEUDO_COUNT)
        self._refresh()

    def update(self, rollout: Rollout) -> None:
        """Take in a rollout's raw observations; those of actors at rest are 0 and do not count."""
        if self.filtering != "running":
            return
        obs, weight = rollout.flat_obs, rollout.weight  # [L, B, obs]
        self.count += obs.shape[1] if weight is None else weight.sum(1, keepdims=True)
        self.sum += obs.sum(1)
        self.sum_square += np.square(obs).sum(1)
        self._refresh()

    def __call__(self, obs: Obs) -> np.ndarray:
        """obs [L, B, *obs] as the networks see it: float32, but bytes as they are where nothing is filtered."""
        if self.filtering == "off":
            return obs if obs.dtype == np.uint8 else obs.astype(np.float32)
        scaled = (obs - self.mean) * self.inverse_deviation
        return np.clip(scaled, -OBS_CLIP, OBS_CLIP, out=scaled).astype(np.float32)

    def scaling(self, lane: int) -> tuple[np.ndarray, np.ndarray] | None:
        """What one lane's observations are scaled by: mean and inverse deviation [obs], or [1] where none was seen."""
        return None if self.filtering == "off" else (self.mean[lane, 0].copy(), self.inverse_deviation[lane, 0].copy())

    def _refresh(self) -> None:
        mean = self.sum / self.count
        variance = np.maximum(self.sum_square / self.count - np.square(mean), MIN_VARIANCE)
        self.mean, self.inverse_deviation = mean[:, None], 1 / np.sqrt(variance)[:, None]

    def get_state(self, lane: int) -> dict[str, Any]:
        """One lane's sums."""
        return {k: torch.from_numpy(getattr(self, k)[lane].copy()) for k in ("count", "sum", "sum_square")}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, value in state.items():
            getattr(self, key)[lane] = value.numpy()
        self._refresh()


class RewardFilter:
    """Not in the paper: rewards over the running deviation of the discounted return, clipped to +-10 (ppo2)."""

    def __init__(self, lanes: int, num_actors: int) -> None:
        self.running = np.zeros((lanes, num_actors))  # discounted return so far
        self.count = np.full(lanes, 1e-4)
        self.mean, self.square = np.zeros(lanes), np.full(lanes, 1e-4)  # square: summed squared deviations

    def __call__(self, reward: Floats, cut: Bools, gamma: Floats) -> Floats:
        """reward [L, T, N] normalised step by step, each with what was known by then; cut: an episode ended."""
        scaled = np.empty_like(reward)
        for t in range(reward.shape[1]):
            self.running = self.running * gamma[:, None] + reward[:, t]
            self._take(self.running)
            deviation = np.sqrt(self.square / self.count + 1e-8)
            scaled[:, t] = np.clip(reward[:, t] / deviation[:, None], -10, 10)
            self.running[cut[:, t]] = 0
        return scaled

    def _take(self, x: Floats) -> None:
        """Chan's parallel update of mean and summed squared deviations by x [L, N]."""
        n = x.shape[1]
        total, delta = self.count + n, x.mean(1) - self.mean
        self.square += x.var(1) * n + np.square(delta) * self.count * n / total
        self.mean += delta * n / total
        self.count = total

    def get_state(self, lane: int) -> dict[str, Any]:
        """One lane's statistics."""
        keys = ("running", "count", "mean", "square")
        return {k: torch.from_numpy(np.array(getattr(self, k)[lane])) for k in keys}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, value in state.items():
            getattr(self, key)[lane] = value.numpy()
