"""One Adam step of PPO: the terms of equation (9), the options beyond it, and steps that must not be taken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.func import vmap

from ppo.algorithms.ppo.step import Rows, Samples, Stats
from ppo.learning.adam import AdamState, in_place
from ppo.networks.flat import FlatNetwork
from tests.ppo.algorithms.fakes import (
    DOUBLE,
    SURROGATES,
    coefficients,
    gradient,
    make_step,
    parameters,
    random_samples,
    stacked,
    take,
)

# -- the terms of equation (9) -----------------------------------------------------------------------------------------


def test_without_an_advantage_the_entropy_bonus_widens_the_policy_and_does_nothing_else() -> None:
    network, step = make_step()
    theta = parameters(network)
    samples = random_samples(network, theta)._replace(adv=torch.zeros(64, dtype=DOUBLE))
    grad = gradient(step, theta, samples, coefficients(c1=0.0, c2=0.25))
    torch.testing.assert_close(grad.pop("log_std"), torch.full((2,), -0.25, dtype=DOUBLE))  # d entropy / d log_std = 1
    assert all((g == 0).all() for g in grad.values())


def test_c1_weighs_the_value_loss_and_leaves_a_separate_policy_alone() -> None:
    network, step = make_step()
    theta = parameters(network)
    samples = random_samples(network, parameters(network, 1))
    single, triple = (gradient(step, theta, samples, coefficients(c1=c1)) for c1 in (1.0, 3.0))
    for key in single:
        weight = 3 if key.startswith("value") else 1
        torch.testing.assert_close(triple[key], weight * single[key])
        assert (single[key] != 0).any()


def test_in_a_shared_trunk_both_gradients_add_up_and_c1_weighs_them() -> None:
    network, step = make_step("network.shared=true")
    theta = parameters(network)
    samples = random_samples(network, parameters(network, 1))
    trunk = "policy_trunk.layers.0.weight"
    alone, both, more = (gradient(step, theta, samples, coefficients(c1=c1))[trunk] for c1 in (0.0, 1.0, 3.0))
    of_value = gradient(step, theta, samples._replace(adv=torch.zeros(64, dtype=DOUBLE)), coefficients(c1=1.0))[trunk]
    assert of_value.abs().max() > 1e-3
    torch.testing.assert_close(both, alone + of_value)
    torch.testing.assert_close(more, alone + 3 * of_value)


def constant_value(network: FlatNetwork, value: float) -> Tensor:
    """Parameters of a network whose value is the same everywhere."""
    theta = torch.zeros(sum(network.sizes), dtype=DOUBLE)
    network.unflatten(theta)["value_head.bias"].fill_(value)
    return theta


@pytest.mark.parametrize(
    ("overrides", "value_loss"),
    [
        ([], (1 + 1 + 0.25) / 3),
        (["value_clip=0.2"], (1 + 1.69 + 0.25) / 3),  # 0.5 + 0.2 is further from 2 than 1 is
    ],
)
def test_a_clipped_value_counts_where_it_is_the_worse_one(overrides: list[str], value_loss: float) -> None:
    network, step = make_step(*overrides)
    theta = constant_value(network, 1.0)
    samples = random_samples(network, theta, size=3)._replace(
        value=torch.tensor([0.5, 0.5, 0.9], dtype=DOUBLE), value_target=torch.tensor([0.0, 2.0, 1.5], dtype=DOUBLE)
    )
    assert take(step, theta, samples, coefficients(value_clip=0.2))[2].value_loss == pytest.approx(value_loss)


def test_a_value_that_has_gone_far_enough_in_the_right_direction_is_let_go() -> None:
    network, step = make_step("value_clip=0.2")
    theta = constant_value(network, 1.0)
    samples = random_samples(network, theta, size=1)
    past = samples._replace(value=torch.full((1,), 0.5).double(), value_target=torch.full((1,), 2.0).double())
    assert gradient(step, theta, past, coefficients(value_clip=0.2))["value_head.bias"] == 0
    assert gradient(step, theta, past, coefficients(value_clip=0.6))["value_head.bias"] == pytest.approx(2 * (1 - 2))


# -- options that are not in the paper ---------------------------------------------------------------------------------


def test_advantages_normalised_per_minibatch_are_those_of_ppo2() -> None:
    network, plain = make_step()
    _, normalising = make_step("normalize_adv=minibatch")
    theta, samples = parameters(network), random_samples(network, parameters(network, 1))
    adv = samples.adv.numpy()
    by_hand = samples._replace(adv=torch.from_numpy((adv - np.mean(adv)) / (np.std(adv) + 1e-8)))
    expected, ours = (take(s, theta, b, coefficients()) for s, b in ((plain, by_hand), (normalising, samples)))
    torch.testing.assert_close(ours[1].m, expected[1].m)
    assert not torch.allclose(take(plain, theta, samples, coefficients())[1].m, expected[1].m)


def test_a_long_gradient_is_cut_to_the_bound_and_a_short_one_is_not() -> None:
    network, bounded = make_step("max_grad_norm=0.5")  # the size in use comes with the coefficients
    _, free = make_step()
    theta, samples = parameters(network), random_samples(network, parameters(network, 1))
    _, adam, stats = take(free, theta, samples, coefficients())
    norm = stats.grad_norm.item()
    _, cut, reported = take(bounded, theta, samples, coefficients(max_grad_norm=norm / 4))
    torch.testing.assert_close(cut.m, adam.m / 4, rtol=1e-5, atol=0)
    assert reported.grad_norm == pytest.approx(norm)  # as it was before the cut
    _, uncut, _ = take(bounded, theta, samples, coefficients(max_grad_norm=2 * norm))
    assert torch.equal(uncut.m, adam.m)


# -- what is reported --------------------------------------------------------------------------------------------------


def test_the_clip_fraction_counts_ratios_beyond_epsilon_on_either_side() -> None:
    network, step = make_step()
    theta = parameters(network)
    samples = random_samples(network, theta, size=5)
    ratio = torch.tensor([0.7, 0.81, 1.0, 1.19, 1.3], dtype=DOUBLE)
    moved = samples._replace(logp_old=samples.logp_old - ratio.log())
    assert take(step, theta, moved, coefficients())[2].clip_fraction == pytest.approx(2 / 5)
    assert take(step, theta, moved, coefficients(epsilon=0.1))[2].clip_fraction == pytest.approx(4 / 5)
    assert take(step, theta, moved, coefficients("none"))[2].clip_fraction == 0


def test_statistics_are_added_to_those_of_earlier_steps() -> None:
    network, step = make_step()
    theta, samples = parameters(network), random_samples(network, parameters(network, 1))
    totals = torch.full((len(Stats._fields),), 100.0, dtype=DOUBLE)
    after = step(theta, AdamState.zeros(theta), totals, Rows.of(samples), coefficients())[2]
    torch.testing.assert_close(after - 100, torch.stack(take(step, theta, samples, coefficients())[2]))


def test_in_place_a_step_writes_over_its_state() -> None:
    network, step = make_step()
    theta, samples = parameters(network), random_samples(network, parameters(network, 1))
    new_theta, new_adam, stats = take(step, theta, samples, coefficients())
    adam, totals = AdamState.zeros(theta), torch.zeros(len(Stats._fields), dtype=DOUBLE)
    assert in_place(step)(theta, adam, totals, Rows.of(samples), coefficients()) is None
    assert torch.equal(theta, new_theta)
    assert all(torch.equal(a, b) for a, b in zip(adam, new_adam, strict=True))
    assert torch.equal(totals, torch.stack(stats))


# -- gradients that are not finite -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("where", ["adv", "value_target", "obs"])
def test_a_gradient_that_is_not_finite_skips_the_step_bit_for_bit_and_is_counted(where: str, bad: float) -> None:
    network, step = make_step()
    theta, samples = parameters(network), random_samples(network, parameters(network, 1))
    _, adam, _ = take(step, theta, samples, coefficients())  # moments that are not zero
    getattr(samples, where)[7] = math.nan if where == "obs" else bad
    totals = torch.zeros(len(Stats._fields), dtype=DOUBLE)
    same_theta, same_adam, totals = step(theta, adam, totals, Rows.of(samples), coefficients())
    assert torch.equal(same_theta, theta)
    assert all(torch.equal(a, b) for a, b in zip(same_adam, adam, strict=True))
    assert Stats(*totals).skipped == 1
    assert torch.isfinite(totals).all()


def test_a_lane_of_nan_leaves_its_mates_bit_identical() -> None:
    network, step = make_step()
    theta = torch.stack([parameters(network, i) for i in range(3)])
    clean = stacked([random_samples(network, parameters(network, 5 + i), seed=i) for i in range(3)])
    broken = Rows(*(column.clone() for column in clean))
    for column in broken:
        column[1] = math.nan
    c = torch.stack([coefficients(name) for name in ("none", "clip", "kl_fixed")])
    totals = torch.zeros(3, len(Stats._fields), dtype=DOUBLE)
    (a, adam_a, _), (b, adam_b, totals) = (
        vmap(step)(theta, AdamState.zeros(theta), totals, s, c) for s in (clean, broken)
    )
    assert totals[:, Stats._fields.index("skipped")].tolist() == [0, 1, 0]
    for ours, theirs in ((a, b), *zip(adam_a, adam_b, strict=True)):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])
    assert torch.equal(b[1], theta[1])


def test_a_kl_that_overflows_stops_a_penalised_run_only() -> None:
    network, step = make_step()
    theta = parameters(network)
    samples = random_samples(network, theta)
    dist_old = samples.dist_old.clone()
    dist_old[:, 2:] = 1000.0  # log standard deviations
    overflowing = samples._replace(dist_old=dist_old)
    skipped = {n: take(step, theta, overflowing, coefficients(n))[2].skipped.item() for n in SURROGATES}
    assert {name for name, count in skipped.items() if count} == {"kl_fixed", "kl_adaptive"}


# -- a known optimum ---------------------------------------------------------------------------------------------------


def test_the_penalised_optimum_of_a_gaussian_bandit_is_where_calculus_puts_it() -> None:
    """One state, old policy N(0, sigma^2), advantage a / sigma: the new mean m sigma and deviation s sigma maximise
    m - beta * (log s + (1 + m^2) / (2 s^2) - 1/2), so s^2 = 1 + m^2 = beta m. (With KL[new, old]: m = 1 / beta, s = 1.)
    """
    sigma, count, betas = 0.5, 1000, np.array([3.0, 4.0, 10.0])
    quantiles = Normal(0.0, 1.0).icdf((torch.arange(count, dtype=DOUBLE) + 0.5) / count)
    network, step = make_step("network.hidden=[]", obs_size=1, action_size=1)
    dist_old = torch.tensor([0.0, math.log(sigma)], dtype=DOUBLE).expand(count, 2)
    action, zero = sigma * quantiles.unsqueeze(-1), torch.zeros(count, dtype=DOUBLE)
    logp_old = network.distribution.logp(dist_old, action)
    samples = Samples(torch.zeros(count, 1, dtype=DOUBLE), action, dist_old, logp_old, quantiles, zero, zero)

    theta = torch.zeros(len(betas), sum(network.sizes), dtype=DOUBLE)
    network.unflatten(theta)["log_std"].fill_(math.log(sigma))
    c = torch.stack([coefficients("kl_fixed", beta=beta, lr=0.02, c1=0.0, adam_epsilon=1e-5) for beta in betas])
    adam, totals = AdamState.zeros(theta), torch.zeros(len(betas), len(Stats._fields), dtype=DOUBLE)
    packed = stacked([samples] * len(betas))
    for _ in range(150):
        theta, adam, totals = vmap(step)(theta, adam, totals, packed, c)

    mean = (betas - np.sqrt(betas**2 - 4)) / 2
    found = network.unflatten(theta)
    np.testing.assert_allclose(found["policy_head.bias"][:, 0], mean * sigma, rtol=0.03)
    np.testing.assert_allclose(found["log_std"][:, 0], np.log(sigma * np.sqrt(betas * mean)), atol=0.01)
