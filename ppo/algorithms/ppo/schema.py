"""What PPO has to choose: Algorithm 1 with the hyperparameters of Tables 3 to 5; ppo.yaml says what each key means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ppo.algorithms.base import Algorithm, Batching, lam_without_effect, product
from ppo.config import choices
from ppo.config.schema import (
    CLIP_RANGE,
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
    marked,
)
from ppo.data import Mapped, PackSpec
from ppo.errors import invalid

if TYPE_CHECKING:
    from ppo.algorithms.ppo.learner import PPOLearner
    from ppo.config.run import Config

Record = Literal["interpolation"]


@choices.algorithm("ppo")
@dataclass(frozen=True)
class PPO(Algorithm):
    """Proximal policy optimization."""

    takes_surrogate: ClassVar[bool] = True
    maps: ClassVar[tuple[Mapped, ...]] = ("vmap", "loop")
    columns: ClassVar[tuple[str, ...]] = (
        "objective", "value_loss", "entropy", "kl", "clip_fraction", "explained_variance", "grad_norm", "skipped",
        "beta", "epsilon", "lr",
    )  # fmt: skip

    horizon: Count
    num_actors: Count
    time_limit: Literal["terminal", "bootstrap"]
    gamma: Annotated[Fraction, PER_RUN]
    lam: Annotated[Fraction, PER_RUN]
    normalize_adv: Literal["batch", "actor", "minibatch", "none"]
    reward: Annotated[Literal["raw", "sign"], Added(neutral="raw")]
    normalize_reward: bool
    epochs: Loops
    minibatch_size: Count
    lr: Annotated[Scale, PER_RUN]
    lr_schedule: Annotated[Literal["constant", "linear", "kl"], PER_RUN]
    lr_kl_target: Annotated[Positive | None, PER_RUN]
    epsilon_schedule: Annotated[Literal["constant", "linear"], PER_RUN]
    adam_epsilon: Annotated[Positive, PER_RUN]
    c1: Annotated[NonNegative, PER_RUN]
    c2: Annotated[NonNegative, PER_RUN]
    max_grad_norm: Annotated[Positive | None, PER_RUN_IF_SET]
    value_clip: Annotated[Positive | None, PER_RUN_IF_SET]
    policy_scale: Scale
    log_std: Annotated[LogStd, GAUSSIAN]
    log_std_final: Annotated[LogStd | None, GAUSSIAN]
    normalize_obs: bool
    record: Annotated[tuple[Record, ...], PER_RUN, Added(neutral=())]

    @property
    def batch(self) -> Batching:
        """N * T steps; Adam steps of K epochs."""
        steps, words = product(num_actors=self.num_actors, horizon=self.horizon)
        return Batching(steps, steps // self.minibatch_size * self.epochs, words)

    def check(self, _run: Config) -> None:
        """Minibatches divide the batch; a KL target belongs to its schedule."""
        if self.batch.steps % self.minibatch_size:
            raise invalid("algorithm.minibatch_size", self.minibatch_size, f"a divisor of {self.batch.words}")
        if self.minibatch_size < 2 and self.normalize_adv == "minibatch":
            reason = "at least 2 with normalize_adv=minibatch, since one sample cannot be standardized"
            raise invalid("algorithm.minibatch_size", self.minibatch_size, reason)
        if self.lr_schedule == "kl" and self.lr_kl_target is None:
            raise invalid("algorithm.lr_kl_target", None, "a number above 0 with lr_schedule=kl")
        if self.lr_schedule != "kl" and self.lr_kl_target is not None:
            expected = f"null with lr_schedule={self.lr_schedule}; only lr_schedule=kl has a target"
            raise invalid("algorithm.lr_kl_target", self.lr_kl_target, expected)
        if len(set(self.record)) < len(self.record):
            raise invalid("algorithm.record", self.record, "each name once")

    def without_effect(self, run: Config) -> Mapping[str, str]:
        """The schedule of a clipping range that is not there, and weights and bounds of what is not trained."""
        found = lam_without_effect(self.gamma, self.horizon)
        if run.surrogate is not None and not marked(type(run.surrogate), CLIP_RANGE):
            found["algorithm.epsilon_schedule"] = f"surrogate {run.surrogate.name} has no clipping range"
        if self.log_std_final is not None and not run.env.discrete():
            reason = "log_std, on which alone the entropy of a Gaussian policy depends, is annealed and not trained"
            found["algorithm.c2"] = reason
        if self.c1 == 0:
            found["algorithm.value_clip"] = "with c1=0 the value function is not trained"
        return found

    def learner(self, pack: PackSpec) -> PPOLearner:
        """PPO's learning state."""
        from ppo.algorithms.ppo.learner import PPOLearner

        return PPOLearner(pack)
