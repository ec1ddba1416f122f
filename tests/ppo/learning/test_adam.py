"""Adam against steps computed by hand, and against torch's where both place epsilon alike; stepsizes by the KL."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import vmap

from ppo.learning.adam import AdamState, adam_step, adam_step_in_place, adapt_stepsize

GRADIENTS = (1.0, 2.0, -1.0)


def steps(theta: Tensor, gradients: list[Tensor], lr: float, epsilon: float) -> tuple[Tensor, AdamState]:
    state = AdamState.zeros(theta)
    rate, small = (torch.tensor(x, dtype=theta.dtype) for x in (lr, epsilon))
    for grad in gradients:
        theta, state = adam_step(theta, grad, state, lr=rate, epsilon=small)
    return theta, state


def test_three_steps_by_hand_with_epsilon_beside_the_uncorrected_deviation() -> None:
    start, gradients = torch.tensor([10.0], dtype=torch.float64), [torch.tensor([g]).double() for g in GRADIENTS]
    theta, state = steps(start, gradients, lr=0.1, epsilon=0.5)
    # m, v after each step and lr * sqrt(1 - 0.999^t) / (1 - 0.9^t) * m / (sqrt(v) + 0.5):
    first = 0.1 * math.sqrt(0.001) / 0.1 * 0.1 / (math.sqrt(0.001) + 0.5)
    second = 0.1 * math.sqrt(0.001999) / 0.19 * 0.29 / (math.sqrt(0.004999) + 0.5)
    third = 0.1 * math.sqrt(0.002997001) / 0.271 * 0.161 / (math.sqrt(0.005994001) + 0.5)
    assert theta.item() == pytest.approx(10 - first - second - third, abs=1e-12)
    assert theta.item() == pytest.approx(9.976462, abs=1e-6)
    assert state.m.item() == pytest.approx(0.161)
    assert state.v.item() == pytest.approx(0.005994001)
    assert state.steps.item() == 3


def test_in_place_it_takes_the_same_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(50, generator=generator), [torch.randn(50, generator=generator) for _ in range(5)]
    theta, state = steps(start, gradients, lr=0.01, epsilon=1e-5)
    ours, own = start.clone(), AdamState.zeros(start)
    for grad in gradients:
        adam_step_in_place(ours, grad, own, lr=torch.tensor(0.01), epsilon=torch.tensor(1e-5))
    torch.testing.assert_close(ours, theta)
    for name in AdamState._fields:
        torch.testing.assert_close(getattr(own, name), getattr(state, name))


def test_with_a_vanishing_epsilon_it_is_torchs_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    theta = torch.randn(20, dtype=torch.float64, generator=generator)
    gradients = list(torch.randn(50, 20, dtype=torch.float64, generator=generator))
    parameter = torch.nn.Parameter(theta.clone())
    optimizer = torch.optim.Adam([parameter], lr=0.01, eps=1e-30)
    for grad in gradients:
        parameter.grad = grad
        optimizer.step()
    ours, _ = steps(theta, gradients, lr=0.01, epsilon=1e-30)
    torch.testing.assert_close(ours, parameter.detach(), rtol=1e-12, atol=1e-14)


def test_the_first_step_is_the_stepsize_whatever_the_gradients_size() -> None:
    theta, _ = steps(torch.zeros(3), [torch.tensor([1e-6, -1.0, 1e6])], lr=0.1, epsilon=1e-15)
    assert theta.tolist() == pytest.approx([-0.1, 0.1, -0.1])


def test_the_correction_is_still_right_after_many_steps_in_single_precision() -> None:
    one = torch.ones(1)
    state = AdamState(one, one, torch.tensor(200_000.0, dtype=torch.float64))
    theta, _ = adam_step(torch.zeros(1), one, state, lr=torch.tensor(0.1), epsilon=torch.tensor(0.0))
    assert theta.item() == pytest.approx(-0.1)
    early = AdamState(one, one, torch.zeros((), dtype=torch.float64))
    theta, _ = adam_step(torch.zeros(1), one, early, lr=torch.tensor(0.1), epsilon=torch.tensor(0.0))
    assert theta.item() == pytest.approx(-0.1 * math.sqrt(0.001) / 0.1, rel=1e-6)


def test_mapped_over_a_pack_each_run_takes_its_own_step() -> None:
    generator = torch.Generator().manual_seed(0)
    theta, grad = torch.randn(2, 3, 5, generator=generator)
    lr, epsilon = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1e-5, 1e-8, 1.0])
    state = AdamState.zeros(theta)._replace(steps=torch.tensor([0.0, 5.0, 9.0], dtype=torch.float64))

    def step(theta: Tensor, grad: Tensor, state: AdamState, lr: Tensor, epsilon: Tensor) -> tuple[Tensor, AdamState]:
        return adam_step(theta, grad, state, lr=lr, epsilon=epsilon)

    packed, moments = vmap(step)(theta, grad, state, lr, epsilon)
    for i in range(3):
        alone, moment = step(theta[i], grad[i], AdamState(*(s[i] for s in state)), lr[i], epsilon[i])
        assert torch.equal(packed[i], alone)
        assert all(torch.equal(a[i], b) for a, b in zip(moments, moment, strict=True))


def test_moments_start_at_zero_one_count_per_run() -> None:
    state = AdamState.zeros(torch.ones(3, 5))
    assert [s.shape for s in state] == [(3, 5), (3, 5), (3,)]
    assert all((s == 0).all() for s in state)
    assert state.steps.dtype == torch.float64


# -- the adaptive stepsize ---------------------------------------------------------------------------------------------

D = 0.01


@pytest.mark.parametrize(
    ("lr", "kl", "target", "after"),
    [
        (3e-4, 2.01 * D, D, 3e-4 / 1.5),
        (3e-4, 100.0, D, 3e-4 / 1.5),
        (3e-4, 2 * D, D, 3e-4),
        (3e-4, D, D, 3e-4),
        (3e-4, D / 2, D, 3e-4),
        (3e-4, 0.49 * D, D, 3e-4 * 1.5),
        (3e-4, 0.0, D, 3e-4 * 1.5),
        (3e-4, math.nan, D, 3e-4),  # a run that cannot go on
        (3e-4, 100.0, math.nan, 3e-4),  # no target: the stepsize is constant, be it beyond the bounds
        (5.0, 0.0, math.nan, 5.0),
        (1.2e-6, 1.0, D, 1e-6),
        (1e-6, 1.0, D, 1e-6),
        (8e-3, 0.0, D, 1e-2),
        (1e-2, 0.0, D, 1e-2),
    ],
)
def test_the_stepsize_follows_the_kl_within_its_bounds(lr: float, kl: float, target: float, after: float) -> None:
    assert adapt_stepsize(*(np.array([x]) for x in (lr, kl, target))).tolist() == [after]


def test_every_run_has_a_stepsize_of_its_own() -> None:
    lr, kl, target = np.array([3e-4, 3e-4, 1e-3]), np.array([0.03, 0.03, 0.03]), np.array([0.01, 0.1, math.nan])
    assert adapt_stepsize(lr, kl, target).tolist() == [3e-4 / 1.5, 3e-4 * 1.5, 1e-3]
    assert lr.tolist() == [3e-4, 3e-4, 1e-3]  # what was recorded does not change
