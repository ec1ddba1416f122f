"""The observation filter against numpy's mean and deviation, the reward filter against Gymnasium's running moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.wrappers.utils import RunningMeanStd

from ppo.data import Floats
from ppo.learning.filters import ObsFilter, RewardFilter
from tests.ppo.handmade import filter_of, rollout_of, vectors


def observations(count: int = 10_000, lanes: int = 2, size: int = 3) -> Floats:
    scale, shift = np.array([1.0, 30.0, 0.5])[:size], np.array([0.0, -70.0, 2.0])[:size]
    return np.random.default_rng(0).normal(size=(lanes, count, size)) * scale + shift


def fed(*batches: Floats) -> ObsFilter:
    obs_filter = filter_of(len(batches[0]), batches[0].shape[-1])
    for batch in batches:
        obs_filter.update(rollout_of(batch))
    return obs_filter


# -- observations ------------------------------------------------------------------------------------------------------


def test_before_any_data_observations_pass_but_for_the_clip() -> None:
    obs = np.array([[[0.0, 1.5, -4.0, 5.5, -80.0]]])
    assert filter_of(1, 5)(obs)[0, 0].tolist() == [0.0, 1.5, -4.0, 5.0, -5.0]


def test_the_moments_are_numpys_apart_from_the_pseudo_count() -> None:
    obs = observations()
    obs_filter = fed(obs[:, :3000], obs[:, 3000:3001], obs[:, 3001:])
    expected = (obs - obs.mean(1, keepdims=True)) / obs.std(1, keepdims=True)
    near = np.abs(expected) < 4.9
    assert obs_filter(obs).dtype == np.float32
    np.testing.assert_allclose(obs_filter.mean, obs.mean(1, keepdims=True), rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(1 / obs_filter.inverse_deviation, obs.std(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(obs_filter(obs)[near], expected[near], rtol=1e-4, atol=1e-4)


def test_the_pseudo_count_is_a_hundredth_of_an_observation_of_mean_square_one() -> None:
    obs_filter = fed(np.array([[[1.0], [2.0], [3.0]]]))
    mean, mean_square = 6 / 3.01, 14.01 / 3.01
    assert obs_filter.mean.item() == pytest.approx(mean)
    assert 1 / obs_filter.inverse_deviation.item() == pytest.approx((mean_square - mean**2) ** 0.5)


def test_batches_add_up_to_the_same_filter_as_one() -> None:
    obs = observations(100)
    np.testing.assert_allclose(fed(obs[:, :37], obs[:, 37:])(obs), fed(obs)(obs), rtol=1e-6)


def test_the_deviation_is_at_least_a_tenth() -> None:
    obs_filter = fed(np.full((1, 100_000, 1), 5.0))
    assert obs_filter(np.array([[[5.3]]])).item() == pytest.approx(3.0, abs=1e-4)


def test_what_is_further_than_five_deviations_is_clipped() -> None:
    obs_filter = fed(observations(lanes=1))
    far = np.array([[[6.0, 200.0, -9.0], [4.9, -70.0, 2.0]]])
    assert obs_filter(far)[0, 0].tolist() == [5.0, 5.0, -5.0]
    assert (np.abs(obs_filter(far)[0, 1]) < 5).all()


def test_a_large_offset_does_not_drown_the_deviation() -> None:
    obs = observations(count=1_000_000, lanes=1, size=1) + 1000
    n, extra = obs.size, 0.01  # the pseudo-count is so much weight at mean 0 and mean square 1
    mean = n * obs.mean() / (n + extra)
    variance = (n * np.mean((obs - mean) ** 2) + extra * (1 + mean**2)) / (n + extra)  # in two passes: no cancellation
    assert fed(obs).inverse_deviation.item() == pytest.approx(variance**-0.5, rel=1e-8)


def test_lanes_are_filtered_apart_and_what_breaks_one_leaves_the_others() -> None:
    obs = observations(100)
    broken = obs.copy()
    broken[0, 50] = np.nan
    assert np.isnan(fed(broken)(obs)[0]).all()
    np.testing.assert_array_equal(fed(broken)(obs)[1], fed(obs)(obs)[1])
    np.testing.assert_array_equal(fed(obs)(obs)[1], fed(obs[1:])(obs[1:])[0])


def test_without_normalisation_observations_stay_raw_and_unclipped() -> None:
    obs_filter = ObsFilter(2, vectors(3), "off")
    obs_filter.update(rollout_of(observations()))
    np.testing.assert_array_equal(obs_filter(observations()), observations().astype(np.float32))


def test_an_initial_filter_clips_and_is_updated_by_no_rollout() -> None:
    obs_filter, fresh = ObsFilter(2, vectors(3), "initial"), filter_of(2, 3)
    obs_filter.update(rollout_of(observations()))
    np.testing.assert_array_equal(obs_filter(observations()), fresh(observations()))
    assert np.abs(obs_filter(observations())).max() == 5


def test_where_a_rollout_ends_is_taken_in_with_the_next_one() -> None:
    obs = observations(50)
    rollout = rollout_of(obs)
    rollout.obs[:, -1] = 1e6  # where the next rollout starts
    obs_filter = filter_of(2, 3)
    obs_filter.update(rollout)
    np.testing.assert_array_equal(obs_filter(obs), fed(obs)(obs))


def test_observations_of_weight_0_do_not_count() -> None:
    obs, weight = observations(300), np.ones((2, 300))
    weight[0, 120:], weight[1, ::3] = 0, 0
    weighted, plain = filter_of(2, 3), [filter_of(1, 3) for _ in range(2)]
    for _ in range(2):
        weighted.update(rollout_of(obs * weight[..., None], weight))
        for lane in range(2):
            plain[lane].update(rollout_of(obs[lane : lane + 1, weight[lane] > 0]))
    assert weighted.count.ravel().tolist() == [240.01, 400.01]
    for lane in range(2):
        np.testing.assert_allclose(weighted.mean[lane], plain[lane].mean[0], rtol=1e-12)
        np.testing.assert_allclose(weighted.inverse_deviation[lane], plain[lane].inverse_deviation[0], rtol=1e-12)


def test_where_all_observations_count_their_weights_change_no_bit() -> None:
    weighted, obs = filter_of(2, 3), observations(300)
    weighted.update(rollout_of(obs, np.ones((2, 300))))
    np.testing.assert_array_equal(weighted(obs), fed(obs)(obs))


def test_a_lane_in_which_none_counts_keeps_its_filter() -> None:
    obs_filter, obs = fed(observations(100)), observations(50)
    before, weight = obs_filter(observations(100)), np.ones((2, 50))
    obs[1], weight[1] = 0, 0
    obs_filter.update(rollout_of(obs, weight))
    after = obs_filter(observations(100))
    np.testing.assert_array_equal(after[1], before[1])
    assert not np.array_equal(after[0], before[0])


def test_a_lane_put_back_goes_on_with_the_same_bits() -> None:
    obs = observations(300)
    straight, resumed = fed(obs[:, :200]), fed(obs[:, :100] * 9)
    for lane in range(2):
        resumed.set_state(lane, straight.get_state(lane))
    np.testing.assert_array_equal(resumed(obs), straight(obs))
    for obs_filter in (straight, resumed):
        obs_filter.update(rollout_of(obs[:, 200:]))
    np.testing.assert_array_equal(resumed(obs), straight(obs))


# -- rewards (Not in the paper: ppo2) ----------------------------------------------------------------------------------

GAMMA = np.array([0.9, 0.99])


def rewards(steps: int = 50, lanes: int = 2, actors: int = 4) -> tuple[Floats, Any]:
    rng = np.random.default_rng(1)
    return rng.normal(2.0, 5.0, (lanes, steps, actors)), rng.random((lanes, steps, actors)) < 0.1


def scaled_with_gymnasiums_moments(reward: Floats, cut: Any, gamma: float) -> Floats:
    """ppo2's VecNormalize for one run [T, N]: divide by the deviation of the running discounted return."""
    moments, running, scaled = RunningMeanStd(shape=()), np.zeros(reward.shape[1]), []
    for r, over in zip(reward, cut, strict=True):
        running = running * gamma + r
        moments.update(running)
        scaled.append(np.clip(r / np.sqrt(moments.var + 1e-8), -10, 10))
        running = np.where(over, 0.0, running)
    return np.array(scaled)


