"""Random policies: the zero of Table 1's normalised score (section 6.1), in both readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ppo.algorithms.base import Learner
from ppo.data import Columns, Length, Moment, Obs, PackSpec, Rollout, RolloutSpec
from ppo.networks.acting import Actor, UniformActor
from ppo.networks.looped import policy_actor


class RandomLearner(Learner):
    """Acts and never learns."""

    def __init__(self, pack: PackSpec) -> None:
        schema = pack.schemas[0]
        self.theta, self.rollout = pack.theta, RolloutSpec(Length(schema.horizon))
        uniform = schema.policy == "uniform"
        actions = pack.network.spec.action
        self.actor: Actor = UniformActor(actions) if uniform else policy_actor(pack)

    def estimate_advantages(self, rollout: Rollout, _see: Callable[[Obs], np.ndarray]) -> Rollout:
        """Nothing is estimated."""
        return rollout

    def update(self, _batch: Rollout, _moment: Moment) -> Columns:
        """Nothing is learned."""
        return {}

    def get_state(self, lane: int) -> dict[str, Any]:
        """The untrained parameters, so that they can be looked at."""
        return {"theta": self.theta[lane].cpu().clone()}

    def set_state(self, _lane: int, _state: dict[str, Any]) -> None:
        """The parameters follow from the seed."""
