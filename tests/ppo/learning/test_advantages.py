"""Truncated GAE against the paper's sums, closed forms and a brute-force loop; and standardisation."""

from __future__ import annotations

import numpy as np
import pytest

from ppo.envs.base import Floats
from ppo.learning.advantages import Segment, gae, standardize


def segment(steps: int = 12, lanes: int = 2, actors: int = 3, *, ends: float = 0.0, seed: int = 0) -> Segment:
    """Random rewards and values; each step ends an episode with probability `ends`, half of them by the clock."""
    rng = np.random.default_rng(seed)
    reward, value, next_value = rng.normal(size=(3, lanes, steps, actors))
    cut = rng.random((lanes, steps, actors)) < ends
    if not ends:
        next_value[:, :-1] = value[:, 1:]
    return Segment(reward, value, next_value, cut & (rng.random(cut.shape) < 0.5), cut)


def advantages(s: Segment, gamma: float | Floats = 0.9, lam: float | Floats = 0.8) -> Floats:
    lanes = np.ones(len(s.reward))
    return gae(s, gamma=gamma * lanes, lam=lam * lanes)


def test_three_steps_by_hand() -> None:
    column = {"reward": [1.0, 2.0, 3.0], "value": [0.5, 1.0, 2.0], "next_value": [1.0, 2.0, 4.0]}
    never = np.zeros((1, 3, 1), bool)
    s = Segment(**{k: np.array(v).reshape(1, 3, 1) for k, v in column.items()}, terminal=never, cut=never)
    delta = [1 + 0.5 * 1 - 0.5, 2 + 0.5 * 2 - 1, 3 + 0.5 * 4 - 2]  # 1, 2, 3
    expected = [delta[0] + 0.25 * (delta[1] + 0.25 * delta[2]), delta[1] + 0.25 * delta[2], delta[2]]
    assert advantages(s, gamma=0.5, lam=0.5).ravel().tolist() == expected  # 1.6875, 2.75, 3


def test_a_brute_force_sum_gives_the_same() -> None:
    s, gamma, lam = segment(30, ends=0.2), 0.97, 0.9
    expected = np.zeros_like(s.reward)
    for lane, start, actor in np.ndindex(s.reward.shape):
        for t in range(start, s.reward.shape[1]):
            at = (lane, t, actor)
            future = 0.0 if s.terminal[at] else gamma * s.next_value[at]
            expected[lane, start, actor] += (gamma * lam) ** (t - start) * (s.reward[at] + future - s.value[at])
            if s.cut[at]:
                break
    assert s.terminal.any()
    assert (s.cut & ~s.terminal).any()
    np.testing.assert_allclose(advantages(s, gamma, lam), expected, rtol=1e-12, atol=1e-12)


def test_lambda_of_one_gives_the_return_plus_the_discounted_last_value_minus_the_first() -> None:
    s, gamma, steps = segment(), 0.9, 12
    last = s.next_value[:, -1]
    for t in range(steps):
        rewards = sum(gamma ** (k - t) * s.reward[:, k] for k in range(t, steps))
        plus, minus = (rewards + sign * gamma ** (steps - t) * last - s.value[:, t] for sign in (1, -1))
        np.testing.assert_allclose(advantages(s, gamma, lam=1.0)[:, t], plus)
        assert not np.allclose(plus, minus)  # the sign that circulating summaries of equation (10) print


def test_lambda_of_zero_gives_the_one_step_error() -> None:
    s = segment()
    np.testing.assert_allclose(advantages(s, 0.9, lam=0.0), s.reward + 0.9 * s.next_value - s.value)


def test_a_constant_value_cancels_where_nothing_is_discounted() -> None:
    s = segment()
    first, second = (
        advantages(s._replace(value=np.full_like(s.value, c), next_value=np.full_like(s.value, c)), 1.0, 0.7)
        for c in (0.0, 1000.0)
    )
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_the_last_step_of_a_segment_has_its_own_error_only() -> None:
    s = segment()
    np.testing.assert_allclose(advantages(s)[:, -1], (s.reward + 0.9 * s.next_value - s.value)[:, -1])


def test_termination_cuts_the_value_and_the_advantage_that_follow() -> None:
    s = segment()
    over = np.zeros_like(s.cut)
    over[:, 5] = True
    ended = s._replace(terminal=over, cut=over)
    np.testing.assert_allclose(advantages(ended)[:, 5], (s.reward - s.value)[:, 5])
    later = ended._replace(reward=s.reward + 100 * (np.arange(12) > 5)[:, None])  # nothing after it is seen before it
    np.testing.assert_array_equal(advantages(later)[:, :6], advantages(ended)[:, :6])
    assert not np.allclose(advantages(later)[:, 6:], advantages(ended)[:, 6:])