def test_rewards_are_divided_by_the_running_deviation_of_the_discounted_return() -> None:
    reward, cut = rewards()
    ours = RewardFilter(2, 4)(reward, cut, GAMMA)
    for lane in range(2):
        np.testing.assert_allclose(ours[lane], scaled_with_gymnasiums_moments(reward[lane], cut[lane], GAMMA[lane]))


def test_scaled_rewards_are_clipped_to_plus_minus_ten() -> None:
    reward = np.where(np.arange(1000) == 999, -1000.0, np.tile([1.0, -1.0], 500)).reshape(1, 1000, 1)
    scaled = RewardFilter(1, 1)(reward, np.zeros_like(reward, bool), np.array([0.5]))
    assert scaled[0, -1, 0] == -10
    assert np.abs(scaled[0, 500:-1]).max() < 5


def test_the_running_return_starts_again_with_each_episode_and_goes_on_across_rollouts() -> None:
    reward, cut = rewards()
    parts, whole = RewardFilter(2, 4), RewardFilter(2, 4)
    halves = [parts(reward[:, s], cut[:, s], GAMMA) for s in (slice(0, 20), slice(20, 50))]
    np.testing.assert_array_equal(np.concatenate(halves, 1), whole(reward, cut, GAMMA))
    assert not np.allclose(whole(reward, cut, GAMMA), RewardFilter(2, 4)(reward, np.zeros_like(cut), GAMMA))


def test_a_reward_filter_put_back_goes_on_with_the_same_bits() -> None:
    reward, cut = rewards()
    first, second = RewardFilter(2, 4), RewardFilter(2, 4)
    first(reward, cut, GAMMA)
    for lane in range(2):
        second.set_state(lane, first.get_state(lane))
    np.testing.assert_array_equal(second(reward, cut, GAMMA), first(reward, cut, GAMMA))
