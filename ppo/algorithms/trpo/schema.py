"""What TRPO has to choose: as in the authors' code of 2017; trpo.yaml says what each key means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ppo.algorithms.base import Algorithm, Batching, lam_without_effect, product, refuse_shared
from ppo.config import choices
from ppo.config.schema import GAUSSIAN, PER_RUN, Count, Fraction, LogStd, Loops, Positive, Scale
from ppo.data import PackSpec
from ppo.errors import invalid

if TYPE_CHECKING:
    from ppo.algorithms.trpo.learner import TRPOLearner
    from ppo.config.run import Config


@choices.algorithm("trpo")
@dataclass(frozen=True)
class TRPO(Algorithm):
    """Trust region policy optimization."""

    columns: ClassVar[tuple[str, ...]] = (
        "objective", "kl", "entropy", "grad_norm", "skipped", "value_loss", "explained_variance",
    )  # fmt: skip

    horizon: Count
    num_actors: Count
    time_limit: Literal["terminal", "bootstrap"]
    gamma: Annotated[Fraction, PER_RUN]
    lam: Annotated[Fraction, PER_RUN]
    max_kl: Annotated[Positive, PER_RUN]
    cg_iterations: Loops
    damping: Annotated[Positive, PER_RUN]
    fisher_stride: Count
    backtracks: Loops
    kl_slack: Annotated[Positive, PER_RUN]
    train_log_std: Annotated[bool, PER_RUN, GAUSSIAN]
    value_epochs: Loops
    value_minibatch_size: Count
    value_lr: Annotated[Scale, PER_RUN]
    policy_scale: Scale
    log_std: Annotated[LogStd, GAUSSIAN]
    normalize_obs: bool

    @property
    def batch(self) -> Batching:
        """N * T steps; Adam steps of the value function."""
        steps, words = product(num_actors=self.num_actors, horizon=self.horizon)
        return Batching(steps, steps // self.value_minibatch_size * self.value_epochs, words)

    def check(self, run: Config) -> None:
        """Minibatches divide the batch; policy and value function share nothing."""
        if self.batch.steps % self.value_minibatch_size:
            given = self.value_minibatch_size
            raise invalid("algorithm.value_minibatch_size", given, f"a divisor of {self.batch.words}")
        refuse_shared(run, "trains policy and value function by different rules")

    def without_effect(self, _run: Config) -> Mapping[str, str]:
        """lambda, where there is nothing to weigh."""
        return lam_without_effect(self.gamma, self.horizon)

    def learner(self, pack: PackSpec) -> TRPOLearner:
        """TRPO's learning state."""
        from ppo.algorithms.trpo.learner import TRPOLearner

        return TRPOLearner(pack)
