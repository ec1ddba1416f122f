"""Fitting value functions: what is stepped on, that only they move, and that a pack does not show."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from ppo.config.compose import compose
from ppo.config.run import Config
from ppo.data import Floats
from ppo.learning.critic import Batch
from ppo.learning.value_fit import Samples, ValueFit
from tests.ppo.handmade import box, pack_of

SPEC = box(3, 2)
SIZE = 8  # of a minibatch


def runs(*lanes: str, epochs: int = 3, lr: float = 0.01) -> list[Config]:
    """Runs with a small network and seeds 0, 1, 2, ..., each with an override of its own."""
    shared = [f"value_epochs={epochs}", f"value_minibatch_size={SIZE}", f"value_lr={lr}", "horizon=24"]
    common = ["algorithm=trpo", "network.hidden=[4]", *(f"algorithm.{o}" for o in shared)]
    return [compose([*common, f"seed={i}", own]) for i, own in enumerate(lanes)]


def make_fit(lanes: int = 3, **shared: Any) -> tuple[ValueFit, Tensor]:
    """A fit of some lanes, and their parameters."""
    pack = pack_of(runs(*["total_steps=1000"] * lanes, **shared), SPEC)
    return ValueFit(pack), pack.theta


def experience(lanes: int = 3, size: int = 24, weight: Floats | None = None) -> tuple[Tensor, Batch]:
    """Filtered observations, and a batch of their value targets: 1 + 2 x - y, where weight is 0 nonsense."""
    obs = torch.randn(lanes, size, 3, generator=torch.Generator().manual_seed(0))
    target = (1 + 2 * obs[..., 0] - obs[..., 1]).double().numpy()
    if weight is not None:
        target[weight == 0] = 1e6
    empty = np.zeros((lanes, size))
    return obs, Batch(np.empty(0), torch.empty(0), empty, empty, target, weight)


def first(counts: list[int], size: int = 24) -> Floats:
    """Weights of 1 for so many first samples of each lane."""
    return (np.arange(size) < np.array(counts)[:, None]).astype(float)


class Watched(NamedTuple):
    """A fit that has been called, its parameters, what it returned, and its minibatches [steps, L, M, ...]."""

    fit: ValueFit
    theta: Tensor
    columns: dict[str, Floats]
    minibatches: Samples


def watch(fit: ValueFit, theta: Tensor, obs: Tensor, batch: Batch) -> Watched:
    seen, step = [], fit._step

    def stepped(*arguments: Any) -> None:
        seen.append(arguments[3])
        step(*arguments)

    fit._step = stepped
    columns = fit(theta, obs, batch)
    return Watched(fit, theta, columns, Samples(*(torch.stack(column) for column in zip(*seen, strict=True))))


# -- what moves --------------------------------------------------------------------------------------------------------


def test_the_value_function_comes_to_its_targets_and_the_policy_does_not_move_a_bit() -> None:
    fit, theta = make_fit(epochs=150)
    before, (obs, batch) = theta.clone(), experience()
    fit(theta, obs, batch)
    target = torch.from_numpy(batch.value_target)
    for lane in range(3):
        error = fit.network.value(theta[lane], obs[lane]) - target[lane]
        assert error.square().mean() < 0.1 * target[lane].var()
    of_policy = fit.network.part("policy", "log_std")
    assert torch.equal(theta[:, of_policy], before[:, of_policy])
    assert (theta != before)[:, ~of_policy].any(0).all()


def test_a_step_is_adams_on_the_mean_squared_error() -> None:
    fit, theta = make_fit(epochs=1)
    before, (obs, batch) = theta.clone(), experience(size=SIZE)
    fit(theta, obs, batch)
    for lane in range(3):
        parameter = torch.nn.Parameter(before[lane].double())
        optimizer = torch.optim.Adam([parameter], lr=0.01, eps=1e-12)
        error = fit.network.value(parameter, obs[lane].double()) - torch.from_numpy(batch.value_target[lane])
        error.square().mean().backward()
        optimizer.step()
        torch.testing.assert_close(theta[lane].double(), parameter.detach(), rtol=1e-4, atol=1e-6)
        gradient = fit.adam.m[lane].double() / 0.1
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-5)


def test_each_run_has_its_own_stepsize() -> None:
    rates = [f"algorithm.value_lr={lr}" for lr in (0.001, 0.01, 0.1)]
    pack = pack_of([replace(run, seed=0) for run in runs(*rates, epochs=1)], SPEC)
    (fit, theta), network = (ValueFit(pack), pack.theta), pack.network
    before, (obs, batch) = theta.clone(), experience(size=SIZE)
    fit(theta, obs[[0] * 3], batch._replace(value_target=batch.value_target[[0] * 3]))
    moved = (theta - before)[:, network.part("value")]
    torch.testing.assert_close(moved[1], 10 * moved[0], rtol=1e-2, atol=1e-5)
    torch.testing.assert_close(moved[2], 100 * moved[0], rtol=1e-2, atol=1e-4)


# -- what is stepped on ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [[24, 24, 24], [24, 17, 3]])
def test_every_sample_that_counts_is_used_once_per_epoch_and_no_other_ever(counts: list[int]) -> None:
    obs, batch = experience(weight=first(counts))
    seen = watch(*make_fit(), obs, batch).minibatches
    assert seen.obs.shape == (9, 3, SIZE, 3)  # of 3 epochs
    orders = set()
    for lane, count in enumerate(counts):
        for epoch in zip(*(column[:, lane].reshape(3, 24, -1) for column in seen), strict=True):
            shown, (target, weight) = epoch[0], epoch[1].split(1, -1)
            used = shown[weight[:, 0] == 1, 0].tolist()
            orders.add(tuple(used))
            assert sorted(used) == sorted(obs[lane, :count, 0].tolist())
            assert target.abs().max() < 1e6
            assert (weight[:count] == 1).all(), "what does not count comes last"
            assert all((column[count:] == 0).all() for column in epoch)
    assert len(orders) >= 8  # shuffled afresh; three samples have six orders


def test_the_last_minibatch_is_the_mean_of_what_it_has() -> None:
    """Eight equal samples and two: the gradient at the second step is as large as if there had been eight."""
    steps = {}
    for count in (2 * SIZE, SIZE + 2):
        fit, theta = make_fit(epochs=1, lr=1e-12)
        obs, batch = experience(weight=first([count] * 3))
        obs[:], batch.value_target[:, :count] = 1.0, 3.0
        watched = watch(fit, theta, obs, batch)
        assert len(watched.minibatches.obs) == 2
        steps[count] = fit.adam.m
    torch.testing.assert_close(*steps.values())


def test_the_loss_is_the_mean_over_a_runs_own_minibatches() -> None:
    fit, theta = make_fit(lr=1e-12)
    obs, batch = experience(weight=first([24, 16, 8]))
    loss = fit(theta, obs, batch)["value_loss"]
    for lane, count in enumerate((24, 16, 8)):
        error = fit.network.value(theta[lane], obs[lane, :count]).double().numpy() - batch.value_target[lane, :count]
        assert loss[lane] == pytest.approx(np.square(error).mean(), rel=1e-5)


# -- a pack does not show ----------------------------------------------------------------------------------------------


def test_mates_with_more_samples_change_nothing() -> None:
    alike, mixed = make_fit(), make_fit()
    obs, batch = experience(weight=first([5, 5, 5]))
    alike_loss = alike[0](alike[1], obs, batch)["value_loss"]
    obs, batch = experience(weight=first([5, 24, 11]))
    batch.value_target[0, 5:] = math.nan  # what does not count may be anything
    mixed_loss = mixed[0](mixed[1], obs, batch)["value_loss"]
    assert torch.equal(alike[1][0], mixed[1][0])
    assert alike_loss[0] == mixed_loss[0]
    assert not torch.equal(alike[1][1], mixed[1][1])
    for ours, theirs in zip(alike[0].adam, mixed[0].adam, strict=True):
        assert torch.equal(ours[0], theirs[0])
    states = [fit.orders[0].bit_generator.state for fit, _ in (alike, mixed)]
    assert states[0] == states[1]
    assert mixed[0].adam.steps.tolist() == [3, 9, 6]


def test_a_run_without_samples_or_with_targets_that_are_not_numbers_takes_no_step() -> None:
    fit, theta = make_fit()
    before, (obs, batch) = theta.clone(), experience(weight=first([0, 24, 24]))
    batch.value_target[1] = math.nan
    loss = fit(theta, obs, batch)["value_loss"]
    assert torch.equal(theta[:2], before[:2])
    assert not torch.equal(theta[2], before[2])
    assert fit.adam.steps.tolist() == [0, 0, 9]
    assert loss[:2].tolist() == [0, 0]
    assert torch.isfinite(fit.adam.m).all()


def test_a_lane_put_back_elsewhere_goes_on_with_the_same_bits() -> None:
    (straight, theta), (other, elsewhere) = make_fit(), make_fit()
    obs, batch = experience()
    straight(theta, obs, batch)
    other.set_state(0, straight.get_state(1))
    other.orders[0].bit_generator.state = straight.orders[1].bit_generator.state
    elsewhere[0] = theta[1]
    straight(theta, obs, batch)
    swapped = [1, 0, 2]
    other(elsewhere, obs[swapped], batch._replace(value_target=batch.value_target[swapped]))
    assert torch.equal(elsewhere[0], theta[1])
