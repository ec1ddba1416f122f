"""The cross-entropy method (Figure 3): parameters drawn from a normal distribution, which moves to the best of them.

All of it is NumPy: nothing is differentiated, and the networks are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppo.collect import ACTIVATIONS, Length, Rollout
from ppo.config.algorithms import CEM
from ppo.config.run import Config
from ppo.envs import episode_limit
from ppo.envs.base import Floats
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from ppo.streams import Streams


class SampleActor:
    """Acts by the mode of every actor's own policy, theta [L, N, n]."""

    def __init__(self, network: FlatNetwork, theta: Floats) -> None:
        self.network = network
        self.activate = ACTIVATIONS[network.network.activation]
        self.refresh(theta)

    def refresh(self, theta: Floats) -> None:
        """Act with these parameters from now on."""
        weights = self.network.unflatten(torch.from_numpy(theta.astype(np.float32)))
        names = [*(f"policy_trunk.layers.{i}" for i in range(len(self.network.network.hidden))), "policy_head"]
        self.layers = [(weights[f"{n}.weight"].numpy(), weights[f"{n}.bias"].numpy()) for n in names]

    def noise(self, _generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """None is needed."""
        return np.zeros((*shape, 0), np.float32)

    def push(self, noise: np.ndarray) -> np.ndarray:
        return noise

    def __call__(self, obs: np.ndarray, _push: np.ndarray, /) -> np.ndarray:
        x = obs
        for number, (weight, bias) in enumerate(self.layers):
            if number:
                self.activate(x, out=x)
            x = np.einsum("lni,lnio->lno", x, weight) + bias  # in order of i, however many there are of l and n (law 1)
        return self.network.distribution.mode(x)


class CEMLearner:
    """The distribution of each lane's parameters, and the sample of it that plays now."""

    updates = 1  # per iteration: a generation
    interpolation = None
    keep_final = False

    def __init__(
        self, configs: Sequence[Config], network: FlatNetwork, theta: Tensor, streams: Sequence[Streams]
    ) -> None:
        env = configs[0].env
        self.settings = [c.algorithm for c in configs if isinstance(c.algorithm, CEM)]
        self.total_steps = np.array([c.total_steps for c in configs])
        self.samples = self.settings[0].num_actors
        self.length = Length(episode_limit(env.suite, env.id, env.time_limit), episodes_after=0)
        self.generators = [s.order for s in streams]
        self.drawn = network.part("policy_").numpy()  # which parameters: the value function and log-std have no part
        self.mean: Floats = theta.double().numpy()
        self.variance = np.where(self.drawn, np.array([[s.initial_variance] for s in self.settings]), 0.0)
        self.theta = np.repeat(self.mean[:, None], self.samples, 1)  # [L, N, n]
        self.actor = SampleActor(network, self.theta)
        self._draw(range(len(configs)), np.zeros(len(configs)))

    def estimate_advantages(self, rollout: Rollout, _obs_filter: ObsFilter) -> Rollout:
        """Nothing is estimated: what counts is each sample's undiscounted return."""
        return rollout

    def update(self, rollout: Rollout, obs_filter: ObsFilter, progress: Floats) -> dict[str, Floats]:
        """Move each lane's distribution to its elite and draw the next generation; returns what to record, each [L]."""
        assert rollout.stepped is not None
        lanes = len(rollout.obs)
        weight = rollout.stepped.reshape(lanes, -1).astype(np.float64)
        obs_filter.update(rollout.obs[:, :-1].reshape(lanes, -1, rollout.obs.shape[-1]), weight)
        returns, played = rollout.reward.sum(1), np.flatnonzero(rollout.taken)
        best = np.zeros(lanes)
        for lane in played:
            elite = elite_of(returns[lane], self.settings[lane].elite_fraction)
            best[lane] = returns[lane, elite].mean()
            self.mean[lane] = self.theta[lane, elite].mean(0)
            self.variance[lane] = self.theta[lane, elite].var(0)
        self._draw(played, progress + rollout.taken / self.total_steps)
        return {"objective": best, "skipped": np.zeros(lanes)}

    def _draw(self, lanes: Sequence[int] | np.ndarray, progress: Floats) -> None:
        """Draw the next generation of some lanes, which begins at progress [L]."""
        for lane in lanes:
            s = self.settings[lane]
            left = max(1 - progress[lane] / s.extra_until, 0.0) if s.extra_until else 0.0
            deviation = np.sqrt(self.variance[lane] + np.where(self.drawn, s.extra_std**2 * left, 0.0))
            noise = self.generators[lane].standard_normal(self.theta.shape[1:])
            self.theta[lane] = self.mean[lane] + deviation * noise
        self.actor.refresh(self.theta)

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
