"""PPO's learner: how often it steps on what, its schedules, its betas and what it records."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from ppo.algorithms.ppo.learner import PPOLearner
from ppo.config.compose import compose
from ppo.data import Moment
from ppo.networks.flat import FlatNetwork
from tests.ppo.algorithms.fakes import (
    SMALL,
    SPEC,
    START,
    Spy,
    learn,
    make_filter,
    make_learner,
    make_rollout,
    of_algorithm,
)
from tests.ppo.handmade import learner_of


def policy(network: FlatNetwork, theta: Tensor, obs: Tensor) -> Independent:
    mean, log_std = network.policy(theta, obs).chunk(2, -1)
    return Independent(Normal(mean, log_std.exp()), 1)


# -- what is stepped on ------------------------------------------------------------------------------------------------


def test_table_3_makes_320_adam_steps_per_iteration() -> None:
    table_3 = compose().algorithm
    counts = {key: getattr(table_3, key) for key in ("horizon", "minibatch_size", "epochs")}
    assert counts == {"horizon": 2048, "minibatch_size": 64, "epochs": 10}
    learner = make_learner(*(f"{key}={value}" for key, value in counts.items()))
    spy = Spy(learner)
    learn(learner, make_rollout(2048))
    assert learner.adam.steps.tolist() == [320, 320, 320]
    assert len(spy.samples) == 320
    assert {s.obs.shape[:2] for s in spy.samples} == {(3, 64)}


def test_every_sample_is_used_once_per_epoch_in_an_order_of_its_own() -> None:
    learner, rollout = make_learner("num_actors=2"), make_rollout(actors=2)
    number = np.arange(3 * 64.0).reshape(3, 64)
    rollout.action[..., 0] = torch.from_numpy(number).float().reshape(3, 32, 2)
    spy = Spy(learner)
    learn(learner, rollout)
    actions = torch.stack([s.action[..., 0] for s in spy.samples])
    used = actions.transpose(0, 1).reshape(3, 3, 64).numpy()  # [lane, epoch, sample]
    assert (np.sort(used, -1) == number[:, None]).all()
    orders = {tuple(epoch % 64) for lane in used for epoch in lane}
    assert len(orders) == 9
    assert tuple(number[0]) not in orders


def test_runs_of_one_seed_are_shuffled_alike() -> None:
    learner = make_learner(lanes=(["seed=4"], ["seed=4"], ["seed=5"]))
    spy = Spy(learner)
    learn(learner, make_rollout()._replace(obs=np.broadcast_to(np.arange(33.0)[None, :, None, None], (3, 33, 1, 3))))
    first, second, third = torch.stack([s.obs[..., 0] for s in spy.samples], 1)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_at_the_first_minibatch_the_ratio_is_one_although_the_filter_has_moved() -> None:
    learner, rollout, behaviour, obs_filter = make_learner(), make_rollout(), make_filter(), make_filter()
    network, spy = learner.network, Spy(learner)
    learn(learner, rollout, obs_filter=obs_filter)

    def logp(theta: Tensor, obs: Tensor, action: Tensor) -> Tensor:
        return network.distribution.logp(network.policy(theta, obs), action)

    samples, raw = spy.samples[0], rollout.obs[:, :-1, 0]
    old, new = (torch.from_numpy(f(raw)) for f in (behaviour, obs_filter))
    for lane, theta in enumerate(spy.theta[0]):
        now = logp(theta, samples.obs[lane], samples.action[lane])
        assert (torch.exp(now - samples.logp_old[lane]) - 1).abs().max() < 1e-6
        action = rollout.action[lane, :, 0]  # under the filter that acted it had another probability
        ratio = torch.exp(logp(theta, new[lane], action) - logp(theta, old[lane], action))
        assert (ratio - 1).abs().max() > 1e-3


def test_every_minibatch_holds_the_old_policy_of_its_own_samples() -> None:
    learner, rollout, obs_filter = make_learner("lr=0.1"), make_rollout(), make_filter()
    theta_old, spy = learner.theta.clone(), Spy(learner)
    learn(learner, rollout, obs_filter=obs_filter)
    for samples in spy.samples:
        for lane in range(3):
            dist = learner.network.policy(theta_old[lane], samples.obs[lane])
            torch.testing.assert_close(samples.dist_old[lane], dist)
    assert not torch.equal(learner.theta, theta_old)


# -- schedules ---------------------------------------------------------------------------------------------------------

SCHEDULES = (
    ["algorithm.lr_schedule=linear", "algorithm.lr=1e-3"],
    ["algorithm.epsilon_schedule=linear", "surrogate.epsilon=0.1"],
    ["surrogate=none"],
)


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.5, 0.999])
def test_stepsize_and_clipping_range_go_from_one_to_zero_times_their_value_if_linear(progress: float) -> None:
    learner = make_learner(lanes=SCHEDULES)
    spy = Spy(learner)
    columns = learn(learner, make_rollout(), np.full(3, progress))
    remaining = 1 - progress
    assert columns["lr"].tolist() == pytest.approx([1e-3 * remaining, 3e-4, 3e-4])
    assert columns["epsilon"].tolist() == pytest.approx([0.2, 0.1 * remaining, math.inf])
    for c, epsilon in zip(spy.coefficients, spy.epsilon, strict=True):
        np.testing.assert_allclose(c.lr, columns["lr"], rtol=1e-6)
        np.testing.assert_allclose(epsilon, columns["epsilon"], rtol=1e-6)


def test_each_run_of_a_pack_is_at_its_own_point_of_the_schedule() -> None:
    learner = make_learner(lanes=[["algorithm.lr_schedule=linear"]] * 3)
    columns = learn(learner, make_rollout(), np.array([0.0, 0.5, 0.75]))
    assert columns["lr"].tolist() == pytest.approx([3e-4, 1.5e-4, 0.75e-4])


def test_at_the_end_of_a_linear_schedule_nothing_moves() -> None:
    learner = make_learner("lr_schedule=linear")
    before = learner.theta.clone()
    learn(learner, make_rollout(), np.ones(3))
    assert torch.equal(learner.theta, before)


def test_near_the_end_of_a_linear_schedule_an_absent_clip_is_still_absent() -> None:
    unclipped = compose([*of_algorithm(SMALL), "surrogate=none"])
    algorithm = replace(unclipped.algorithm, epsilon_schedule="linear")  # on the command line it is refused
    learner = learner_of([replace(unclipped, algorithm=algorithm)] * 3, SPEC)
    columns = learn(learner, make_rollout(), np.full(3, 0.999))
    assert (columns["epsilon"] == math.inf).all()


def test_a_runs_coefficients_reach_its_steps() -> None:
    own = ["algorithm.c1=0.5", "algorithm.c2=0.01", "algorithm.adam_epsilon=1e-8", "surrogate=kl_fixed"]
    learner = make_learner("max_grad_norm=0.5", "value_clip=0.2", lanes=([*own, "surrogate.beta=3"], [], []))
    spy = Spy(learner)
    learn(learner, make_rollout())
    c = spy.coefficients[0]
    assert c.c1.tolist() == pytest.approx([0.5, 1, 1])
    assert c.c2.tolist() == pytest.approx([0.01, 0, 0])
    assert c.adam_epsilon.tolist() == pytest.approx([1e-8, 1e-5, 1e-5])
    assert spy.beta[0] == [3, 0, 0]
    assert spy.epsilon[0] == pytest.approx([math.inf, 0.2, 0.2])
    assert c.max_grad_norm.tolist() == [0.5] * 3
    assert c.value_clip.tolist() == pytest.approx([0.2] * 3)


# -- beta --------------------------------------------------------------------------------------------------------------


def betas(learner: PPOLearner) -> list[float]:
    return [learner.objectives.of(lane, "beta") or 0.0 for lane in range(3)]


def test_an_adaptive_beta_moves_after_the_iteration_and_is_used_in_the_next_one_only() -> None:
    still, wild = ["surrogate=kl_adaptive", "algorithm.lr=1e-12"], ["surrogate=kl_adaptive", "algorithm.lr=0.3"]
    fixed = ["surrogate=kl_fixed", "algorithm.lr=0.3", "surrogate.beta=10"]
    learner = make_learner(lanes=(still, wild, fixed))
    spy = Spy(learner)
    for beta in ([1, 1, 10], [0.5, 2, 10]):
        spy.beta.clear()
        columns = learn(learner, make_rollout())
        assert columns["kl"][0] < 0.01 / 1.5
        assert columns["kl"][1] > 0.01 * 1.5
        assert columns["beta"].tolist() == beta
        assert set(map(tuple, spy.beta)) == {tuple(beta)}
    assert betas(learner) == [0.25, 4, 10]


# -- what is recorded --------------------------------------------------------------------------------------------------


def test_kl_is_that_of_the_old_from_the_new_policy_over_the_whole_batch_and_entropy_is_the_new_ones() -> None:
    learner, rollout, obs_filter = make_learner("lr=0.03", "c2=1"), make_rollout(), make_filter()
    theta_old = learner.theta.clone()
    columns = learn(learner, rollout, obs_filter=obs_filter)
    obs = torch.from_numpy(obs_filter(rollout.obs[:, :-1, 0]))
    for lane in range(3):
        old, new = (policy(learner.network, theta[lane], obs[lane]) for theta in (theta_old, learner.theta))
        kl, reversed_kl = kl_divergence(old, new).mean().item(), kl_divergence(new, old).mean().item()
        assert abs(kl - reversed_kl) > 0.1 * kl  # the order matters here
        assert columns["kl"][lane] == pytest.approx(kl, rel=1e-4)
        assert columns["entropy"][lane] == pytest.approx(new.entropy().mean().item(), rel=1e-5)


def test_objective_and_value_loss_are_means_over_all_minibatches() -> None:
    learner = make_learner("lr=1e-12", "epochs=2", "normalize_adv=none")
    rollout = make_rollout()
    batch = learner.estimate_advantages(rollout, make_filter())
    obs_filter = make_filter()
    obs_filter.update(rollout)
    columns = learner.update(batch, Moment(START, obs_filter))
    obs = torch.from_numpy(obs_filter(rollout.obs[:, :-1, 0]))
    for lane in range(3):
        value = learner.network.value(learner.theta[lane], obs[lane]).numpy()
        assert columns["objective"][lane] == pytest.approx(batch.adv[lane].mean(), rel=1e-4, abs=1e-6)  # ratios are 1
        assert columns["value_loss"][lane] == pytest.approx(np.mean((value - batch.value_target[lane]) ** 2), rel=1e-4)
    assert columns["clip_fraction"].tolist() == [0, 0, 0]
    assert columns["skipped"].tolist() == [0, 0, 0]


def test_a_run_that_sees_nan_skips_and_counts_every_step_and_its_mates_do_not_notice() -> None:
    clean, broken = make_rollout(), make_rollout()
    broken.reward[1, 10] = math.nan
    healthy, ill = make_learner(), make_learner()
    before = ill.theta.clone()
    learn(healthy, clean)
    columns = learn(ill, broken)
    assert columns["skipped"].tolist() == [0, 12, 0]
    assert torch.equal(ill.theta[1], before[1])
    assert ill.adam.steps.tolist() == [12, 0, 12]
    for ours, theirs in ((ill.theta, healthy.theta), *zip(ill.adam, healthy.adam, strict=True)):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])


# -- from one iteration to the next ------------------------------------------------------------------------------------


def test_the_actor_acts_with_the_new_parameters() -> None:
    learner = make_learner("lr=0.1")
    obs, still = np.ones((3, 1, 3), np.float32), np.zeros((3, 1, 2), np.float32)
    before = learner.actor(obs, still)
    learn(learner, make_rollout())
    after = learner.actor(obs, still)
    assert not np.array_equal(before, after)
    for lane in range(3):
        mean = learner.network.policy(learner.theta[lane], torch.ones(1, 3))[:, :2]
        torch.testing.assert_close(torch.from_numpy(after[lane]), mean)


def test_adams_moments_are_kept_from_iteration_to_iteration() -> None:
    learner = make_learner()
    learn(learner, make_rollout())
    learn(learner, make_rollout(seed=1))
    assert learner.adam.steps.tolist() == [24, 24, 24]


def test_a_lane_put_back_into_another_pack_goes_on_with_the_same_bits() -> None:
    lanes = (["surrogate=kl_adaptive"], ["surrogate=clip"], ["surrogate=none"])
    straight, resumed = (make_learner("normalize_reward=true", "lr=0.01", lanes=lanes) for _ in range(2))
    learn(straight, make_rollout())
    resumed.theta[:] = 0
    for lane in range(3):
        resumed.set_state(lane, straight.get_state(lane))
        resumed.orders[lane].bit_generator.state = straight.orders[lane].bit_generator.state
    first, second = (learn(learner, make_rollout(seed=1)) for learner in (straight, resumed))
    assert torch.equal(straight.theta, resumed.theta)
    assert betas(straight) == betas(resumed) != [1.0, 0.0, 0.0]
    assert all(np.array_equal(first[k], second[k], equal_nan=True) for k in first)
    torch.testing.assert_close(straight.actor.head, resumed.actor.head, rtol=0, atol=0)
