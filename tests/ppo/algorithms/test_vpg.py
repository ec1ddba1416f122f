"""Vanilla PG: its stepsize rule, its gradient, whole episodes and their padding, and the value function's turn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence

from ppo.config.compose import compose
from ppo.data import Floats, Moment
from ppo.learning.adam import adapt_stepsize
from tests.ppo.algorithms.baseline_fakes import (
    START,
    Spy,
    actions,
    filtered,
    learn,
    make_filter,
    make_learner,
    make_rollout,
    policy,
)

STEPS = ([30], [17], [24])  # of each lane's episodes


def whole_episodes(horizon: int = 40, seed: int = 0) -> Any:
    return make_rollout(horizon, steps=STEPS, keep_final=True, seed=seed)


# -- the stepsize (footnote 3) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kl", "factor"),
    [(2.01, 1 / 1.5), (100.0, 1 / 1.5), (1.99, 1), (2.0, 1), (1.0, 1), (0.51, 1), (0.5, 1), (0.49, 1.5), (0.0, 1.5)],
)
def test_the_stepsize_is_adapted_outside_half_and_twice_the_target(kl: float, factor: float) -> None:
    target = 0.002
    lr = adapt_stepsize(np.array([1e-3]), np.array([kl * target]), np.array([target]))
    assert lr.tolist() == pytest.approx([1e-3 * factor])


def test_the_stepsize_stays_within_its_bounds_and_where_there_is_no_target_or_no_kl() -> None:
    lr, kl = np.array([1.1e-6, 9.9e-3, 1.0, 1e-3]), np.array([1.0, 0.0, 9.0, math.nan])
    adapted = adapt_stepsize(lr, kl, np.array([0.002, 0.002, math.nan, 0.002]))
    assert adapted.tolist() == [1e-6, 1e-2, 1.0, 1e-3]


def test_the_next_update_uses_the_stepsize_that_this_ones_kl_asks_for() -> None:
    settings = compose(["algorithm=vpg"]).algorithm
    assert (settings.lr, settings.kl_target) == (1e-3, 0.002)
    lanes = (["algorithm.kl_target=1e-12"], ["algorithm.kl_target=1e6"], ["algorithm.lr=1e-4"])
    learner = make_learner("vpg", lanes=lanes)
    step = Spy(learner, "_step")
    first, second = (learn(learner, whole_episodes(seed=seed)) for seed in (0, 1))
    assert first["lr"].tolist() == [1e-3, 1e-3, 1e-4]
    assert second["lr"][:2].tolist() == pytest.approx([1e-3 / 1.5, 1.5e-3])
    for call, columns in zip(step.calls, (first, second), strict=True):
        np.testing.assert_allclose(call.arguments[5], columns["lr"], rtol=1e-6)
    by_table = adapt_stepsize(second["lr"], second["kl"], np.array([1e-12, 1e6, 0.002]))
    assert learner.lr.tolist() == by_table.tolist()


# -- the gradient ------------------------------------------------------------------------------------------------------


def gradients(learner: Any, lane: int, theta: Tensor, adv: Floats) -> tuple[Tensor, Tensor]:
    """Of L^PG, equation (2), and of L^CPI, equation (6), at the old policy, from what counts; in double precision."""
    rollout, obs_filter = whole_episodes(), make_filter()
    obs_filter.update(rollout)
    counts, result = STEPS[lane][0], []
    obs, action = (x[lane, :counts] for x in (filtered(obs_filter, rollout), actions(rollout)))
    weight = torch.from_numpy(adv[lane, :counts])
    old = policy(learner.network, theta.double(), obs).log_prob(action)
    for of_logp in (lambda logp: logp, lambda logp: torch.exp(logp - old)):
        parameter = theta.double().requires_grad_()
        logp = policy(learner.network, parameter, obs).log_prob(action)
        (of_logp(logp) * weight).mean().backward()
        result.append(parameter.grad)
    return result[0], result[1]


def test_the_gradient_is_that_of_l_pg_and_of_l_cpi_at_the_old_policy() -> None:
    learner = make_learner("vpg")
    theta = learner.theta.clone()
    adv = learner.estimate_advantages(whole_episodes(), make_filter()).adv
    columns = learn(learner, whole_episodes())
    for lane in range(3):
        l_pg, l_cpi = gradients(learner, lane, theta[lane], adv)
        torch.testing.assert_close(l_pg, l_cpi)
        ours = -learner.adam.m[lane].double() / 0.1  # of a loss: after one step the first moment is a tenth of it
        torch.testing.assert_close(ours, l_pg, rtol=1e-4, atol=1e-6)
        assert (ours[learner.network.part("value")] == 0).all()
        assert columns["grad_norm"][lane] == pytest.approx(l_pg.norm().item(), rel=1e-4)


def test_one_adam_step_is_taken_per_batch_up_the_gradient() -> None:
    learner = make_learner("vpg", lanes=(["algorithm.lr=1e-3"], ["algorithm.lr=1e-4"], ["algorithm.lr=1e-5"]))
    before = learner.theta.clone()
    learn(learner, whole_episodes())
    assert learner.adam.steps.tolist() == [1, 1, 1]
    large = learner.adam.m.abs() > 1e-4
    for lane, lr in enumerate((1e-3, 1e-4, 1e-5)):  # Adam's first step is the stepsize
        step = (learner.theta - before)[lane, large[lane]]
        torch.testing.assert_close(step, -lr * learner.adam.m[lane, large[lane]].sign(), rtol=2e-2, atol=1e-7)
    learn(learner, whole_episodes(seed=1))
    assert learner.adam.steps.tolist() == [2, 2, 2]


def test_kl_and_entropy_are_means_over_what_counts() -> None:
    learner, obs_filter = make_learner("vpg", "lr=0.01"), make_filter()
    theta_old = learner.theta.clone()
    columns = learn(learner, whole_episodes(), obs_filter=obs_filter)
    obs = filtered(obs_filter, whole_episodes())
    for lane, (count,) in enumerate(STEPS):
        old, new = (policy(learner.network, t[lane].double(), obs[lane, :count]) for t in (theta_old, learner.theta))
        assert columns["kl"][lane] == pytest.approx(kl_divergence(old, new).mean().item(), rel=2e-3)
        assert columns["entropy"][lane] == pytest.approx(new.entropy().mean().item(), rel=1e-5)


def test_a_run_without_a_gradient_skips_its_step_and_its_mates_take_theirs() -> None:
    ill, healthy = make_learner("vpg"), make_learner("vpg")
    before, obs_filter = ill.theta.clone(), make_filter()
    batch = ill.estimate_advantages(whole_episodes(), obs_filter)
    batch.adv[1] = math.nan
    obs_filter.update(whole_episodes())
    columns = ill.update(batch, Moment(START, obs_filter))
    learn(healthy, whole_episodes())
    of_policy = ill.network.part("policy", "log_std")
    assert columns["skipped"].tolist() == [0, 1, 0]
    assert torch.equal(ill.theta[1, of_policy], before[1, of_policy])
    assert ill.adam.steps.tolist() == [1, 0, 1]
    assert torch.equal(ill.theta[[0, 2]], healthy.theta[[0, 2]])


# -- the value function ------------------------------------------------------------------------------------------------


def test_the_value_function_is_used_before_it_is_fitted() -> None:
    learner, obs_filter = make_learner("vpg"), make_filter()
    start, fit = learner.theta.clone(), Spy(learner, "value_fit")
    obs = filtered(obs_filter, whole_episodes())
    batch = learner.estimate_advantages(whole_episodes(), obs_filter)
    obs_filter.update(whole_episodes())
    learner.update(batch, Moment(START, obs_filter))
    between = fit.calls[0].arguments[0]
    of_policy, of_value = learner.network.part("policy", "log_std"), learner.network.part("value")
    assert torch.equal(between[:, of_value], start[:, of_value])
    assert (between[:, of_policy] != start[:, of_policy]).any(-1).all()
    assert torch.equal(learner.theta[:, of_policy], between[:, of_policy])
    assert (learner.theta[:, of_value] != start[:, of_value]).any(-1).all()
    for lane, (count,) in enumerate(STEPS):
        value = learner.network.value(start[lane].double(), obs[lane, :count])
        np.testing.assert_allclose(batch.value[lane, :count], value, rtol=1e-4, atol=1e-5)


def test_an_episode_that_was_cut_goes_on_with_the_value_of_where_it_was() -> None:
    rollout, obs_filter = whole_episodes(), make_filter()
    learner, terminal = make_learner("vpg"), make_learner("vpg", "time_limit=terminal")
    assert (learner.rollout.keep_final, terminal.rollout.keep_final) == (True, False)
    for lane, (count,) in enumerate(STEPS):
        rollout.truncated[lane, count - 1], rollout.terminated[lane, count - 1] = True, False
    bootstrap = learner.estimate_advantages(rollout, obs_filter)
    without = terminal.estimate_advantages(rollout._replace(final_obs=None), obs_filter)
    for lane, (count,) in enumerate(STEPS):
        final = torch.from_numpy(obs_filter(rollout.final_obs[:, count - 1])[lane])
        future = 0.99 * learner.network.value(learner.theta[lane], final).item()
        difference = (bootstrap.value_target - without.value_target)[lane, count - 1]
        assert difference == pytest.approx(future, rel=1e-4)


# -- whole episodes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actors", [1, 4])
def test_each_actor_plays_whole_episodes_until_it_has_more_than_its_share_of_the_batch(actors: int) -> None:
    length = make_learner("vpg", "batch_steps=100", f"num_actors={actors}").rollout.length
    assert length.episodes_after == 100 // actors
    assert length.horizon == 100 // actors + 20  # at its share's last step an episode of 20 may begin


def test_advantages_are_standardized_over_what_counts() -> None:
    batch = make_learner("vpg").estimate_advantages(whole_episodes(), make_filter())
    for lane, (count,) in enumerate(STEPS):
        raw = (batch.value_target - batch.value)[lane, :count]
        np.testing.assert_allclose(batch.adv[lane, :count], (raw - raw.mean()) / raw.std())
        assert (batch.adv[lane, count:] == 0).all()


def test_padding_has_no_influence_whatever_it_holds() -> None:
    clean, full_of_nonsense = make_learner("vpg"), make_learner("vpg")
    results = []
    for learner, nonsense in ((clean, 0.0), (full_of_nonsense, 1e4)):
        obs_filter = make_filter()
        batch = learner.estimate_advantages(whole_episodes(), obs_filter)
        padding = batch.weight == 0
        for column in (batch.adv, batch.value, batch.value_target, batch.action[:, :, 0].numpy()):
            column[padding] += nonsense
        obs_filter.update(whole_episodes())
        results.append(learner.update(batch, Moment(START, obs_filter)))
    assert torch.equal(clean.theta, full_of_nonsense.theta)
    assert torch.equal(clean.adam.m, full_of_nonsense.adam.m)
    assert all(np.array_equal(results[0][key], results[1][key]) for key in results[0])


def test_longer_padding_changes_nothing_but_the_order_of_sums() -> None:
    short, long = make_learner("vpg"), make_learner("vpg")
    for seed in range(3):
        padded = _padded(whole_episodes(seed=seed), 25)
        first, second = learn(short, whole_episodes(seed=seed)), learn(long, padded)
    torch.testing.assert_close(short.theta, long.theta, rtol=1e-4, atol=1e-5)
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_allclose(first[key], second[key], rtol=1e-3, atol=1e-6)


def _padded(rollout: Any, more: int) -> Any:
    """With that many more steps at which nobody stepped."""
    columns = {}
    for key in ("final_obs", "action", "reward", "terminated", "truncated", "stepped"):
        array = np.asarray(getattr(rollout, key))
        columns[key] = np.concatenate([array, np.zeros_like(array[:, :more])], 1)
    obs = np.concatenate([rollout.obs[:, :-1], np.zeros((3, more, 1, 3)), rollout.obs[:, -1:]], 1)
    return rollout._replace(**columns | {"obs": obs, "action": torch.from_numpy(columns["action"])})


def test_the_filter_takes_in_what_counts_only() -> None:
    obs_filter = make_filter()
    learn(make_learner("vpg"), whole_episodes(), obs_filter=obs_filter)
    for lane, (count,) in enumerate(STEPS):
        obs = whole_episodes().obs[lane, :count, 0]
        np.testing.assert_allclose(obs_filter.mean[lane, 0], obs.sum(0) / (count + 0.01))
    assert obs_filter.count.ravel().tolist() == pytest.approx([30.01, 17.01, 24.01])


# -- from one iteration to the next ------------------------------------------------------------------------------------


def test_a_lane_put_back_into_another_pack_goes_on_with_the_same_bits() -> None:
    straight, resumed = (make_learner("vpg", "kl_target=1e-6") for _ in range(2))
    learn(straight, whole_episodes())
    assert (straight.lr != 1e-3).all()
    resumed.theta[:] = 0
    for lane in range(3):
        resumed.set_state(lane, straight.get_state(lane))
        resumed.value_fit.orders[lane].bit_generator.state = straight.value_fit.orders[lane].bit_generator.state
    np.testing.assert_array_equal(straight.actor.head[0], resumed.actor.head[0])
    first, second = (learn(learner, whole_episodes(seed=1)) for learner in (straight, resumed))
    assert torch.equal(straight.theta, resumed.theta)
    assert all(np.array_equal(first[k], second[k], equal_nan=True) for k in first)
