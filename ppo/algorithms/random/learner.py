"""Random policies: the zero of Table 1's normalised score (section 6.1), in both readings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ppo.collect import Actor, Length, PolicyActor, Rollout, UniformActor
from ppo.config.algorithms import Random
from ppo.config.run import Config
from ppo.envs.base import Floats
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from ppo.streams import Streams


class RandomLearner:
    """Acts and never learns."""

    keep_final = False
    interpolation = None
    updates = 1

    def __init__(
        self, configs: Sequence[Config], network: FlatNetwork, theta: Tensor, _streams: Sequence[Streams]
    ) -> None:
        (settings, *_) = [c.algorithm for c in configs if isinstance(c.algorithm, Random)]
        self.theta, self.length = theta, Length(settings.horizon)
        uniform = settings.policy == "uniform"
        self.actor: Actor = UniformActor(network.spec) if uniform else PolicyActor(network, theta)

    def estimate_advantages(self, rollout: Rollout, _obs_filter: ObsFilter) -> Rollout:
        """Nothing is estimated."""
        return rollout

    def update(self, _batch: Rollout, _obs_filter: ObsFilter, _progress: Floats) -> dict[str, Floats]:
        """Nothing is learned; the filter too stays as it was before the first update."""
        return {}

    def get_state(self, lane: int) -> dict[str, Any]:
        """The untrained parameters, so that they can be looked at."""
        return {"theta": self.theta[lane].cpu().clone()}

    def set_state(self, _lane: int, _state: dict[str, Any]) -> None:
        """The parameters follow from the seed."""
