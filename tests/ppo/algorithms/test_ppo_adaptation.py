"""What PPO of Table 4 adapts while it trains: the stepsize by the KL of each iteration, and log-std by annealing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ppo.algorithms.ppo.learner import PPOLearner
from ppo.config.compose import compose
from tests.ppo.algorithms.fakes import (
    Spy,
    coefficients,
    learn,
    make_learner,
    make_rollout,
    make_step,
    of_algorithm,
    parameters,
    random_samples,
    take,
)
from tests.ppo.handmade import choice, learner_of

# -- stepsize ----------------------------------------------------------------------------------------------------------


def by_kl(target: float, *others: str) -> list[str]:
    return ["algorithm.lr_schedule=kl", f"algorithm.lr_kl_target={target}", "algorithm.lr=1e-3", *others]


STEEP, FLAT, LINEAR = by_kl(1e-9), by_kl(10), ["algorithm.lr_schedule=linear", "algorithm.lr=1e-3"]


def test_the_stepsize_is_adapted_after_the_iteration_and_used_in_the_next_one() -> None:
    learner = make_learner(lanes=(STEEP, FLAT, LINEAR))
    spy = Spy(learner)
    for scale in (1.0, 1.5, 1.5**2):
        spy.coefficients.clear()
        columns = learn(learner, make_rollout(), np.array([0.0, 0.5, 0.5]))
        expected = [1e-3 / scale, 1e-3 * scale, 0.5e-3]
        np.testing.assert_allclose(columns["lr"], expected, rtol=1e-12)
        for c in spy.coefficients:
            np.testing.assert_allclose(c.lr, expected, rtol=1e-6)
    assert learner.lr.tolist() == pytest.approx([1e-3 / 1.5**3, 1e-3 * 1.5**3, 1e-3])


def test_the_kl_that_decides_is_the_one_recorded() -> None:
    once = learn(make_learner(lanes=[by_kl(1)] * 3), make_rollout())["kl"]
    assert (once > 0).all()
    for times, factor in ((2.01, 1 / 1.5), (1.0, 1.0), (0.49, 1.5)):
        learner = make_learner(lanes=[by_kl(kl / times) for kl in once])
        np.testing.assert_array_equal(learn(learner, make_rollout())["kl"], once)
        np.testing.assert_allclose(learner.lr, 1e-3 * factor, rtol=1e-12)


def test_a_run_that_sees_nan_keeps_its_stepsize() -> None:
    learner, broken = make_learner(lanes=[STEEP, STEEP, STEEP]), make_rollout()
    broken.obs[1] = math.nan
    learn(learner, broken)
    assert learner.lr.tolist() == pytest.approx([1e-3 / 1.5, 1e-3, 1e-3 / 1.5])


def test_a_lane_put_back_into_another_pack_has_the_stepsize_it_had() -> None:
    straight, resumed = make_learner(lanes=(STEEP, FLAT, LINEAR)), make_learner(lanes=(FLAT, LINEAR, STEEP))
    learn(straight, make_rollout())
    for lane in range(3):
        resumed.set_state((lane + 2) % 3, straight.get_state(lane))
    assert resumed.lr.tolist() == straight.lr[[1, 2, 0]].tolist() != [1e-3] * 3
    again = learn(resumed, make_rollout(seed=1), np.zeros(3))
    np.testing.assert_array_equal(again["lr"], straight.lr[[1, 2, 0]])


# -- log-std -----------------------------------------------------------------------------------------------------------

ANNEALED = ["log_std=-0.7", "log_std_final=-1.6", "lr=0.01"]


def log_std(learner: PPOLearner) -> Tensor:
    """[L, action]"""
    return learner.network.unflatten(learner.theta)["log_std"]


def on_the_line(share: float) -> Tensor:
    return torch.full((3, 2), -0.7 + share * (-1.6 - -0.7), dtype=torch.float64).float()


@pytest.mark.parametrize("total_steps", [128, 100])  # four iterations of 32 steps, the last of which may be too long
def test_the_annealed_log_std_is_on_its_line_after_every_iteration(total_steps: int) -> None:
    learner = make_learner(*ANNEALED, lanes=[[f"total_steps={total_steps}"]] * 3)
    assert torch.equal(log_std(learner), torch.full((3, 2), -0.7))
    for iteration in range(4):
        learn(learner, make_rollout(seed=iteration), np.full(3, 32 * iteration / total_steps))
        expected = on_the_line(min(32 * (iteration + 1) / total_steps, 1))
        torch.testing.assert_close(log_std(learner), expected, rtol=0, atol=1e-7)
    assert torch.equal(log_std(learner), torch.full((3, 2), -1.6))


def test_each_run_of_a_pack_is_at_its_own_point_of_the_line() -> None:
    learner = make_learner(*ANNEALED, lanes=[["total_steps=320"]] * 3)
    learn(learner, make_rollout(), np.array([0.0, 0.4, 0.9]))
    expected = [[-0.7 - 0.9 * share] * 2 for share in (0.1, 0.5, 1.0)]
    np.testing.assert_allclose(log_std(learner), expected, rtol=1e-6)


def test_an_annealed_log_std_is_not_trained() -> None:
    learner = make_learner(*ANNEALED, lanes=[["total_steps=320"]] * 3)
    spy = Spy(learner)
    learn(learner, make_rollout())
    moments = learner.network.unflatten(learner.adam.m)
    assert (moments.pop("log_std") == 0).all()
    assert all((m != 0).any() for m in moments.values())
    for theta in spy.theta:
        assert torch.equal(learner.network.unflatten(theta)["log_std"], torch.full((3, 2), -0.7))


def test_without_a_final_value_log_std_is_trained() -> None:
    learner = make_learner("log_std=-0.7", "lr=0.01", "c2=0.01")
    learn(learner, make_rollout())
    assert (learner.network.unflatten(learner.adam.m)["log_std"] != 0).all()
    assert (log_std(learner) != -0.7).all()


def test_the_gradients_norm_and_its_bound_leave_an_annealed_log_std_out() -> None:
    network, trained = make_step("max_grad_norm=0.5")
    _, annealed = make_step("max_grad_norm=0.5", "log_std_final=-1.6")
    theta = parameters(network)
    samples = random_samples(network, parameters(network, 1))
    _, adam, stats = take(trained, theta, samples, coefficients(max_grad_norm=1e9))
    rest = torch.where(network.part("log_std"), 0.0, adam.m)
    bound = stats.grad_norm.item() / 4
    _, cut, reported = take(annealed, theta, samples, coefficients(max_grad_norm=bound))
    assert reported.grad_norm == pytest.approx(rest.norm().item() / 0.1)
    assert reported.grad_norm < stats.grad_norm
    torch.testing.assert_close(cut.m, rest * bound / reported.grad_norm, rtol=1e-5, atol=0)


def test_the_actor_acts_with_the_annealed_deviation() -> None:
    learner = make_learner(*ANNEALED, lanes=[["total_steps=32"]] * 3)
    learn(learner, make_rollout())
    noise = learner.actor.noise(np.ones((3, 1, 1, 2), np.float32))
    np.testing.assert_allclose(noise, math.exp(-1.6), rtol=1e-6)


def test_choices_have_no_deviation_to_anneal() -> None:
    shared = of_algorithm([*ANNEALED, "horizon=32", "minibatch_size=8", "network.hidden=[4]"])
    learner = learner_of([compose([*shared, f"seed={seed}"]) for seed in range(3)], choice(3, 2))
    rollout = make_rollout()
    chosen = rollout._replace(action=(rollout.action[..., :1] > 0).float())
    assert learn(learner, chosen)["skipped"].tolist() == [0, 0, 0]
