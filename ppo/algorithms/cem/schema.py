"""What the cross-entropy method has to choose; cem.yaml says what each key means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from ppo.algorithms.base import Acting, Algorithm, Batching, product, refuse_shared
from ppo.config import choices
from ppo.config.schema import PER_RUN, Count, Fraction, NonNegative, Positive, Scale
from ppo.data import PackSpec

if TYPE_CHECKING:
    from ppo.algorithms.cem.learner import CEMLearner
    from ppo.config.run import Config


@choices.algorithm("cem")
@dataclass(frozen=True)
class CEM(Algorithm):
    """The cross-entropy method."""

    whole_episodes: ClassVar[bool] = True
    weights_per_actor: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("objective", "skipped")
    log_std: ClassVar[float] = 0.0  # type: ignore[misc]  # its policies act without noise

    num_actors: Count
    elite_fraction: Annotated[Fraction, PER_RUN]
    initial_variance: Annotated[Positive, PER_RUN]
    extra_std: Annotated[NonNegative, PER_RUN]
    extra_until: Annotated[Fraction, PER_RUN]
    policy_scale: Scale
    normalize_obs: bool

    @property
    def batch(self) -> Batching:
        """A generation: at least one step of every sample's episode; no gradient steps."""
        steps, words = product(num_actors=self.num_actors)
        return Batching(steps, 0, words)

    @property
    def acting(self) -> Acting:
        """Noise is in the parameters, not in the actions."""
        return "mode"

    def check(self, run: Config) -> None:
        """There is no value function that could share anything."""
        refuse_shared(run, "has no value function")

    def without_effect(self, _run: Config) -> Mapping[str, str]:
        """Extra deviation that is none or ends at once, and which share of a single sample is the best."""
        found = {}
        if self.extra_std == 0:
            found["algorithm.extra_until"] = "extra_std is 0"
        elif self.extra_until == 0:
            found["algorithm.extra_std"] = "extra_until is 0"
        if self.num_actors == 1:
            found["algorithm.elite_fraction"] = "a generation of one sample is its own elite"
        return found

    def learner(self, pack: PackSpec) -> CEMLearner:
        """Its learning state."""
        from ppo.algorithms.cem.learner import CEMLearner

        return CEMLearner(pack)
