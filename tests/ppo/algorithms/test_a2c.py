"""A2C: n-step targets, its gradient, RMSProp in TensorFlow's form, the average network and the schedule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import grad

from ppo.algorithms.a2c.learner import Coefficients, Parameters, Samples
from tests.ppo.algorithms import fakes
from tests.ppo.algorithms.baseline_fakes import (
    DOUBLE,
    START,
    actions,
    filtered,
    learn,
    make_filter,
    make_learner,
    make_rollout,
    policy,
)

RMS_EPSILON = 1e-5


def experience(seed: int = 0, **changes: Any) -> Any:
    return make_rollout(5, 4, seed=seed, **changes)


def coefficients(**others: float) -> Coefficients:
    """The published ones, without a bound on the norm that would ever be met."""
    values = {"lr": 7e-4, "rms_decay": 0.99, "rms_epsilon": RMS_EPSILON, "c1": 0.5, "c2": 0.0, "max_grad_norm": 1e9}
    values |= {"trust_region": math.inf, "average_decay": 0.995} | others
    return Coefficients(*(torch.tensor(values[name], dtype=DOUBLE) for name in Coefficients._fields))


def made_up(learner: Any, size: int = 20) -> tuple[Tensor, Samples]:
    """Parameters of one run, every one of them at work, and samples of another policy's, in double precision."""
    network = learner.network
    s = fakes.random_samples(network, fakes.parameters(network, 1), size)
    return fakes.parameters(network), Samples(s.obs, s.action, s.adv, s.value_target)


def fresh(theta: Tensor) -> Parameters:
    return Parameters(theta, torch.ones_like(theta), theta.clone())


def direction(learner: Any, theta: Tensor, samples: Samples, c: Coefficients) -> Tensor:
    """The gradient [n] of the loss of one run."""
    return grad(learner._loss, has_aux=True)(theta, theta, samples, c)[0]


# -- targets -----------------------------------------------------------------------------------------------------------


def test_value_targets_are_n_step_returns_that_end_where_an_episode_does() -> None:
    learner, rollout, obs_filter = make_learner("a2c"), experience(), make_filter()
    rollout.terminated[0, -1], rollout.truncated[0, -1] = [True, False, False, False], [False, True, False, False]
    batch = learner.estimate_advantages(rollout, obs_filter)
    over, seen, bootstraps = rollout.terminated | rollout.truncated, torch.from_numpy(obs_filter(rollout.obs[:, -1])), 0
    for lane, actor in np.ndindex(3, 4):
        last = learner.network.value(learner.parameters.theta[lane], seen[lane, actor]).item()
        for t in range(5):
            target, k = 0.0, t
            while k < 5:
                target += 0.99 ** (k - t) * rollout.reward[lane, k, actor]
                k += 1
                if over[lane, k - 1, actor]:
                    break
            else:
                target += 0.99 ** (5 - t) * last
                bootstraps += 1
            assert batch.value_target.reshape(3, 5, 4)[lane, t, actor] == pytest.approx(target, abs=1e-5)
    assert 0 < bootstraps < 60
    np.testing.assert_allclose(batch.adv, batch.value_target - batch.value)  # as they are, not standardized


# -- the gradient ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("c2", [0.0, 0.01])
def test_the_gradient_is_ppos_with_one_epoch_and_one_minibatch(c2: float) -> None:
    """PPO's value loss is the squared error, A2C's half of it."""
    learner = make_learner("a2c")
    theta, samples = made_up(learner)
    ours = direction(learner, theta, samples, coefficients(c1=0.5, c2=c2))
    network, step = fakes.make_step("network.hidden=[4]")
    assert network.shapes == learner.network.shapes
    dist = network.policy(theta, samples.obs)
    old = {"dist_old": dist, "logp_old": network.distribution.logp(dist, samples.action), "value": samples.value_target}
    theirs = fakes.gradient(
        step, theta, fakes.Samples(**samples._asdict(), **old), fakes.coefficients("clip", c1=0.25, c2=c2)
    )
    for name, gradient in network.unflatten(ours).items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-9, atol=1e-12)
        assert (gradient != 0).any()


