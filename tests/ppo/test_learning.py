"""Whether it learns: toy tasks whose optimum is known, for every surrogate; and that without learning it is missed.

All surrogates of a task train in one pack, in seconds.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from ppo.config.compose import compose
from ppo.data import Bools, Floats
from ppo.envs.base import Generators, Step
from ppo.networks.flat import FlatNetwork
from ppo.pack import Pack
from tests.ppo.handmade import box, choice, head, toy_pack

SURROGATES = {
    "none": ["surrogate=none"],
    "clip": ["surrogate=clip"],
    "clip_log": ["surrogate=clip_log"],
    "clip_log objective": ["surrogate=clip_log", "surrogate.reading=objective"],
    "kl_fixed": ["surrogate=kl_fixed"],
    "kl_adaptive": ["surrogate=kl_adaptive"],
}


class Bandit:
    """One step per episode: a context of -1 or 1 is shown, and the best action is half of it. Reward -(a - c / 2)^2."""

    spec = box(1, 1)
    inexact: ClassVar[dict[int, str]] = {}
    contexts, best = torch.tensor([[-1.0], [1.0]]), torch.tensor([[-0.5], [0.5]])

    def __init__(self, generators: Generators) -> None:
        self.generators = generators
        self.failures: dict[int, Exception] = {}

    def reset(self) -> Floats:
        self.context = np.array([[[g.choice([-1.0, 1.0])] for g in lane] for lane in self.generators])
        return self.context

    def step(self, action: Floats) -> Step:
        reward, final = -((action - 0.5 * self.context) ** 2).sum(-1), self.context
        over = np.ones(reward.shape, bool)
        return Step(self.reset(), reward, over, ~over, final)

    def set_active(self, actors: Bools) -> None:
        """All are."""

    def close(self, lane: int) -> None:
        pass


class Lock:
    """Three choices in a row open it: 2, 0, 1. A wrong one ends the episode, and only the open lock is rewarded."""

    spec = choice(3, 3)
    inexact: ClassVar[dict[int, str]] = {}
    contexts, best = torch.eye(3), torch.tensor([2, 0, 1])

    def __init__(self, generators: Generators) -> None:
        self.at = np.zeros((len(generators), len(generators[0])), np.int64)
        self.failures: dict[int, Exception] = {}

    def reset(self) -> Floats:
        return np.eye(3)[self.at]

    def step(self, action: Floats) -> Step:
        right = action[..., 0] == self.best.numpy()[self.at]
        opened = right & (self.at == 2)
        over, final = opened | ~right, np.eye(3)[np.minimum(self.at + right, 2)]
        self.at = np.where(over, 0, self.at + 1)
        return Step(self.reset(), opened.astype(float), over, np.zeros_like(over), final)

    def set_active(self, actors: Bools) -> None:
        """All are."""

    def close(self, lane: int) -> None:
        pass


Task = type[Bandit] | type[Lock]


def train(task: Task, iterations: int, *overrides: str) -> Pack:
    """One run per surrogate, packed, after so many iterations of 256 steps, each of 16 minibatch steps."""
    shared = ["algorithm.horizon=256", "network.hidden=[8]", *overrides]
    own = [surrogate if compose(overrides).algorithm.takes_surrogate else [] for surrogate in SURROGATES.values()]
    pack = toy_pack([compose([*shared, *surrogate]) for surrogate in own], task)
    for _ in range(iterations):
        pack.iterate()
    return pack


def heads(pack: Pack, network: FlatNetwork) -> dict[str, Tensor]:
    """For every surrogate the mean action or the choices' probabilities in each context."""
    contexts = pack.env.contexts.double().expand(len(pack.steps), -1, -1).numpy()
    seen = torch.from_numpy(pack.obs_filter(contexts))
    dist = {name: network.policy(pack.learner.theta[lane], seen[lane]) for lane, name in enumerate(SURROGATES)}
    return {k: torch.softmax(d, -1) if network.spec.action.discrete else d.chunk(2, -1)[0] for k, d in dist.items()}


class Result(NamedTuple):
    """What became of each surrogate's run."""

    heads: dict[str, Tensor]  # mean actions [contexts, 1] or probabilities [contexts, choices]
    scores: dict[str, float]


def result(task: Task, *overrides: str, iterations: int = 14) -> Result:
    pack = train(task, iterations, *overrides)
    config = compose(["network.hidden=[8]"])
    network = FlatNetwork(task.spec, config.network, head(config))
    return Result(heads(pack, network), {name: pack.score(lane) for lane, name in enumerate(SURROGATES)})


LEARNING = ("algorithm.epochs=4", "algorithm.lr=0.01")


@pytest.fixture(scope="module")
def bandit() -> Result:
    return result(Bandit, *LEARNING)


@pytest.fixture(scope="module")
def lock() -> Result:
    return result(Lock, *LEARNING)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_on_the_bandit_the_mean_action_comes_near_the_best_and_the_spread_goes(bandit: Result, surrogate: str) -> None:
    np.testing.assert_allclose(bandit.heads[surrogate], Bandit.best, atol=0.15)
    assert bandit.scores[surrogate] > -0.2  # the first policy scores -1.25: its deviation is 1 and its mean 0


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_the_lock_is_opened_by_rewards_that_come_three_steps_late(lock: Result, surrogate: str) -> None:
    assert lock.heads[surrogate].argmax(-1).tolist() == Lock.best.tolist()
    assert lock.heads[surrogate].amax(-1).min() > 0.8
    assert lock.scores[surrogate] > 0.75  # by chance it opens once in 27 episodes


def test_a_policy_that_does_not_learn_misses_the_bandits_best_action() -> None:
    untrained = result(Bandit, "algorithm=random", iterations=1)
    for name in SURROGATES:
        assert (untrained.heads[name] - Bandit.best).abs().min() > 0.4
        assert untrained.scores[name] < -0.8


def test_a_policy_that_does_not_learn_opens_the_lock_by_chance_only() -> None:
    untrained = result(Lock, "algorithm=random", iterations=4)
    for name in SURROGATES:
        assert untrained.heads[name].amax(-1).max() < 0.4
        assert untrained.scores[name] < 0.15


def test_a_stepsize_of_next_to_nothing_learns_nothing() -> None:
    still = result(Bandit, "algorithm.epochs=1", "algorithm.lr=1e-12", iterations=2)
    for name in SURROGATES:
        assert (still.heads[name] - Bandit.best).abs().min() > 0.4
        assert still.scores[name] < -0.8
