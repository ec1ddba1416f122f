"""What passes between the stages of a training, with its shapes: L lanes (runs of a pack), T steps, N actors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from ppo.config.run import Config
    from ppo.learning.faults import Fault
    from ppo.networks.flat import FlatNetwork
    from ppo.streams import Streams

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Obs = NDArray[Any]  # [..., *space.shape] in the space's dtype: float64 vectors, uint8 frames
Columns = dict[str, Floats]  # columns of updates.csv, each [L]
Mapped = Literal["vmap", "loop"]  # how a function of one run becomes one of a pack: vectorised, or lane by lane
Kind = Literal["vectors", "frames"]  # of observations: numbers [size], or images [height, width, channels]
Filtering = Literal["running", "initial", "off"]  # updated by every rollout; as it was before any; not applied


class Space(NamedTuple):
    """What an observation is: float64 vectors for physics, uint8 frames for pixels."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Numbers in one observation."""
        return math.prod(self.shape)


class Episode(NamedTuple):
    """A completed training episode."""

    step: int  # environment steps of the run when it ended
    ret: float  # undiscounted raw return
    length: int  # steps


class Length(NamedTuple):
    """How long a rollout is: `horizon` steps of every actor, or for each of them whole episodes."""

    horizon: int  # T; with whole episodes, the most steps that there can be
    episodes_after: int | None = None  # an actor rests once an episode ends and it took more steps than this


class RolloutSpec(NamedTuple):
    """What an algorithm wants collected in an iteration."""

    length: Length
    updates: int = 1  # rollouts, each with its update, per iteration
    keep_final: bool = False  # whether a rollout must hold the observations before resets


class Rollout(NamedTuple):
    """T steps of every lane and actor. Where an actor did not step, everything is 0."""

    obs: Obs  # [L, T+1, N, *obs] raw; the last is where the next rollout starts
    final_obs: Obs | None  # [L, T, N, *obs] the observation after each step and before any reset, if asked for
    action: Tensor  # [L, T, N, action] as sampled, unclipped
    reward: Floats  # [L, T, N] raw
    terminated: Bools  # [L, T, N]
    truncated: Bools  # [L, T, N]
    stepped: Bools | None  # [L, T, N] whether the actor did; None: all did
    taken: NDArray[np.int64]  # [L] environment steps
    episodes: list[list[Episode]]  # per lane, in order of time
    faults: Mapping[int, Fault] = MappingProxyType({})  # lane -> the first number that training cannot go on with

    @property
    def flat_obs(self) -> Obs:
        """The observations that were acted on, [L, T * N, *obs]."""
        lanes, steps, actors, *shape = self.obs.shape
        return self.obs[:, :-1].reshape(lanes, (steps - 1) * actors, *shape)

    @property
    def weight(self) -> Floats | None:
        """[L, T * N] 1, or 0 where an actor was at rest; None: all count."""
        return None if self.stepped is None else self.stepped.reshape(len(self.stepped), -1).astype(np.float64)


class Outputs(NamedTuple):
    """The outputs of policies and value functions while acting; 0 of lanes that are no longer in training."""

    dist: Tensor  # [L, T, N, D]
    value: Floats  # [L, T, N]


class Moment(NamedTuple):
    """When and how an update looks at its batch."""

    progress: Floats  # [L] share of the run's steps taken before this rollout, in [0, 1)
    see: Callable[[Obs], np.ndarray]  # raw observations [L, B, *obs] as the networks see them now: float32, or bytes


class Table(NamedTuple):
    """A table that a run keeps beside its csv files."""

    columns: tuple[str, ...]
    rows: np.ndarray  # [rows, columns]


class PackSpec(NamedTuple):
    """The runs of a pack, one lane each, and what their learner starts from."""

    configs: Sequence[Config]
    network: FlatNetwork
    theta: Tensor  # [L, n]
    streams: Sequence[Streams]
    compiled: bool  # whether updates are compiled
    active: Bools | None = None  # [L] which lanes are in training, kept up to date; None: all

    @property
    def episode_limit(self) -> int:
        """The most steps of an episode, for algorithms that collect whole ones: their runs have a bound."""
        limit = self.configs[0].env.episode_limit()
        assert limit is not None
        return limit

    @property
    def lanes(self) -> list[int]:
        """The lanes in training at this moment."""
        return list(range(len(self.configs))) if self.active is None else np.flatnonzero(self.active).tolist()

    @property
    def schemas(self) -> list[Any]:
        """Each lane's algorithm; they differ in PER_RUN keys only."""
        return [config.algorithm for config in self.configs]

    def per_run(self, key: str, absent: float = float("nan")) -> np.ndarray:
        """A PER_RUN key of every lane [L], float64; `absent` where it is null."""
        values = (getattr(schema, key) for schema in self.schemas)
        return np.array([absent if value is None else value for value in values], dtype=np.float64)