def test_an_update_steps_down_that_gradient_on_all_samples_under_the_new_filter() -> None:
    learner, obs_filter = make_learner("a2c"), make_filter()
    theta = learner.parameters.theta.clone()
    batch = learner.estimate_advantages(experience(), make_filter())
    columns = learn(learner, experience(), obs_filter=obs_filter)
    obs, action = filtered(obs_filter, experience()), actions(experience())
    for lane in range(3):
        parameter = theta[lane].double().requires_grad_()
        pi, value = policy(learner.network, parameter, obs[lane]), learner.network.value(parameter, obs[lane])
        adv, target = (torch.from_numpy(x[lane]) for x in (batch.adv, batch.value_target))
        value_loss = 0.5 * (value - target).square().mean()
        objective = (adv * pi.log_prob(action[lane])).mean()
        (0.5 * value_loss - objective).backward()
        clipped = parameter.grad * min(1, 0.5 / parameter.grad.norm())
        step = 7e-4 * clipped / torch.sqrt(0.99 + 0.01 * clipped**2 + RMS_EPSILON)
        torch.testing.assert_close(
            learner.parameters.theta[lane].double(), theta[lane].double() - step, rtol=1e-5, atol=1e-7
        )
        assert columns["grad_norm"][lane] == pytest.approx(parameter.grad.norm().item(), rel=1e-4)
        assert columns["objective"][lane] == pytest.approx(objective.item(), rel=1e-4)
        assert columns["value_loss"][lane] == pytest.approx(value_loss.item(), rel=1e-4)
        assert columns["entropy"][lane] == pytest.approx(pi.entropy().mean().item(), rel=1e-4)
    assert columns["kl"].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_each_run_has_its_own_coefficients() -> None:
    own = (["algorithm.c1=0", "algorithm.gamma=0.5"], ["algorithm.rms_decay=0.5"], ["algorithm.c2=1"])
    mixed = make_learner("a2c", lanes=own)
    learn(mixed, experience())
    for lane, overrides in enumerate(own):
        alike = make_learner("a2c", lanes=[[*overrides, f"seed={lane}"]] * 3)
        learn(alike, experience())
        assert torch.equal(alike.parameters.theta[lane], mixed.parameters.theta[lane])
    value = mixed.network.part("value")
    assert torch.equal(mixed.parameters.theta[0, value], make_learner("a2c").parameters.theta[0, value])


# -- RMSProp -----------------------------------------------------------------------------------------------------------


