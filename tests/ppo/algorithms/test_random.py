"""The random policies, the zero of the normalised score: the untrained network's and the uniform one's."""

from __future__ import annotations

import numpy as np
import torch

from ppo.algorithms import make_learner
from ppo.algorithms.random.learner import RandomLearner
from ppo.collect import PolicyActor, UniformActor
from ppo.config.compose import compose
from ppo.envs.base import Spec
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from ppo.streams import make_streams

SPEC = Spec(3, 2, False, -np.ones(2), np.ones(2))


def random_learner(policy: str) -> RandomLearner:
    config = compose(["algorithm=random", f"algorithm.policy={policy}"])
    network = FlatNetwork(SPEC, config.algorithm.network)
    theta = network.init(torch.Generator().manual_seed(0)).expand(3, -1).clone()
    learner = make_learner([config] * 3, network, theta, [make_streams(0, 1)] * 3)
    assert isinstance(learner, RandomLearner)
    return learner


def test_untrained_acts_with_the_network_and_uniform_within_the_bounds() -> None:
    assert isinstance(random_learner("untrained").actor, PolicyActor)
    assert isinstance(random_learner("uniform").actor, UniformActor)


def test_a_random_policy_never_learns() -> None:
    learner, obs_filter = random_learner("untrained"), ObsFilter(3, 3, enabled=True)
    before = learner.theta.clone()
    rollout = object()
    assert learner.estimate_advantages(rollout, obs_filter) is rollout
    assert learner.update(rollout, obs_filter, np.zeros(3)) == {}
    assert torch.equal(learner.theta, before)
    assert (obs_filter.count == ObsFilter(3, 3, enabled=True).count).all()


def test_its_parameters_can_be_looked_at_in_a_checkpoint() -> None:
    learner = random_learner("untrained")
    assert torch.equal(learner.get_state(1)["theta"], learner.theta[1])