def test_a_time_limit_cuts_the_advantage_that_follows_but_not_the_value() -> None:
    s = segment()
    over = np.zeros_like(s.cut)
    over[:, 5] = True
    cut = s._replace(cut=over)
    np.testing.assert_allclose(advantages(cut)[:, 5], (s.reward + 0.9 * s.next_value - s.value)[:, 5])
    np.testing.assert_array_equal(advantages(cut)[:, 6:], advantages(s)[:, 6:])
    assert not np.allclose(advantages(cut)[:, :5], advantages(s)[:, :5])


@pytest.mark.parametrize("terminal", [True, False])
def test_two_segments_joined_at_the_end_of_an_episode_equal_the_two_apart(terminal: bool) -> None:
    first, second = segment(5, seed=1), segment(7, seed=2)
    first.cut[:, -1] = True
    first.terminal[:, -1] = terminal
    joined = Segment(*(np.concatenate(pair, axis=1) for pair in zip(first, second, strict=True)))
    apart = np.concatenate([advantages(first), advantages(second)], axis=1)
    np.testing.assert_array_equal(advantages(joined), apart)


def test_exact_values_of_a_deterministic_chain_leave_no_advantage() -> None:
    gamma, reward = 0.9, np.array([1.0, -2.0, 5.0, 0.5])
    value = np.zeros(5)
    for state in (3, 2, 1, 0):
        value[state] = reward[state] + gamma * value[state + 1]
    shape = (1, 4, 1)
    over = np.array([False, False, False, True]).reshape(shape)
    s = Segment(reward.reshape(shape), value[:4].reshape(shape), value[1:].reshape(shape), over, over)
    np.testing.assert_allclose(advantages(s, gamma, 0.95), 0, atol=1e-15)


def test_each_lane_has_its_own_gamma_and_lambda() -> None:
    s = segment(ends=0.1)
    both = advantages(s, np.array([0.9, 0.99]), np.array([0.5, 0.95]))
    np.testing.assert_array_equal(both[0], advantages(s, 0.9, 0.5)[0])
    np.testing.assert_array_equal(both[1], advantages(s, 0.99, 0.95)[1])


# -- standardisation ---------------------------------------------------------------------------------------------------


def test_standardised_advantages_by_hand() -> None:
    deviation = 1.25**0.5  # the population's, not the sample's
    assert standardize(np.array([[1.0, 2.0, 3.0, 4.0]]))[0].tolist() == [x / deviation for x in (-1.5, -0.5, 0.5, 1.5)]


def test_every_lane_is_standardised_by_itself() -> None:
    adv = np.random.default_rng(0).normal(size=(3, 500)) * [[1.0], [100.0], [1e-6]] + [[0.0], [50.0], [3.0]]
    done = standardize(adv)
    np.testing.assert_allclose(done.mean(1), 0, atol=1e-9)
    np.testing.assert_allclose(done.std(1), 1, rtol=1e-9)
    np.testing.assert_array_equal(done[1], standardize(adv[1:2])[0])


@pytest.mark.parametrize("constant", [0.0, 1.0, -2.0])
def test_a_lane_of_equal_advantages_becomes_zero(constant: float) -> None:
    assert (standardize(np.full((1, 64), constant)) == 0).all()


def test_a_lane_of_equal_advantages_becomes_zero_even_where_their_mean_is_rounded() -> None:
    assert (standardize(np.full((1, 2048), 0.1)) == 0).all()


def test_advantages_of_weight_0_become_0_and_the_others_are_standardised_among_themselves() -> None:
    rng = np.random.default_rng(0)
    adv, weight = rng.normal(size=(3, 500)) * [[1.0], [100.0], [1e-3]] + [[0.0], [50.0], [3.0]], np.ones((3, 500))
    weight[0, 200:], weight[1, ::3] = 0, 0
    done = standardize(adv, weight)
    for lane in range(3):
        counts = weight[lane] > 0
        np.testing.assert_allclose(done[lane, counts], standardize(adv[lane : lane + 1, counts])[0], rtol=1e-9)
        assert (done[lane, ~counts] == 0).all()


@pytest.mark.parametrize("constant", [0.0, -2.0, 0.1, 1.1e9])
def test_equal_advantages_become_zero_whatever_is_beside_them_and_where_none_counts_all_are(constant: float) -> None:
    adv, weight = np.full((2, 2048), constant), np.ones((2, 2048))
    adv[:, 1000:], weight[:, 1000:], weight[1] = 7.0, 0, 0
    assert (standardize(adv, weight) == 0).all()
