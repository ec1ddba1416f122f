"""CEM: a known optimum, the elite, the variance and what is added to it, and policies without noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppo.algorithms.cem.learner import CEMLearner, elite_of
from ppo.config.compose import compose
from ppo.data import Bools, Floats, Length
from ppo.envs.base import Spec
from tests.ppo.algorithms.baseline_fakes import CHOICES, SPEC, learn, make_filter, make_learner, make_rollout

NO_EXTRA = "extra_std=0"


def play(learner: CEMLearner, returns: Floats, progress: float = 0.0, played: Bools | None = None) -> dict[str, Floats]:
    """A generation whose samples have these returns [L, N], in lanes that played; returns what is recorded."""
    lanes, samples = returns.shape
    played = np.ones(lanes, bool) if played is None else played
    rollout = make_rollout(4, samples, steps=np.full((lanes, samples), 4) * played[:, None])
    share = np.array([0.5, 0.75, -0.5, 0.25])  # of the return, at each step
    rollout = rollout._replace(reward=returns[:, None] * share[:, None] * played[:, None, None])
    return learn(learner, rollout, np.full(lanes, progress))


def numbers(shape: tuple[int, ...], seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape)


# -- a known optimum ---------------------------------------------------------------------------------------------------


def quadratic(sign: float, generations: int = 60, *overrides: str) -> tuple[CEMLearner, Floats, Floats]:
    """After so many generations of return sign * -(theta - best)^2; with `best` [L, n] and what it is a part of."""
    learner = make_learner("cem", "network.hidden=[]", "num_actors=100", *overrides)
    part = learner.drawn
    best = np.where(part, numbers(learner.mean.shape), 0.0)
    for generation in range(generations):
        distance = np.square((learner.theta - best[:, None])[..., part]).sum(-1)
        play(learner, -sign * distance, generation / generations)
    return learner, best, part


def test_it_finds_the_optimum_of_a_quadratic() -> None:
    learner, best, part = quadratic(1)
    error = np.abs(learner.mean - best)[:, part]
    assert error.mean() < 1e-2
    assert learner.variance[:, part].max() < 1e-2
    assert np.abs(best)[:, part].mean() > 0.5


def test_it_maximises() -> None:
    learner, best, part = quadratic(-1, 10)
    assert (np.abs(learner.mean - best)[:, part].mean(1) > 2).all()


# -- the elite ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "fraction", "count"),
    [(50, 0.2, 10), (200, 0.2, 40), (12, 0.2, 2), (13, 0.2, 3), (2, 0.2, 1), (9, 1.0, 9)],
)
def test_the_elite_is_the_best_fraction_and_one_at_least(samples: int, fraction: float, count: int) -> None:
    returns = numbers((samples,))
    elite = elite_of(returns, fraction)
    assert len(elite) == count
    assert set(elite) == set(np.argsort(returns)[samples - count :])


def test_the_next_distribution_has_the_elites_mean_and_population_variance() -> None:
    learner = make_learner("cem", "num_actors=20", lanes=([], ["algorithm.elite_fraction=0.5"], []))
    theta, returns, start = learner.theta.copy(), numbers((3, 20)), learner.mean.copy()
    columns = play(learner, returns)
    for lane, count in enumerate((4, 10, 4)):
        best = np.argsort(returns[lane])[-count:]
        mean = theta[lane, best].sum(0) / count
        np.testing.assert_allclose(learner.mean[lane], mean)
        np.testing.assert_allclose(learner.variance[lane], np.square(theta[lane, best] - mean).sum(0) / count)
        assert columns["objective"][lane] == pytest.approx(returns[lane, best].mean())
    assert np.abs(learner.mean - start)[:, learner.drawn].max() > 0.1


def test_the_order_of_samples_does_not_matter() -> None:
    forwards, shuffled, order = make_learner("cem"), make_learner("cem"), np.random.default_rng(1).permutation(10)
    shuffled.theta = shuffled.theta[:, order].copy()
    returns = numbers((3, 10))
    play(forwards, returns)
    play(shuffled, returns[:, order])
    np.testing.assert_allclose(forwards.mean, shuffled.mean, rtol=1e-12)
    np.testing.assert_allclose(forwards.variance, shuffled.variance, rtol=1e-9, atol=1e-15)


# -- drawing -----------------------------------------------------------------------------------------------------------


def test_a_first_generation_is_drawn_around_the_initial_parameters_with_the_initial_variance() -> None:
    assert compose(["algorithm=cem"]).algorithm.initial_variance == 1
    lanes = ([], ["algorithm.initial_variance=4"], [])
    learner = make_learner("cem", "num_actors=2000", NO_EXTRA, lanes=lanes)
    part = learner.drawn
    for lane, variance in enumerate((1.0, 4.0, 1.0)):
        noise = (learner.theta[lane] - learner.mean[lane])[:, part]
        assert noise.var() == pytest.approx(variance, rel=0.03)
        assert np.abs(noise.mean(0)).max() < 0.2 * np.sqrt(variance)
    np.testing.assert_array_equal(learner.mean[:, part].astype(np.float32), learner.mean[:, part])


@pytest.mark.parametrize(("progress", "left"), [(0.0, 0.8), (0.15, 0.5), (0.3, 0.2), (0.4, 0.0), (0.9, 0.0)])
def test_extra_variance_falls_linearly_to_nothing(progress: float, left: float) -> None:
    """A generation of 4,000 steps is a tenth of these runs, and the one drawn after it begins so much later."""
    lanes = [["total_steps=40000"]] * 3
    learner = make_learner("cem", "num_actors=1000", "extra_std=2", "extra_until=0.5", lanes=lanes)
    learner.theta[:] = learner.mean[:, None]  # an elite of equals has no variance of its own
    play(learner, numbers((3, 1000)), progress)
    assert (learner.variance == 0).all()
    noise = (learner.theta - learner.mean[:, None])[..., learner.drawn]
    assert noise.var() == pytest.approx(4 * left, rel=0.02)


def test_the_first_generation_has_all_of_the_extra_variance() -> None:
    learner = make_learner("cem", "num_actors=2000", "extra_std=2", "initial_variance=1e-6")
    assert (learner.theta - learner.mean[:, None])[..., learner.drawn].var() == pytest.approx(4, rel=0.02)


def test_without_an_end_of_extra_variance_there_is_none() -> None:
    learner = make_learner("cem", "extra_until=0")  # its yaml has some
    learner.theta[:] = learner.mean[:, None]
    play(learner, numbers((3, 10)))
    np.testing.assert_array_equal(learner.theta, np.broadcast_to(learner.mean[:, None], learner.theta.shape))


@pytest.mark.parametrize("spec", [SPEC, CHOICES], ids=["gaussian", "categorical"])
def test_the_value_functions_entries_and_log_std_never_move_a_bit(spec: Spec) -> None:
    learner = make_learner("cem", "elite_fraction=0.3", spec=spec)
    start, part = learner.mean.copy(), learner.drawn
    assert part.sum() == (4 * 3 + 4) + (4 * spec.action.size + spec.action.size)
    for generation in range(5):
        play(learner, numbers((3, 10), generation))
    assert (learner.theta[..., ~part] == start[:, None, ~part]).all()
    assert (learner.mean[:, part] != start[:, part]).all()


def test_only_lanes_that_played_move() -> None:
    learner, everyone = make_learner("cem"), make_learner("cem")
    before = {key: value.clone() for key, value in learner.get_state(1).items()}
    stream = learner.generators[1].bit_generator.state
    for generation in range(2):
        play(learner, numbers((3, 10), generation), played=np.array([True, False, True]))
        play(everyone, numbers((3, 10), generation))
    after = learner.get_state(1)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert learner.generators[1].bit_generator.state == stream
    for lane in (0, 2):
        np.testing.assert_array_equal(learner.theta[lane], everyone.theta[lane])
    assert (learner.theta[0] != learner.mean[0]).any()


# -- acting ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["[]", "[4]", "[5,3]"])
def test_every_actor_acts_by_the_mean_of_its_own_policy_without_noise(hidden: str) -> None:
    learner = make_learner("cem", f"network.hidden={hidden}")
    obs = numbers((3, 10, 3)).astype(np.float32)
    noise = np.stack([learner.actor.draw(np.random.default_rng(lane), (1, 10)) for lane in range(3)])
    assert noise.size == 0
    acted = learner.actor(obs, learner.actor.noise(noise)[:, 0])
    network = make_learner("trpo", f"network.hidden={hidden}").network
    for lane, actor in np.ndindex(3, 10):
        theta = torch.from_numpy(learner.theta[lane, actor])
        mean = network.policy(theta, torch.from_numpy(obs[lane, actor]).double())[:2]
        np.testing.assert_allclose(acted[lane, actor], mean, rtol=1e-4, atol=1e-5)
    assert len(np.unique(acted[..., 0])) == 30
    np.testing.assert_array_equal(learner.actor(obs, noise[:, 0]), acted)


def test_of_choices_it_takes_the_likeliest() -> None:
    learner, network = make_learner("cem", spec=CHOICES), make_learner("trpo", spec=CHOICES).network
    obs = numbers((3, 10, 3)).astype(np.float32)
    acted = learner.actor(obs, np.zeros((3, 10, 0), np.float32))
    assert acted.shape == (3, 10, 1)
    for lane, actor in np.ndindex(3, 10):
        logits = network.policy(
            torch.from_numpy(learner.theta[lane, actor]), torch.from_numpy(obs[lane, actor]).double()
        )
        assert acted[lane, actor, 0] == logits.argmax()
    assert len(np.unique(acted)) > 1


def test_a_new_generation_acts_at_once() -> None:
    learner, obs = make_learner("cem"), np.ones((3, 10, 3), np.float32)
    before = learner.actor(obs, np.zeros((3, 10, 0)))
    play(learner, numbers((3, 10)))
    assert (learner.actor(obs, np.zeros((3, 10, 0))) != before).all()


def test_a_generation_is_one_episode_of_every_actor() -> None:
    learner = make_learner("cem")
    assert learner.rollout.length == Length(20, episodes_after=0)  # at most the time limit, and rest after the first
    assert not learner.rollout.keep_final


def test_the_filter_takes_in_what_was_played_only() -> None:
    learner, obs_filter = make_learner("cem"), make_filter()
    rollout = make_rollout(6, 10, steps=[[6] * 10, [3] * 10, [1] * 10])
    learn(learner, rollout, obs_filter=obs_filter)
    assert obs_filter.count.ravel().tolist() == pytest.approx([60.01, 30.01, 10.01])
    np.testing.assert_allclose(obs_filter.mean[1, 0], rollout.obs[1, :3].sum((0, 1)) / 30.01)


# -- from one generation to the next -----------------------------------------------------------------------------------


def test_a_lane_put_back_into_another_pack_goes_on_with_the_same_bits() -> None:
    straight, resumed = make_learner("cem"), make_learner("cem")
    play(straight, numbers((3, 10)))
    for lane in range(3):
        resumed.set_state(lane, straight.get_state(lane))
        resumed.generators[lane].bit_generator.state = straight.generators[lane].bit_generator.state
    obs = np.ones((3, 10, 3), np.float32)
    acted = [learner.actor(obs, np.zeros((3, 10, 0))) for learner in (straight, resumed)]
    np.testing.assert_array_equal(*acted)
    for learner in (straight, resumed):
        play(learner, numbers((3, 10), 1), 0.1)
    for key in ("mean", "variance", "theta"):
        np.testing.assert_array_equal(getattr(straight, key), getattr(resumed, key))
