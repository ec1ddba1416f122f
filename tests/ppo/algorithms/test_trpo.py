"""TRPO's step: what its line search accepts, what a rejected one leaves, what is trained, and what is recorded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence

from ppo.config.compose import compose
from ppo.data import Moment
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

MAX_KL, SLACK = (0.01, 1.0, 100.0), (1.5, 0.1, 0.1)


def entries(learner: Any, *names: str) -> Tensor:
    """Those parts of all lanes' theta."""
    return learner.theta[:, learner.network.part(*names)].clone()


def judge(learner: Any, theta_old: Tensor, theta: Tensor, lane: int, adv: np.ndarray) -> tuple[float, float]:
    """The surrogate's gain and mean KL[old, new] of `make_rollout`, in double precision and by torch's Gaussians."""
    rollout, obs_filter = make_rollout(), make_filter()
    obs_filter.update(rollout)
    obs, action = filtered(obs_filter, rollout)[lane], actions(rollout)[lane]
    old, new = (policy(learner.network, t.double(), obs) for t in (theta_old, theta))
    ratio = torch.exp(new.log_prob(action) - old.log_prob(action))
    gain = (ratio * torch.from_numpy(adv[lane])).mean() - adv[lane].mean()
    return gain.item(), kl_divergence(old, new).mean().item()


# -- the line search ---------------------------------------------------------------------------------------------------


def test_the_largest_halving_that_is_no_worse_and_within_the_slack_is_taken() -> None:
    lanes = [[f"algorithm.max_kl={k}", f"algorithm.kl_slack={s}"] for k, s in zip(MAX_KL, SLACK, strict=True)]
    learner = make_learner("trpo", "policy_scale=1", "fisher_stride=1", lanes=lanes)
    search, before = Spy(learner, "_line_search"), learner.theta.clone()
    adv = learner.estimate_advantages(make_rollout(), make_filter()).adv
    columns = learn(learner, make_rollout())
    is_policy, halvings = learner.network.part("policy", "log_std"), []
    for lane, bound in enumerate(np.multiply(MAX_KL, SLACK)):
        full_step = search.calls[0].arguments[0][lane]
        tried = [judge(learner, before[lane], before[lane] + full_step / 2**k, lane, adv) for k in range(10)]
        accepted = [gain >= 0 and kl <= bound for gain, kl in tried]
        halvings.append(accepted.index(True))
        step = (learner.theta - before)[lane, is_policy]
        torch.testing.assert_close(step, full_step[is_policy] / 2 ** halvings[-1], rtol=1e-4, atol=1e-6)
        gain, kl = tried[halvings[-1]]
        assert columns["objective"][lane] == pytest.approx(gain, rel=1e-3, abs=1e-6)
        assert columns["kl"][lane] == pytest.approx(kl, rel=1e-3)
        assert 0 < columns["kl"][lane] <= bound
        assert columns["objective"][lane] > 0
    assert halvings[0] == 0
    assert min(halvings[1:]) > 0, "nobody had to turn back"
    assert columns["skipped"].tolist() == [0, 0, 0]


def test_a_strict_slack_turns_back_what_the_published_one_lets_pass() -> None:
    kl = {}
    for slack in (1.0, 1.5):
        learner = make_learner("trpo", f"kl_slack={slack}", "max_kl=0.1", "policy_scale=1")
        kl[slack] = learn(learner, make_rollout())["kl"]
    assert (kl[1.0] <= 0.1).all()
    assert ((kl[1.5] > 0.1) & (kl[1.5] <= 0.15)).any()


def test_a_rejected_step_leaves_the_policy_bit_for_bit_and_its_mates_take_theirs() -> None:
    lanes = ([], ["algorithm.kl_slack=1e-9"], [])
    learner, alone = make_learner("trpo", lanes=lanes), make_learner("trpo")
    before = entries(learner, "policy", "log_std")
    columns = learn(learner, make_rollout())
    learn(alone, make_rollout())
    after = entries(learner, "policy", "log_std")
    assert torch.equal(after[1], before[1])
    assert torch.equal(learner.theta[[0, 2]], alone.theta[[0, 2]])
    assert (after[[0, 2]] != before[[0, 2]]).any(-1).all()
    assert columns["skipped"].tolist() == [0, 1, 0]
    assert columns["kl"][1] == columns["objective"][1] == 0
    assert columns["grad_norm"][1] > 0


@pytest.mark.parametrize(("surrogate", "distance"), [(math.nan, 0.0), (-1e-3, 0.0), (1.0, math.nan), (math.inf, 9.0)])
def test_a_step_is_rejected_if_the_surrogate_is_worse_or_anything_is_not_a_number(
    surrogate: float, distance: float
) -> None:
    learner = make_learner("trpo")
    before, measure = entries(learner, "policy", "log_std"), learner._measure

    def measured(*arguments: Tensor) -> tuple[Tensor, Tensor]:
        real = measure(*arguments)
        for x, fake in zip(real, (surrogate, distance), strict=True):
            x[1] = fake
        return real

    learner._measure = measured
    columns = learn(learner, make_rollout())
    assert torch.equal(entries(learner, "policy", "log_std")[1], before[1])
    assert columns["skipped"].tolist() == [0, 1, 0]


