"""What the trainer asks of an algorithm: a schema, which is torch-free, and the learner that it makes for a pack."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np

from ppo.data import Columns, Filtering, Mapped, Moment, Obs, PackSpec, Rollout, RolloutSpec, Table
from ppo.errors import invalid

if TYPE_CHECKING:
    from torch import Tensor

    from ppo.config.run import Config
    from ppo.networks.acting import Actor


Acting = Literal["sample", "mode", "uniform"]  # drawn from the policy; its likeliest action; any, whatever is observed


class Batching(NamedTuple):
    """The size of an iteration."""

    steps: int  # environment steps; the least, of an algorithm that collects whole episodes
    gradient_steps: int
    words: str  # how the number of steps comes about: num_actors * horizon = 1 * 2048 = 2048


def product(**factors: int) -> tuple[int, str]:
    """A product of keys, and how it comes about in words."""
    total = math.prod(factors.values())
    if len(factors) == 1:
        return total, f"{next(iter(factors))} = {total}"
    return total, f"{' * '.join(factors)} = {' * '.join(map(str, factors.values()))} = {total}"


def lam_without_effect(gamma: float, horizon: int | None = None) -> dict[str, str]:
    """`lam`, where nothing is left for it to weigh; `horizon`: steps of a segment, if that has a fixed length."""
    if gamma == 0:
        return {"algorithm.lam": "gamma is 0"}
    return {"algorithm.lam": "with horizon 1 there is one step to look ahead"} if horizon == 1 else {}


def refuse_shared(run: Config, reason: str) -> None:
    """UserError where policy and value function share a body; `reason`: why this algorithm's cannot."""
    if run.network.shared:
        raise invalid("network.shared", True, f"false with {run.algorithm.name}, which {reason}")


class Algorithm(Protocol):
    """The schema of `conf/algorithm/<name>.yaml`: a frozen dataclass, registered by `@choices.algorithm(name)`."""

    name: ClassVar[str]
    takes_surrogate: ClassVar[bool] = False
    maps: ClassVar[tuple[Mapped, ...]] = ("vmap",)  # bodies that it can train, by how they are mapped over a pack
    whole_episodes: ClassVar[bool] = False  # iterations end with episodes, so that their length is not known before
    columns: ClassVar[tuple[str, ...]] = ()  # of updates.csv, beyond the common ones
    weights_per_actor: ClassVar[bool] = False  # whether each actor has weights of its own
    summed: ClassVar[tuple[str, ...]] = ("skipped",)  # columns added up over the updates of an iteration, not averaged
    num_actors: int  # N: parallel actors of one run
    policy_scale: float  # norm of the initial weights of each output of the policy
    log_std: float  # initial log standard deviation of a Gaussian policy

    @property
    def batch(self) -> Batching:
        """The size of an iteration."""
        ...

    @property
    def acting(self) -> Acting:
        """How its policies act, in training and after it."""
        return "sample"

    @property
    def filtering(self) -> Filtering:
        """What becomes of observations before the networks see them: as a key `normalize_obs` says, if there is one."""
        return "running" if getattr(self, "normalize_obs", False) else "off"

    def stuck(self, row: Mapping[str, float]) -> bool:
        """Whether no gradient of an iteration was finite, as its row of updates.csv says: nothing more is learned."""
        steps = self.batch.gradient_steps
        return 0 < steps <= row.get("skipped", 0) or not math.isfinite(row.get("grad_norm", 0.0))

    def check(self, run: Config, /) -> None:
        """UserError where keys do not go together."""

    def without_effect(self, run: Config, /) -> Mapping[str, str]:
        """Dotted keys that change nothing in this run, and why: choosing one of them explicitly is an error."""
        del run
        return {}

    def learner(self, pack: PackSpec, /) -> Learner:
        """The learning state of a pack. Imports torch."""
        ...


class Learner(Protocol):
    """The learning state of a pack, one row per lane, and the verbs that follow collecting (Algorithm 1, line 4 on)."""

    actor: Actor  # acts with the newest parameters
    rollout: RolloutSpec  # what to collect

    def estimate_advantages(self, rollout: Rollout, see: Callable[[Obs], np.ndarray], /) -> Any:
        """What `update` learns from; `see` is the filter as it was while collecting."""
        ...

    def update(self, batch: Any, moment: Moment, /) -> Columns:
        """Learn from a batch. Returns the algorithm's columns of `updates.csv`, each [L]."""
        ...

    def learned(self, lane: int, /) -> Tensor:
        """What one run has learned so far, theta [n]; a row of the attribute `theta`, of most algorithms."""
        theta: Tensor = self.theta[lane]  # type: ignore[attr-defined]
        return theta

    def artefacts(self, lane: int, /) -> Mapping[str, Table]:
        """Tables to keep of the update just done, by name; none, of most algorithms."""
        del lane
        return {}

    def get_state(self, lane: int, /) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        ...

    def set_state(self, lane: int, state: dict[str, Any], /) -> None:
        """Put one lane back to a state of `get_state`."""
        ...