def test_three_steps_of_rmsprop_by_hand_in_tensorflows_form() -> None:
    learner = make_learner("a2c")
    theta, samples = made_up(learner)
    c, state = coefficients(lr=0.1, rms_decay=0.9, rms_epsilon=0.5), fresh(theta)
    mean_square, by_hand = torch.ones_like(theta), theta.clone()
    for number in range(3):
        gradient = direction(learner, by_hand, samples, c)
        mean_square = 0.9 * mean_square + 0.1 * gradient**2
        by_hand = by_hand - 0.1 * gradient / torch.sqrt(mean_square + 0.5)
        if not number:
            first = theta - 0.1 * gradient / torch.sqrt(0.9 + 0.1 * gradient**2 + 0.5)
            torch.testing.assert_close(by_hand, first)
        state, _ = learner._update_one(state, samples, c)
        torch.testing.assert_close(state.theta, by_hand, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(state.mean_square, mean_square, rtol=1e-12, atol=1e-14)


def test_the_gradients_norm_is_clipped_and_its_direction_kept() -> None:
    learner = make_learner("a2c")
    theta, samples = made_up(learner)
    gradient = direction(learner, theta, samples, coefficients())
    norm = gradient.norm().item()
    for bound in (norm / 10, norm * 10):
        c = coefficients(max_grad_norm=bound, rms_decay=0.0, rms_epsilon=0.0, lr=1.0)
        state, stats = learner._update_one(fresh(theta), samples, c)
        squared = gradient * min(1, bound / norm)
        torch.testing.assert_close(state.mean_square, squared**2, rtol=1e-9, atol=1e-15)
        assert stats.grad_norm.item() == pytest.approx(norm)
        assert stats.skipped == 0


def test_without_a_bound_nothing_is_clipped() -> None:
    free, bounded = make_learner("a2c", "max_grad_norm=null"), make_learner("a2c", "max_grad_norm=1e9")
    tight = make_learner("a2c", "max_grad_norm=0.01")
    for learner in (free, bounded, tight):
        learn(learner, experience())
    assert torch.equal(free.parameters.theta, bounded.parameters.theta)
    assert not torch.equal(free.parameters.theta, tight.parameters.theta)


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.999, 1.0])
def test_the_stepsize_falls_linearly_to_zero_unless_it_is_constant(progress: float) -> None:
    lanes = ([], ["algorithm.lr_schedule=constant"], ["algorithm.lr=1e-3"])
    learner = make_learner("a2c", lanes=lanes)
    before = learner.parameters.theta.clone()
    columns = learn(learner, experience(), np.full(3, progress))
    left = np.array([1 - progress, 1.0, 1 - progress])
    assert columns["lr"].tolist() == pytest.approx(left * [7e-4, 7e-4, 1e-3])
    full = make_learner("a2c", lanes=lanes)
    learn(full, experience())
    step, full_step = (x.parameters.theta - before for x in (learner, full))
    torch.testing.assert_close(step, full_step * torch.from_numpy(left).float()[:, None], rtol=1e-2, atol=1e-7)


# -- the average network -----------------------------------------------------------------------------------------------


def test_the_average_network_has_its_closed_form() -> None:
    bounded = ["algorithm=a2c_trust_region", "algorithm.trust_region=1e30"]  # without one there is no average
    decays = (0.9, 0.995, 0.0)
    learner = make_learner("a2c", lanes=[[*bounded, f"algorithm.average_decay={decay}"] for decay in decays])
    thetas = [learner.parameters.theta.clone()]
    for seed in range(4):
        learn(learner, experience(seed))
        thetas.append(learner.parameters.theta.clone())
    for lane, decay in enumerate(decays):
        average = decay**4 * thetas[0][lane]
        for k in range(1, 5):
            average = average + (1 - decay) * decay ** (4 - k) * thetas[k][lane]
        torch.testing.assert_close(learner.parameters.average[lane], average, rtol=1e-5, atol=1e-7)
        assert not torch.equal(thetas[-1][lane], thetas[0][lane])


# -- updates that must not be taken, and going on ----------------------------------------------------------------------


def test_an_update_whose_gradient_is_not_a_number_is_skipped_and_its_mates_do_not_notice() -> None:
    ill, healthy = make_learner("a2c"), make_learner("a2c")
    before = [x.clone() for x in ill.parameters]
    broken = experience()
    broken.reward[1, 2] = math.nan
    columns = learn(ill, broken)
    learn(healthy, experience())
    assert columns["skipped"].tolist() == [0, 1, 0]
    for ours, start, theirs in zip(ill.parameters, before, healthy.parameters, strict=True):
        assert torch.equal(ours[1], start[1])
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])


def test_a_lane_put_back_into_another_pack_goes_on_with_the_same_bits() -> None:
    lanes = [["algorithm=a2c_trust_region", "algorithm.trust_region=1e-5"]] * 3
    straight, resumed = (make_learner("a2c", lanes=lanes) for _ in range(2))
    for seed in range(3):
        learn(straight, experience(seed))
    for lane in range(3):
        resumed.set_state(lane, straight.get_state(lane))
    np.testing.assert_array_equal(straight.actor.head[0], resumed.actor.head[0])
    first, second = (learn(learner, experience(3), START) for learner in (straight, resumed))
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters, resumed.parameters, strict=True))
    assert all(np.array_equal(first[k], second[k], equal_nan=True) for k in first)
    assert (first["clip_fraction"] > 0).any()