def test_after_the_last_backtrack_nothing_more_is_tried() -> None:
    learner = make_learner("trpo", "backtracks=4", "kl_slack=1e-9")
    before, measure = entries(learner, "policy", "log_std"), Spy(learner, "_measure")
    search = Spy(learner, "_line_search")
    learn(learner, make_rollout())
    full_step = search.calls[0].arguments[0]
    steps = [call.arguments[0][:, learner.network.part("policy", "log_std")] - before for call in measure.calls]
    assert len(steps) == 4
    for k, step in enumerate(steps):
        expected = full_step[:, learner.network.part("policy", "log_std")] / 2**k
        torch.testing.assert_close(step, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("adv", [0.0, math.nan])
def test_without_an_advantage_nothing_moves(adv: float) -> None:
    learner, obs_filter = make_learner("trpo"), make_filter()
    batch = learner.estimate_advantages(make_rollout(), obs_filter)
    batch.adv[1] = adv
    before = entries(learner, "policy", "log_std")
    obs_filter.update(make_rollout())
    columns = learner.update(batch, Moment(START, obs_filter))
    after = entries(learner, "policy", "log_std")
    assert torch.equal(after[1], before[1])
    assert (after[[0, 2]] != before[[0, 2]]).any(-1).all()
    assert columns["skipped"].tolist() == [0, 1, 0]


# -- what is trained by what -------------------------------------------------------------------------------------------


def test_trpo_moves_log_std_and_trpo_2017_leaves_it_also_side_by_side() -> None:
    assert compose(["algorithm=trpo_2017"]).algorithm.train_log_std is False
    lanes = (["algorithm=trpo_2017"], ["algorithm=trpo"], ["algorithm=trpo_2017", "algorithm.lam=0.9"])
    learner = make_learner("trpo", lanes=lanes)
    for seed in range(3):
        learn(learner, make_rollout(seed=seed))
    log_std, weights = entries(learner, "log_std"), entries(learner, "policy")
    assert torch.equal(log_std[[0, 2]], torch.zeros(2, 2))
    assert (log_std[1] != 0).all()
    assert (weights != entries(make_learner("trpo", lanes=lanes), "policy")).any(-1).all()


def test_the_policys_step_leaves_the_value_function_and_the_fit_the_policy() -> None:
    learner = make_learner("trpo")
    start = learner.theta.clone()
    fit = Spy(learner, "value_fit")
    learn(learner, make_rollout())
    between, after = fit.calls[0].arguments[0], learner.theta
    is_policy, is_value = learner.network.part("policy", "log_std"), learner.network.part("value")
    assert (is_policy ^ is_value).all()
    assert torch.equal(between[:, is_value], start[:, is_value])
    assert torch.equal(after[:, is_policy], between[:, is_policy])
    assert (between[:, is_policy] != start[:, is_policy]).any(-1).all()
    assert (after[:, is_value] != between[:, is_value]).any(-1).all()


def test_advantages_are_standardized_and_value_targets_are_not() -> None:
    batch = make_learner("trpo").estimate_advantages(make_rollout(), make_filter())
    np.testing.assert_allclose(batch.adv.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(batch.adv.std(1), 1)
    assert abs((batch.value_target - batch.value).std(1) - 1).min() > 0.01
    raw = batch.value_target - batch.value
    np.testing.assert_allclose((raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True), batch.adv)


def test_entropy_is_the_new_policys_and_the_gradients_norm_is_before_any_scaling() -> None:
    learner, obs_filter = make_learner("trpo"), make_filter()
    gradient = Spy(learner, "_gradient")
    columns = learn(learner, make_rollout(), obs_filter=obs_filter)
    obs = filtered(obs_filter, make_rollout())
    for lane in range(3):
        entropy = policy(learner.network, learner.theta[lane].double(), obs[lane]).entropy().mean()
        assert columns["entropy"][lane] == pytest.approx(entropy.item(), rel=1e-5)
    np.testing.assert_allclose(columns["grad_norm"], gradient.calls[0].result[0].norm(dim=-1), rtol=1e-6)


# -- from one iteration to the next ------------------------------------------------------------------------------------


def test_the_actor_acts_with_the_new_parameters() -> None:
    learner = make_learner("trpo")
    obs, still = np.ones((3, 1, 3), np.float32), np.zeros((3, 1, 2), np.float32)
    learn(learner, make_rollout())
    for lane, mean in enumerate(learner.actor(obs, still)):
        expected = learner.network.policy(learner.theta[lane], torch.ones(1, 3))[:, :2]
        torch.testing.assert_close(torch.from_numpy(mean), expected)


def test_a_lane_put_back_into_another_pack_goes_on_with_the_same_bits() -> None:
    straight, resumed = (make_learner("trpo") for _ in range(2))
    learn(straight, make_rollout())
    resumed.theta[:] = 0
    for lane in range(3):
        resumed.set_state(lane, straight.get_state(lane))
        orders = (learner.value_fit.orders[lane].bit_generator for learner in (straight, resumed))
        source, target = orders
        target.state = source.state
    np.testing.assert_array_equal(straight.actor.head[0], resumed.actor.head[0])
    first, second = (learn(learner, make_rollout(seed=1)) for learner in (straight, resumed))
    assert torch.equal(straight.theta, resumed.theta)
    assert all(np.array_equal(first[k], second[k], equal_nan=True) for k in first)
