"""What random policies have to choose; random.yaml says what each key means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ppo.algorithms.base import Acting, Algorithm, Batching, product
from ppo.config import choices
from ppo.config.schema import GAUSSIAN, Count, LogStd, Scale
from ppo.data import Filtering, Mapped, PackSpec

if TYPE_CHECKING:
    from ppo.algorithms.random.learner import RandomLearner
    from ppo.config.run import Config


@choices.algorithm("random")
@dataclass(frozen=True)
class Random(Algorithm):
    """A policy that never learns."""

    maps: ClassVar[tuple[Mapped, ...]] = ("vmap", "loop")

    policy: Literal["untrained", "uniform"]
    horizon: Count
    num_actors: Count
    policy_scale: Scale
    log_std: Annotated[LogStd, GAUSSIAN]

    @property
    def batch(self) -> Batching:
        """N * T steps; no gradient steps."""
        steps, words = product(num_actors=self.num_actors, horizon=self.horizon)
        return Batching(steps, 0, words)

    @property
    def acting(self) -> Acting:
        """As asked for."""
        return "uniform" if self.policy == "uniform" else "sample"

    @property
    def filtering(self) -> Filtering:
        """As it is before the first update of a policy that learns."""
        return "initial"

    def without_effect(self, _run: Config) -> Mapping[str, str]:
        """Uniform actions come from no network, and there is no value function that could share anything."""
        if self.policy == "untrained":
            return {"network.shared": "random policies have no value function"}
        keys = ("network", "algorithm.policy_scale", "algorithm.log_std")
        return dict.fromkeys(keys, "uniform actions come from no network")

    def learner(self, pack: PackSpec) -> RandomLearner:
        """Its parameters."""
        from ppo.algorithms.random.learner import RandomLearner

        return RandomLearner(pack)
