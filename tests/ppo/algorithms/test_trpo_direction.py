"""TRPO's natural gradient: Fisher-vector products, conjugate gradient and the length of the full step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacrev, vmap

from ppo.algorithms.trpo.learner import conjugate_gradient, scale_to
from ppo.envs.base import Spec
from tests.ppo.algorithms.baseline_fakes import CHOICES, DOUBLE, SPEC, Spy, alike, learn, make_learner, make_rollout
from tests.ppo.algorithms.fakes import parameters

# -- Fisher-vector products --------------------------------------------------------------------------------------------


def fisher_by_products(learner: Any, theta: Tensor, obs: Tensor) -> Tensor:
    """The matrix [n, n] whose columns are products with unit vectors."""
    unit = torch.eye(len(theta), dtype=DOUBLE)
    return torch.stack([learner._fisher_product(theta, obs, v) for v in unit], -1)


def observations(size: int = 7) -> Tensor:
    return torch.randn(size, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("spec", [SPEC, CHOICES], ids=["gaussian", "categorical"])
def test_the_products_are_those_of_the_dense_hessian_of_mean_kl(spec: Spec) -> None:
    learner = make_learner("trpo", spec=spec)
    network, obs = learner.network, observations()
    theta = parameters(network)

    def mean_kl(new: Tensor) -> Tensor:
        return network.distribution.kl(network.policy(theta, obs), network.policy(new, obs)).mean()

    ours = fisher_by_products(learner, theta, obs)
    torch.testing.assert_close(ours, hessian(mean_kl)(theta), rtol=1e-9, atol=1e-12)
    assert (ours.diagonal() >= 0).all()
    assert ours.diagonal().max() > 0.01
    of_value = network.part("value")
    assert (ours[of_value] == 0).all()


def scores(network: Any, theta: Tensor, obs: Tensor, action: Tensor) -> Tensor:
    """Gradients of log-probabilities [B, n]."""

    def logp(theta: Tensor) -> Tensor:
        return network.distribution.logp(network.policy(theta, obs), action)

    return jacrev(logp)(theta)


def test_a_gaussians_products_are_the_expected_outer_products_of_its_scores() -> None:
    learner = make_learner("trpo")
    network, obs = learner.network, observations()
    theta = parameters(network)
    mean, log_std = network.policy(theta, obs).chunk(2, -1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)  # exact: the outer products are of degree 4 in the noise
    weights = weights / weights.sum()
    expected = torch.zeros(len(theta), len(theta), dtype=DOUBLE)
    for i, j in np.ndindex(3, 3):
        action = mean + log_std.exp() * torch.tensor([nodes[i], nodes[j]])
        score = scores(network, theta, obs, action)
        expected += weights[i] * weights[j] * score.T @ score / len(obs)
    torch.testing.assert_close(fisher_by_products(learner, theta, obs), expected, rtol=1e-9, atol=1e-12)


def test_a_categoricals_products_are_the_expected_outer_products_of_its_scores() -> None:
    learner = make_learner("trpo", spec=CHOICES)
    network, obs = learner.network, observations()
    theta = parameters(network)
    p = torch.softmax(network.policy(theta, obs), -1)
    expected = torch.zeros(len(theta), len(theta), dtype=DOUBLE)
    for choice in range(4):
        score = scores(network, theta, obs, torch.full((len(obs), 1), choice, dtype=DOUBLE))
        expected += score.T @ (score * p[:, choice, None]) / len(obs)
    torch.testing.assert_close(fisher_by_products(learner, theta, obs), expected, rtol=1e-9, atol=1e-12)


# -- conjugate gradient ------------------------------------------------------------------------------------------------


def systems(size: int = 6) -> tuple[Tensor, Tensor]:
    """Symmetric positive definite matrices [L, n, n] and right sides [L, n]: easy, hard, the identity, and none."""
    generator = torch.Generator().manual_seed(1)
    root = torch.randn(4, size, size, dtype=DOUBLE, generator=generator)
    matrix = root @ root.mT + 0.1 * torch.eye(size)
    matrix[0] += 20 * torch.eye(size)
    matrix[2] = torch.eye(size)
    target = torch.randn(4, size, dtype=DOUBLE, generator=generator)
    target[3] = 0
    return matrix, target


def solve(matrix: Tensor, target: Tensor, iterations: int) -> Tensor:
    return conjugate_gradient(lambda v: (matrix @ v.unsqueeze(-1)).squeeze(-1), target, iterations)


def test_conjugate_gradient_solves_n_equations_in_n_iterations_and_not_in_fewer() -> None:
    matrix, target = systems()
    exact = torch.linalg.solve(matrix, target)
    torch.testing.assert_close(solve(matrix, target, 6), exact, rtol=1e-4, atol=1e-5)
    assert (solve(matrix, target, 3) - exact).abs()[1].max() > 0.01


def test_a_lane_that_has_converged_stays_bit_for_bit_while_others_go_on() -> None:
    matrix, target = systems()
    many = solve(matrix, target, 60)
    assert torch.equal(many[2], target[2])  # the identity is solved by one iteration
    assert torch.equal(many[3], torch.zeros(6, dtype=DOUBLE))  # and nothing by none: 0 / 0 does not get out
    for lane, iterations in enumerate((6, 8, 1, 0)):
        assert torch.equal(many[lane], solve(matrix, target, iterations)[lane])
    assert not torch.equal(many[1], solve(matrix, target, 5)[1])


def test_a_lane_is_solved_alike_whatever_is_solved_beside_it() -> None:
    matrix, target = systems()
    together = solve(matrix, target, 10)
    for lane in range(4):
        assert torch.equal(solve(matrix[[lane] * 3], target[[lane] * 3], 10)[1], together[lane])


# -- the full step -----------------------------------------------------------------------------------------------------


def test_half_the_squared_length_of_the_scaled_direction_is_max_kl_and_zero_stays_zero() -> None:
    matrix, direction = systems()
    max_kl = torch.tensor([0.01, 0.5, 2.0, 0.01], dtype=DOUBLE)

    def product(v: Tensor) -> Tensor:
        return (matrix @ v.unsqueeze(-1)).squeeze(-1)

    step = scale_to(max_kl, direction, product)
    half_square = 0.5 * (step * product(step)).sum(-1)
    assert half_square.tolist() == pytest.approx([0.01, 0.5, 2.0, 0.0])
    assert (step[3] == 0).all()
    cosine = torch.cosine_similarity(step, direction)
    assert cosine.tolist() == pytest.approx([1, 1, 1, 0])


class Step(NamedTuple):
    """The first step of a learner, as its line search gets it."""

    learner: Any
    theta: Tensor
    obs: Tensor
    gradient: Tensor
    full_step: Tensor


def natural_step(*overrides: str, lanes: Sequence[Sequence[str]] = ((), (), ())) -> Step:
    """Of three lanes with the same experience."""
    learner = make_learner("trpo", "policy_scale=1", *overrides, lanes=[[*lane, "seed=0"] for lane in lanes])
    gradient, search = Spy(learner, "_gradient"), Spy(learner, "_line_search")
    learn(learner, alike(make_rollout()))
    (theta, obs, *_), (slope, _) = gradient.calls[0]
    return Step(learner, theta, obs, slope, search.calls[0].arguments[0])


def fisher(learner: Any, theta: Tensor, obs: Tensor) -> Tensor:
    """The matrices [L, n, n] of every fifth observation."""
    unit = torch.eye(theta.shape[1], dtype=DOUBLE)
    product = vmap(vmap(learner._fisher_product, (None, None, 0)), (0, 0, None))
    return product(theta.double(), obs[:, ::5].double(), unit)


def test_the_full_step_solves_the_damped_equations_and_reaches_the_edge_of_the_trust_region() -> None:
    lanes = (["algorithm.max_kl=0.3"], ["algorithm=trpo_2017"], ["algorithm.damping=1"])
    learner, theta, obs, gradient, full_step = natural_step("cg_iterations=60", lanes=lanes)
    damping = torch.tensor([0.1, 0.1, 1.0], dtype=DOUBLE)
    damped = fisher(learner, theta, obs) + damping[:, None, None] * torch.eye(theta.shape[1])
    image = (damped @ full_step.double().unsqueeze(-1)).squeeze(-1)
    half_square = 0.5 * (full_step.double() * image).sum(-1)
    assert half_square.tolist() == pytest.approx([0.3, 0.01, 0.01], rel=1e-4)
    log_std = learner.network.part("log_std")
    assert (full_step[:, log_std] != 0).any(-1).tolist() == [True, False, True]
    gradient[1, log_std], image[1, log_std] = 0, 0  # of 2017, for whom there is no equation of log-std
    cosine = torch.cosine_similarity(image, gradient.double())
    assert cosine.tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_the_stronger_the_damping_the_more_the_direction_is_the_gradients() -> None:
    lanes = (["algorithm.damping=1e-3"], ["algorithm.damping=1"], ["algorithm.damping=1e6"])
    step = natural_step(lanes=lanes)
    assert torch.equal(step.gradient[0], step.gradient[2])
    cosine = torch.cosine_similarity(step.full_step.double(), step.gradient.double())
    assert cosine[2].item() == pytest.approx(1, abs=1e-6)
    assert cosine[1] < 1 - 1e-3
    assert cosine[0] < cosine[1]
    # With damping D alone, half of D times the squared step is max_kl:
    assert step.full_step[2].double().norm().item() == pytest.approx(math.sqrt(2 * 0.01 / 1e6), rel=1e-4)


def test_without_a_stride_every_sample_counts() -> None:
    everyone, fifth = natural_step("fisher_stride=1"), natural_step()
    assert torch.equal(everyone.gradient, fifth.gradient)
    assert not torch.allclose(everyone.full_step, fifth.full_step, rtol=1e-3)
