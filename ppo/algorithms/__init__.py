"""The algorithms: what each does between collecting and recording (DESIGN: "An algorithm = one file + one yaml")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor

from ppo.algorithms.a2c.learner import A2CLearner
from ppo.algorithms.cem.learner import CEMLearner
from ppo.algorithms.ppo.learner import PPOLearner
from ppo.algorithms.random.learner import RandomLearner
from ppo.algorithms.trpo.learner import TRPOLearner
from ppo.algorithms.vpg.learner import VPGLearner
from ppo.collect import Actor, Length, Rollout
from ppo.config.algorithms import A2C, CEM, PPO, TRPO, VPG, Algorithm, Random
from ppo.config.run import Config
from ppo.envs.base import Floats
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from ppo.streams import Streams


class Learner(Protocol):
    """The learning state of a pack, one row per lane, and the two verbs that follow collecting."""

    @property
    def actor(self) -> Actor:
        """Acts with the newest parameters."""
        ...

    @property
    def length(self) -> Length:
        """Of a rollout."""
        ...

    @property
    def updates(self) -> int:
        """Rollouts, each with its update, per iteration."""
        ...

    @property
    def keep_final(self) -> bool:
        """Whether a rollout must hold the observations before resets."""
        ...

    @property
    def interpolation(self) -> Floats | None:
        """Of each lane's first update, if it was asked for and is done [L, scales, columns] ."""
        ...

    def estimate_advantages(self, rollout: Rollout, obs_filter: ObsFilter, /) -> Any:
        """What `update` learns from."""
        ...

    def update(self, batch: Any, obs_filter: ObsFilter, progress: Floats, /) -> dict[str, Floats]:
        """Learn from a batch; progress [L] in [0, 1). Returns columns of `updates.csv`, each [L]."""
        ...

    def get_state(self, lane: int, /) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        ...

    def set_state(self, lane: int, state: dict[str, Any], /) -> None:
        """Put one lane back to a state of `get_state`."""
        ...


LEARNERS: dict[type[Algorithm], Callable[..., Learner]] = {
    PPO: PPOLearner,
    Random: RandomLearner,
    TRPO: TRPOLearner,
    VPG: VPGLearner,
    A2C: A2CLearner,
    CEM: CEMLearner,
}


def make_learner(configs: Sequence[Config], network: FlatNetwork, theta: Tensor, streams: Sequence[Streams]) -> Learner:
    """The learner of a pack of runs, which all have the same algorithm."""
    return LEARNERS[type(configs[0].algorithm)](configs, network, theta, streams)
