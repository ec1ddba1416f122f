"""What PPO estimates from a rollout: values, targets, normalised advantages, and time limits in two readings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppo.data import Floats, Rollout
from ppo.learning.filters import RewardFilter
from tests.ppo.algorithms.fakes import make_filter, make_learner, make_rollout
from tests.ppo.handmade import rollout_of


def test_values_are_those_of_rollout_time_before_the_filter_moves() -> None:
    learner, rollout, obs_filter = make_learner(), make_rollout(), make_filter()
    obs_filter.update(rollout_of(np.random.default_rng(9).normal(5.0, 2.0, (3, 100, 3))))
    batch = learner.estimate_advantages(rollout, obs_filter)
    seen = torch.from_numpy(obs_filter(rollout.obs[:, :-1, 0]))
    for lane in range(3):
        expected = learner.network.value(learner.theta[lane], seen[lane])
        np.testing.assert_allclose(batch.value[lane], expected, rtol=1e-5, atol=1e-6)


def test_the_value_target_is_the_raw_advantage_plus_the_value_however_advantages_are_normalised() -> None:
    batches = {
        mode: make_learner(f"normalize_adv={mode}").estimate_advantages(make_rollout(), make_filter())
        for mode in ("batch", "minibatch", "none")
    }
    raw = batches["none"]
    np.testing.assert_allclose(raw.value_target, raw.adv + raw.value)
    np.testing.assert_array_equal(batches["minibatch"].adv, raw.adv)
    centred = raw.adv - raw.adv.mean(1, keepdims=True)
    np.testing.assert_allclose(batches["batch"].adv, centred / raw.adv.std(1, keepdims=True))
    for batch in batches.values():
        np.testing.assert_array_equal(batch.value_target, raw.value_target)


def test_the_last_state_of_an_unfinished_episode_is_worth_its_value() -> None:
    learner, rollout, obs_filter = make_learner("normalize_adv=none"), make_rollout(), make_filter()
    rollout.terminated[:, -1], rollout.truncated[:, -1] = False, False
    batch = learner.estimate_advantages(rollout, obs_filter)
    last = torch.from_numpy(obs_filter(rollout.obs[:, -1]))
    for lane in range(3):
        future = 0.99 * learner.network.value(learner.theta[lane], last[lane]).item()
        expected = rollout.reward[lane, -1, 0] + future - batch.value[lane, -1]
        assert batch.adv[lane, -1] == pytest.approx(expected, abs=1e-5)


def both_readings_of_a_time_limit(lam: float) -> tuple[Floats, Floats, Rollout, Floats]:
    """Advantages [3, T] as terminal and as bootstrap, the rollout, and gamma V of what each step led to [3, T]."""
    rollout, obs_filter = make_rollout(keep_final=True), make_filter()
    cuts, bootstraps = (
        make_learner("normalize_adv=none", f"lam={lam}", f"time_limit={reading}")
        for reading in ("terminal", "bootstrap")
    )
    assert (cuts.rollout.keep_final, bootstraps.rollout.keep_final) == (False, True)
    terminal = cuts.estimate_advantages(rollout._replace(final_obs=None), obs_filter).adv
    bootstrap = bootstraps.estimate_advantages(rollout, obs_filter).adv
    final = torch.from_numpy(obs_filter(rollout.final_obs[:, :, 0]))
    value = torch.stack([cuts.network.value(cuts.theta[lane], final[lane]) for lane in range(3)])
    return terminal, bootstrap, rollout, 0.99 * value.numpy()


def test_the_reading_of_a_time_limit_matters_at_truncated_steps_only() -> None:
    terminal, bootstrap, rollout, future = both_readings_of_a_time_limit(lam=0.0)
    truncated = rollout.truncated[:, :, 0]
    assert truncated.any()
    assert rollout.terminated.any()
    np.testing.assert_allclose(bootstrap - terminal, np.where(truncated, future, 0.0), atol=1e-6)


def test_with_lambda_it_matters_to_the_episodes_that_were_truncated_only() -> None:
    terminal, bootstrap, rollout, _ = both_readings_of_a_time_limit(lam=0.95)
    for lane in range(3):
        matters = False
        for t in reversed(range(32)):
            if rollout.truncated[lane, t, 0]:
                matters = True
            elif rollout.terminated[lane, t, 0]:
                matters = False
            assert (abs(bootstrap[lane, t] - terminal[lane, t]) > 1e-5) == matters


def test_normalised_rewards_take_the_place_of_rewards() -> None:
    rollout, gamma = make_rollout(actors=2), np.full(3, 0.99)
    over = rollout.terminated | rollout.truncated
    scaled = rollout._replace(reward=RewardFilter(3, 2)(rollout.reward, over, gamma))
    assert not np.allclose(scaled.reward, rollout.reward)
    plain, normalising = make_learner("num_actors=2"), make_learner("num_actors=2", "normalize_reward=true")
    expected = plain.estimate_advantages(scaled, make_filter())
    ours = normalising.estimate_advantages(rollout, make_filter())
    np.testing.assert_array_equal(ours.value_target, expected.value_target)


def test_each_run_has_its_own_gamma_and_lambda() -> None:
    own = (["algorithm.gamma=0.5"], ["algorithm.lam=0.1"], [])
    mixed = make_learner(lanes=own).estimate_advantages(make_rollout(), make_filter())
    for lane, overrides in enumerate(own):
        alike = make_learner(lanes=[overrides] * 3)
        alike.theta[:] = make_learner(lanes=own).theta
        np.testing.assert_array_equal(
            mixed.adv[lane], alike.estimate_advantages(make_rollout(), make_filter()).adv[lane]
        )
