"""PPO on frames: what was said while acting is not computed again, lanes are updated by themselves, rewards by sign."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ppo.algorithms.ppo.step import MinibatchStep, Rows, Samples
from ppo.data import Rollout
from ppo.learning.advantages import standardize_each
from ppo.learning.critic import reward_of
from ppo.pack import Pack
from tests.ppo.blocks import PPO, PRIZE, blocks, game  # noqa: F401

pytestmark = pytest.mark.usefixtures("blocks")
every_precision = pytest.mark.parametrize("precision", ["float32", "bfloat16"])


def pack_of(*overrides: str, seeds: tuple[int, ...] = (0,), network: str = "a3c_cnn", **keys: Any) -> Pack:
    configs = [game([*PPO, *overrides, f"seed={seed}"], network, **keys) for seed in seeds]
    return Pack(configs, np.zeros(1 + len(configs), np.uint32), compiled=False)


class Spy:
    """Writes down what each minibatch step is given, and takes it."""

    def __init__(self, learner: Any) -> None:
        self.take, learner._step = learner._step, self
        self.seen: list[tuple[torch.Tensor, Rows]] = []

    def __call__(self, theta: Any, adam: Any, totals: Any, minibatch: Rows, coefficients: Any) -> None:
        self.seen.append((theta.clone(), minibatch))
        self.take(theta, adam, totals, minibatch, coefficients)


@every_precision
@pytest.mark.parametrize("network", ["a3c_cnn", "nature_cnn"])
@pytest.mark.parametrize("shared", [True, False])
def test_at_the_first_minibatch_every_ratio_is_exactly_one(precision: str, network: str, shared: bool) -> None:
    pack = pack_of(network=network, precision=precision, shared=shared)
    learner = pack.learner
    spy = Spy(learner)
    for _ in range(2):
        spy.seen.clear()
        pack.iterate()
        theta, minibatch = spy.seen[0]
        assert minibatch.obs.dtype == torch.uint8
        samples = _named(learner, Rows(*(column[0] for column in minibatch)))
        dist, value = learner.network(theta[0], samples.obs)
        logp = learner.network.distribution.logp(dist, samples.action)
        assert torch.equal(logp, samples.logp_old)
        assert torch.equal(dist, samples.dist_old)
        assert torch.equal(value, samples.value)
    theta, minibatch = spy.seen[-1]
    samples = _named(learner, Rows(*(column[0] for column in minibatch)))
    assert not torch.equal(learner.network.policy(theta[0], samples.obs), samples.dist_old), "the policy has moved"


def _named(learner: Any, rows: Rows) -> Samples:
    return MinibatchStep(learner.network, learner.schema, learner.objectives).split(rows)


def test_no_network_looks_again_at_what_it_acted_on() -> None:
    pack = pack_of()
    seen: list[int] = []
    values = pack.learner.critic._values
    pack.learner.critic._values = lambda theta, obs: seen.append(obs.shape[1]) or values(theta, obs)
    pack.iterate()
    assert seen == [4], "only the last frames of the four actors, whose values nobody has asked for yet"


def test_every_sample_is_used_once_per_epoch() -> None:
    pack = pack_of()
    spy = Spy(pack.learner)
    pack.iterate()
    per_epoch = 16 * 4 // 32
    assert len(spy.seen) == 2 * per_epoch
    for epoch in (spy.seen[:per_epoch], spy.seen[per_epoch:]):
        values = torch.cat([minibatch.rest[0, :, -2] for _, minibatch in epoch])
        assert values.unique().numel() == 64
    assert not torch.equal(spy.seen[0][1].rest, spy.seen[per_epoch][1].rest)


def test_a_retired_lane_is_neither_acted_for_nor_updated_and_its_mates_go_on_as_they_would() -> None:
    three, alone = pack_of(seeds=(0, 1, 2)), pack_of(seeds=(2,))
    for pack in (three, alone):
        pack.iterate()
    three.retire(1)
    before = three.learner.theta[1].clone()
    spy = Spy(three.learner)
    for pack in (three, alone):
        pack.iterate()
    assert len(spy.seen) == 2 * 4
    assert torch.equal(three.learner.theta[1], before)
    assert torch.equal(three.learner.theta[2], alone.learner.theta[0])
    assert len(alone.learner.theta) == 1, "no spare lane is needed"


def test_learning_sees_the_sign_of_a_reward_and_the_score_its_points() -> None:
    pack = pack_of()
    rollouts: list[Rollout] = []
    collect = pack.collector.collect

    def kept(*arguments: Any, **named: Any) -> Rollout:
        rollouts.append(collect(*arguments, **named))
        return rollouts[-1]

    pack.collector.collect = kept  # type: ignore[method-assign]
    iteration = pack.iterate()
    assert set(np.unique(rollouts[0].reward)) == {0.0, PRIZE}
    assert set(np.unique(reward_of(rollouts[0], "sign"))) == {0.0, 1.0}
    assert reward_of(rollouts[0], "raw") is rollouts[0].reward
    assert all(episode.ret % PRIZE == 0 and episode.ret >= PRIZE for episode in iteration.episodes[0])
    assert iteration.columns[0]["value_loss"][0] < 5, "of returns of 7 points it would be 20 times as large"


def test_advantages_are_standardised_over_each_actors_own_steps() -> None:
    adv = np.random.default_rng(0).normal(3.0, 2.0, (2, 5 * 3)) * np.tile([1.0, 10.0, 0.0], 5)
    found = standardize_each(adv, 3).reshape(2, 5, 3)
    np.testing.assert_allclose(found.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(1)[:, :2], 1)
    assert not found[..., 2].any(), "an actor whose advantages are all alike has none"
    of_one = adv.reshape(2, 5, 3)[..., 1]
    expected = (of_one - of_one.mean(1, keepdims=True)) / of_one.std(1, keepdims=True)
    np.testing.assert_allclose(found[..., 1], expected)


@pytest.mark.parametrize("kind", ["batch", "actor"])
def test_either_way_of_standardising_reaches_the_learner(kind: str) -> None:
    pack = pack_of(f"algorithm.normalize_adv={kind}")
    collect = pack.collector.collect(pack.learner.actor, pack.obs_filter, pack.learner.rollout, steps=pack.steps)
    adv = pack.learner.estimate_advantages(collect, pack.obs_filter).adv.reshape(16, 4)
    assert adv.std() == pytest.approx(1)
    assert (np.abs(adv.mean(0)).max() < 1e-9) == (kind == "actor")


def test_the_line_of_figure_2_can_be_recorded_of_frames_too() -> None:
    table = pack_of("algorithm.record=[interpolation]").iterate().artefacts[0]["interpolation"]
    start = table.rows[:, 0].tolist().index(0.0)
    assert table.rows[start, 1] == 0, "KL at the old policy"
    assert table.rows[start, 2] == pytest.approx(table.rows[start, 4], abs=1e-6)


def test_a_game_counts_as_an_episode_when_it_ends_and_a_life_does_not() -> None:
    episodes = pack_of().iterate().episodes[0]
    assert [(e.step, e.length) for e in episodes] == [(40, 10)] * 4


@pytest.mark.slow
@every_precision
def test_it_learns_to_name_the_block(precision: str) -> None:
    pack = pack_of("algorithm.lr=1e-3", "algorithm.horizon=64", "total_steps=100_000", precision=precision)
    for _ in range(25):
        iteration = pack.iterate()
    scores = [episode.ret for episode in iteration.episodes[0]]
    assert np.mean(scores) > 0.9 * 10 * PRIZE, "at random it is a third"
