"""A2C's trust region (Wang et al. 2017, section 3.3): the projection, the gradient of its KL, and what it bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.func import grad

from ppo.algorithms.a2c import learner as a2c
from ppo.algorithms.a2c.learner import Coefficients, Samples, project
from ppo.envs.base import Spec
from tests.ppo.algorithms import fakes
from tests.ppo.algorithms.baseline_fakes import (
    CHOICES,
    DOUBLE,
    SPEC,
    START,
    Spy,
    alike,
    learn,
    make_learner,
    make_rollout,
)


def vectors(count: int = 200, size: int = 4) -> tuple[Tensor, Tensor]:
    """Gradients and normals of the bound [B, D]; the last normal is 0."""
    gradient, towards = torch.randn(2, count, size, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    towards[-1] = 0
    return gradient, towards


def bound(delta: float) -> Tensor:
    return torch.tensor(delta, dtype=DOUBLE)


# -- the projection ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [0.1, 1.0, 2.0])
def test_what_is_within_the_bound_stays_and_what_is_beyond_comes_to_it_along_the_normal(delta: float) -> None:
    gradient, towards = vectors()
    z, moved = project(gradient, towards, bound(delta))
    before, after = ((x * towards).sum(-1) for x in (gradient, z))
    beyond = before > delta
    assert 0 < beyond.sum() < len(beyond)
    assert torch.equal(moved, beyond)
    assert torch.equal(z[~beyond], gradient[~beyond])
    torch.testing.assert_close(after[beyond], torch.full_like(after[beyond], delta))
    cosine = torch.cosine_similarity((gradient - z)[beyond], towards[beyond])
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_it_is_the_nearest_vector_within_the_bound() -> None:
    gradient, towards = vectors()
    z, moved = project(gradient, towards, bound(0.5))
    distance = (z - gradient).norm(dim=-1)
    others = z + torch.randn(500, *z.shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    feasible = (others * towards).sum(-1) <= 0.5
    assert feasible.any(0).all()
    nearest = torch.where(feasible, (others - gradient).norm(dim=-1), math.inf).amin(0)
    assert (distance <= nearest)[moved].all()
    for i in moved.nonzero().ravel()[:5]:
        g, k = gradient[i].numpy(), towards[i].numpy()
        constraint = {"type": "ineq", "fun": lambda x, k=k: 0.5 - k @ x}
        best = minimize(lambda x, g=g: 0.5 * np.square(x - g).sum(), np.zeros(4), constraints=[constraint], tol=1e-12)
        np.testing.assert_allclose(z[i], best.x, atol=1e-5)


def test_without_a_normal_nothing_moves_even_if_the_bound_is_broken() -> None:
    gradient, towards = vectors()
    z, moved = project(gradient, towards, bound(-1.0))
    assert torch.equal(z[-1], gradient[-1])
    assert not moved[-1]
    assert torch.isfinite(z).all()


def test_an_infinite_bound_leaves_every_gradient_as_it_is_bit_for_bit() -> None:
    gradient, towards = vectors()
    towards[0] = math.inf
    z, moved = project(gradient, towards, bound(math.inf))
    assert torch.equal(z, gradient)
    assert not moved.any()


# -- the gradients in mean and log-std ---------------------------------------------------------------------------------


class Projection:
    """Takes the place of `project` and keeps what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(a2c, "project", self)

    def __call__(self, gradient: Tensor, towards: Tensor, bound: Tensor) -> tuple[Tensor, Tensor]:
        self.gradient, self.towards, self.bound = gradient, towards, bound
        return project(gradient, towards, bound)


def coefficients(trust_region: float, c1: float = 0.0, c2: float = 0.0) -> Coefficients:
    values = {"lr": 1.0, "rms_decay": 0.99, "rms_epsilon": 1e-5, "c1": c1, "c2": c2, "max_grad_norm": 1e9}
    values |= {"trust_region": trust_region, "average_decay": 0.995}
    return Coefficients(*(torch.tensor(values[name], dtype=DOUBLE) for name in Coefficients._fields))


def made_up(learner: Any) -> tuple[Tensor, Tensor, Samples]:
    """Parameters of a run and of its average network, and samples."""
    network, generator = learner.network, torch.Generator().manual_seed(3)
    obs = torch.randn(30, 3, dtype=DOUBLE, generator=generator)
    action = torch.randn(30, 2, dtype=DOUBLE, generator=generator)
    if network.spec.action.discrete:
        action = torch.randint(4, (30, 1), generator=generator).double()
    adv, target = torch.randn(2, 30, dtype=DOUBLE, generator=generator)
    return fakes.parameters(network), fakes.parameters(network, 1), Samples(obs, action, adv, target)


