"""The random policies, the zero of the normalised score: the untrained network's and the uniform one's."""

from __future__ import annotations

import numpy as np
import torch

from ppo.algorithms.random.learner import RandomLearner
from ppo.config.compose import compose
from ppo.data import Moment
from ppo.networks.acting import PolicyActor, UniformActor
from tests.ppo.handmade import box, filter_of, learner_of


def random_learner(policy: str) -> RandomLearner:
    config = compose(["algorithm=random", f"algorithm.policy={policy}"])
    learner = learner_of([config] * 3, box(3, 2))
    assert isinstance(learner, RandomLearner)
    return learner


def test_untrained_acts_with_the_network_and_uniform_within_the_bounds() -> None:
    assert isinstance(random_learner("untrained").actor, PolicyActor)
    assert isinstance(random_learner("uniform").actor, UniformActor)


def test_a_random_policy_never_learns() -> None:
    learner, obs_filter = random_learner("untrained"), filter_of(3, 3)
    before = learner.theta.clone()
    rollout = object()
    assert learner.estimate_advantages(rollout, obs_filter) is rollout
    assert learner.update(rollout, Moment(np.zeros(3), obs_filter)) == {}
    assert torch.equal(learner.theta, before)


def test_its_observations_are_seen_as_before_the_first_update_of_a_policy_that_learns() -> None:
    config = compose(["algorithm=random"])
    assert config.algorithm.filtering == "initial"


def test_its_parameters_can_be_looked_at_in_a_checkpoint() -> None:
    learner = random_learner("untrained")
    assert torch.equal(learner.get_state(1)["theta"], learner.theta[1])
