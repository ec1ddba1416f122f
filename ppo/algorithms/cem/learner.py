"""The cross-entropy method (Figure 3): parameters drawn from a normal distribution, which moves to the best of them.

All of it is NumPy: nothing is differentiated, and the networks are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ppo.algorithms.base import Learner
from ppo.algorithms.cem.schema import CEM
from ppo.data import Columns, Floats, Length, Moment, Obs, PackSpec, Rollout, RolloutSpec
from ppo.networks.acting import SampleActor


class CEMLearner(Learner):
    """The distribution of each lane's parameters, and the sample of it that plays now."""

    def __init__(self, pack: PackSpec) -> None:
        self.schemas: list[CEM] = pack.schemas
        lanes = len(pack.configs)
        self.total_steps = np.array([c.total_steps for c in pack.configs])
        self.samples = self.schemas[0].num_actors
        self.rollout = RolloutSpec(Length(pack.episode_limit, episodes_after=0))  # an iteration is a generation
        self.generators = [s.order for s in pack.streams]
        self.drawn = pack.network.part("policy_").numpy()  # which parameters: value function and log-std have no part
        self.mean: Floats = pack.theta.cpu().double().numpy()
        self.variance = np.where(self.drawn, pack.per_run("initial_variance")[:, None], 0.0)
        self.theta = np.repeat(self.mean[:, None], self.samples, 1)  # [L, N, n]
        self.actor = SampleActor(pack.network, self.theta)
        self._draw(range(lanes), np.zeros(lanes))

    def estimate_advantages(self, rollout: Rollout, _see: Callable[[Obs], np.ndarray]) -> Rollout:
        """Nothing is estimated: what counts is each sample's undiscounted return."""
        return rollout

    def update(self, rollout: Rollout, moment: Moment) -> Columns:
        """Move each lane's distribution to its elite and draw the next generation."""
        lanes = len(rollout.obs)
        returns, played = rollout.reward.sum(1), np.flatnonzero(rollout.taken)
        best = np.zeros(lanes)
        for lane in played:
            elite = elite_of(returns[lane], self.schemas[lane].elite_fraction)
            best[lane] = returns[lane, elite].mean()
            self.mean[lane] = self.theta[lane, elite].mean(0)
            self.variance[lane] = self.theta[lane, elite].var(0)
        self._draw(played, moment.progress + rollout.taken / self.total_steps)
        return {"objective": best, "skipped": np.zeros(lanes)}

    def _draw(self, lanes: Sequence[int] | np.ndarray, progress: Floats) -> None:
        """Draw the next generation of some lanes, which begins at progress [L]."""
        for lane in lanes:
            s = self.schemas[lane]
            left = max(1 - progress[lane] / s.extra_until, 0.0) if s.extra_until else 0.0
            deviation = np.sqrt(self.variance[lane] + np.where(self.drawn, s.extra_std**2 * left, 0.0))
            noise = self.generators[lane].standard_normal(self.theta.shape[1:])
            self.theta[lane] = self.mean[lane] + deviation * noise
        self.actor.refresh(self.theta)

    def learned(self, lane: int) -> torch.Tensor:
        """The mean of the distribution: what its elite has come to, float32 [n]."""
        return torch.from_numpy(self.mean[lane].astype(np.float32))

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        return {k: torch.from_numpy(getattr(self, k)[lane].copy()) for k in ("mean", "variance", "theta")}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, value in state.items():
            getattr(self, key)[lane] = value.numpy()
        self.actor.refresh(self.theta)


def elite_of(returns: Floats, fraction: float) -> np.ndarray:
    """Which samples are the best `fraction` of them [N], one at least; of equals the earlier."""
    count = max(round(len(returns) * fraction), 1)
    return np.argsort(-returns, kind="stable")[:count]