def test_a_gaussians_gradients_are_the_closed_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, seen = make_learner("a2c"), Projection(monkeypatch)
    theta, average, s = made_up(learner)
    learner._loss(theta, average, s, coefficients(1.0, c2=0.3))
    (mean, log_std), (mean_a, log_std_a) = (learner.network.policy(t, s.obs).chunk(2, -1) for t in (theta, average))
    variance, variance_a, adv = (2 * log_std).exp(), (2 * log_std_a).exp(), s.adv.unsqueeze(-1)
    of_mean = adv * (s.action - mean) / variance
    of_log_std = adv * ((s.action - mean) ** 2 / variance - 1) + 0.3
    torch.testing.assert_close(seen.gradient.detach(), torch.cat([of_mean, of_log_std], -1))
    kl_of_mean = (mean - mean_a) / variance
    kl_of_log_std = 1 - (variance_a + (mean_a - mean) ** 2) / variance
    torch.testing.assert_close(seen.towards.detach(), torch.cat([kl_of_mean, kl_of_log_std], -1))
    assert seen.bound == 1


def test_a_categoricals_gradients_are_the_closed_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, seen = make_learner("a2c", spec=CHOICES), Projection(monkeypatch)
    theta, average, s = made_up(learner)
    learner._loss(theta, average, s, coefficients(1.0))
    p, p_average = (torch.softmax(learner.network.policy(t, s.obs), -1) for t in (theta, average))
    chosen = torch.nn.functional.one_hot(s.action[:, 0].long(), 4)
    torch.testing.assert_close(seen.gradient.detach(), s.adv.unsqueeze(-1) * (chosen - p))
    torch.testing.assert_close(seen.towards.detach(), p - p_average)


def test_where_the_average_policy_is_the_policy_there_is_no_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, seen = make_learner("a2c"), Projection(monkeypatch)
    theta, _, s = made_up(learner)
    _, (*_, kl, projected) = learner._loss(theta, theta, s, coefficients(1e-9))
    assert (seen.towards == 0).all()
    assert (kl, projected) == (0, 0)


# -- what is learned from ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [SPEC, CHOICES], ids=["gaussian", "categorical"])
def test_the_update_follows_the_projected_gradient_of_each_sample(spec: Spec) -> None:
    """By the chain rule: the policy's gradient is that of mean z . dist, with z fixed."""
    learner = make_learner("a2c", spec=spec)
    theta, average, s = made_up(learner)
    network, distribution, fraction = learner.network, learner.network.distribution, {}

    def dist(theta: Tensor) -> Tensor:
        return network.policy(theta, s.obs)

    def gain(d: Tensor) -> Tensor:
        return (s.adv * distribution.logp(d, s.action)).sum()

    g, k = grad(gain)(dist(theta)), grad(lambda d: distribution.kl(dist(average), d).sum())(dist(theta))
    for delta in (0.1, math.inf):
        excess = ((g * k).sum(-1, keepdim=True) - delta).clamp(min=0)
        z = g - excess / (k * k).sum(-1, keepdim=True) * k
        expected = grad(lambda t, z=z: -(z * dist(t)).sum(-1).mean())(theta)
        ours, stats = grad(learner._loss, has_aux=True)(theta, average, s, coefficients(delta))
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12)
        fraction[delta] = stats[-1].item()
        assert fraction[delta] == pytest.approx((excess > 0).double().mean().item())
    assert 0.1 < fraction[0.1] < 0.9
    assert fraction[math.inf] == 0


def test_the_trust_region_leaves_the_value_functions_gradient_alone() -> None:
    learner = make_learner("a2c")
    theta, average, s = made_up(learner)
    tight, free = (
        grad(learner._loss, has_aux=True)(theta, average, s, coefficients(delta, c1=0.5))[0]
        for delta in (1e-3, math.inf)
    )
    value = learner.network.part("value")
    assert torch.equal(tight[value], free[value])
    assert (tight[~value] != free[~value]).all()


def test_side_by_side_only_the_run_with_a_trust_region_is_bound_by_it() -> None:
    tight, enormous = (["algorithm=a2c_trust_region", f"algorithm.trust_region={d}", "seed=0"] for d in (1e-6, 1e30))
    learner = make_learner("a2c", "lr=0.05", lanes=(tight, ["algorithm=a2c", "seed=0"], enormous))
    assert learner._coefficients(START)[1].trust_region.tolist() == pytest.approx([1e-6, math.inf, 1e30])
    projected = [learn(learner, alike(make_rollout(5, 4, seed=seed)))["clip_fraction"] for seed in range(3)]
    theta = learner.parameters.theta
    assert torch.equal(theta[1], theta[2])
    assert not torch.equal(theta[1], theta[0])
    assert projected[0].tolist() == [0, 0, 0]  # the average network starts as the network
    assert all(fraction[0] > 0 for fraction in projected[1:])
    assert all(fraction[1:].tolist() == [0, 0] for fraction in projected[1:])


def test_an_enormous_bound_is_no_trust_region() -> None:
    enormous = [["algorithm=a2c_trust_region", "algorithm.trust_region=1e30"]] * 3
    plain, bounded = make_learner("a2c"), make_learner("a2c", lanes=enormous)
    update = Spy(bounded, "_updated")
    for seed in range(3):
        first, second = (learn(x, make_rollout(5, 4, seed=seed)) for x in (plain, bounded))
        assert all(np.array_equal(first[key], second[key], equal_nan=True) for key in first)
    assert update.calls[0].arguments[2].trust_region.isfinite().all()
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters, bounded.parameters, strict=True))
