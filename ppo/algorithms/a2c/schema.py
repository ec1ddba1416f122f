"""What A2C has to choose, with or without the trust region of Wang et al. 2017; a2c.yaml says what each key means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ppo.algorithms.base import Algorithm, Batching, lam_without_effect, product
from ppo.config import choices
from ppo.config.schema import (
    GAUSSIAN,
    PER_RUN,
    PER_RUN_IF_SET,
    Added,
    Count,
    Fraction,
    LogStd,
    Loops,
    NonNegative,
    Positive,
    Scale,
)
from ppo.data import Mapped, PackSpec

if TYPE_CHECKING:
    from ppo.algorithms.a2c.learner import A2CLearner
    from ppo.config.run import Config


@choices.algorithm("a2c")
@dataclass(frozen=True)
class A2C(Algorithm):
    """Synchronous advantage actor critic."""

    maps: ClassVar[tuple[Mapped, ...]] = ("vmap", "loop")
    columns: ClassVar[tuple[str, ...]] = (
        "objective", "value_loss", "entropy", "kl", "clip_fraction", "grad_norm", "skipped", "lr", "explained_variance",
    )  # fmt: skip

    horizon: Count
    num_actors: Count
    updates: Loops
    time_limit: Literal["terminal", "bootstrap"]
    reward: Annotated[Literal["raw", "sign"], Added(neutral="raw")]
    gamma: Annotated[Fraction, PER_RUN]
    lam: Annotated[Fraction, PER_RUN]
    lr: Annotated[Scale, PER_RUN]
    lr_schedule: Annotated[Literal["constant", "linear"], PER_RUN]
    rms_decay: Annotated[Fraction, PER_RUN]
    rms_epsilon: Annotated[Positive, PER_RUN]
    c1: Annotated[NonNegative, PER_RUN]
    c2: Annotated[NonNegative, PER_RUN]
    max_grad_norm: Annotated[Positive | None, PER_RUN_IF_SET]
    trust_region: Annotated[Positive | None, PER_RUN]
    average_decay: Annotated[Fraction, PER_RUN]
    policy_scale: Scale
    log_std: Annotated[LogStd, GAUSSIAN]
    normalize_obs: bool

    @property
    def batch(self) -> Batching:
        """N * n steps of each of several updates; one RMSProp step each."""
        steps, words = product(num_actors=self.num_actors, horizon=self.horizon, updates=self.updates)
        return Batching(steps, self.updates, words)

    def without_effect(self, _run: Config) -> Mapping[str, str]:
        """The average policy matters to the trust region only."""
        found = lam_without_effect(self.gamma, self.horizon)
        if self.trust_region is None:
            found["algorithm.average_decay"] = "without a trust region the average policy is not used"
        return found

    def learner(self, pack: PackSpec) -> A2CLearner:
        """A2C's learning state."""
        from ppo.algorithms.a2c.learner import A2CLearner

        return A2CLearner(pack)
