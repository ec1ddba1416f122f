"""What vanilla policy gradient has to choose (footnote 3); vpg.yaml says what each key means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ppo.algorithms.base import Algorithm, Batching, lam_without_effect, product, refuse_shared
from ppo.config import choices
from ppo.config.schema import GAUSSIAN, PER_RUN, Count, Fraction, LogStd, Loops, Positive, Scale
from ppo.data import PackSpec

if TYPE_CHECKING:
    from ppo.algorithms.vpg.learner import VPGLearner
    from ppo.config.run import Config


@choices.algorithm("vpg")
@dataclass(frozen=True)
class VPG(Algorithm):
    """Vanilla policy gradient with an adaptive stepsize."""

    whole_episodes: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = (
        "objective", "grad_norm", "kl", "entropy", "lr", "skipped", "value_loss", "explained_variance",
    )  # fmt: skip

    batch_steps: Count
    num_actors: Count
    time_limit: Literal["terminal", "bootstrap"]
    gamma: Annotated[Fraction, PER_RUN]
    lam: Annotated[Fraction, PER_RUN]
    lr: Annotated[Scale, PER_RUN]
    kl_target: Annotated[Positive, PER_RUN]
    value_epochs: Loops
    value_minibatch_size: Count
    value_lr: Annotated[Scale, PER_RUN]
    policy_scale: Scale
    log_std: Annotated[LogStd, GAUSSIAN]
    normalize_obs: bool

    @property
    def batch(self) -> Batching:
        """At least `batch_steps`, since whole episodes are collected; Adam steps of the value function, at least."""
        steps, words = product(batch_steps=self.batch_steps)
        return Batching(steps, max(steps // self.value_minibatch_size, 1) * self.value_epochs, words)

    def check(self, run: Config) -> None:
        """Policy and value function share nothing."""
        refuse_shared(run, "trains policy and value function by different rules")

    def without_effect(self, _run: Config) -> Mapping[str, str]:
        """lambda, where there is nothing to weigh."""
        return lam_without_effect(self.gamma)

    def learner(self, pack: PackSpec) -> VPGLearner:
        """Its learning state."""
        from ppo.algorithms.vpg.learner import VPGLearner

        return VPGLearner(pack)
