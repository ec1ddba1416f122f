"""One Adam step of PPO against autograd on the same network built by hand, and against numbers worked out on paper."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.func import vmap

from ppo.adam import AdamState
from ppo.algorithms.ppo_step import Coefficients, MinibatchStep, Samples, Stats, in_place
from ppo.compose import compose
from ppo.envs.lockstep import Spec
from ppo.networks import FlatNetwork
from ppo.surrogates import OBJECTIVES

DOUBLE = torch.float64
EPSILON, BETA, C1, C2 = 0.2, 3.0, 0.7, 0.05


def make_step(*overrides: str, obs_size: int = 3, action_size: int = 2) -> tuple[FlatNetwork, MinibatchStep]:
    """A step of Table 3 with a small network and these overrides of its keys."""
    settings = compose([f"algorithm.{o}" for o in ("network.hidden=[5]", *overrides)]).algorithm
    spec = Spec(obs_size, action_size, False, -np.ones(action_size), np.ones(action_size))
    network = FlatNetwork(spec, settings.network)
    return network, MinibatchStep(network, settings)


def coefficients(objective: str = "clip", **others: float) -> Tensor:
    values = {"epsilon": EPSILON, "beta": BETA, "lr": 1e-3, "adam_epsilon": 1e-30, "c1": 1.0, "c2": 0.0}
    values |= {"max_grad_norm": 0.0, "value_clip": 0.0} | others
    values["objective"] = list(OBJECTIVES).index(objective)
    return torch.tensor([values[name] for name in Coefficients._fields], dtype=DOUBLE)


def parameters(network: FlatNetwork, seed: int = 0) -> Tensor:
    """theta [n], every one of them at work, biases too."""
    size = sum(network.sizes)
    return 0.5 * torch.randn(size, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def random_samples(network: FlatNetwork, theta_old: Tensor, size: int = 64, seed: int = 1) -> Samples:
    """A minibatch collected with theta_old."""
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(size, network.spec.obs_size, dtype=DOUBLE, generator=generator)
    dist_old = network.policy(theta_old, obs)
    mean, log_std = dist_old.chunk(2, -1)
    action = mean + log_std.exp() * torch.randn(mean.shape, dtype=DOUBLE, generator=generator)
    logp_old = network.distribution.logp(dist_old, action)
    adv, value, value_target = torch.randn(3, size, dtype=DOUBLE, generator=generator)
    return Samples(obs, action, dist_old, logp_old, adv, value, value_target)


def rows(samples: Samples) -> Tensor:
    """Samples side by side, [M, columns]."""
    return torch.cat([x if x.ndim == 2 else x.unsqueeze(-1) for x in samples], -1)


def take(step: MinibatchStep, theta: Tensor, samples: Samples, c: Tensor) -> tuple[Tensor, AdamState, Stats]:
    """The first step of one run."""
    totals = torch.zeros(len(Stats._fields), dtype=DOUBLE)
    theta, adam, totals = step(theta, AdamState.zeros(theta), totals, rows(samples), c)
    return theta, adam, Stats(*totals)


def gradient(step: MinibatchStep, theta: Tensor, samples: Samples, c: Tensor) -> dict[str, Tensor]:
    """The gradient of the loss by parameter: after one step Adam's first moment is a tenth of it."""
    return step.network.unflatten(take(step, theta, samples, c)[1].m / 0.1)


# -- the gradient ------------------------------------------------------------------------------------------------------


class ByHand(nn.Module):
    """The two networks of section 6.1 from torch's own layers, with one hidden layer each."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.weights = weights
        self.policy = nn.Sequential(self.linear("policy_trunk.layers.0"), nn.Tanh(), self.linear("policy_head"))
        self.value = nn.Sequential(self.linear("value_trunk.layers.0"), nn.Tanh(), self.linear("value_head"))
        self.log_std = nn.Parameter(weights["log_std"].clone())

    def linear(self, name: str) -> nn.Linear:
        weight, bias = self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"]
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=DOUBLE)
        layer.load_state_dict({"weight": weight, "bias": bias})
        return layer

    def distribution(self, obs: Tensor) -> Independent:
        return Independent(Normal(self.policy(obs), self.log_std.exp()), 1)

    def named(self, of: Callable[[nn.Parameter], Tensor]) -> dict[str, Tensor]:
        """`of` each parameter, under the names and in the layout of ours."""
        layers = {"policy_trunk.layers.0": self.policy[0], "policy_head": self.policy[2]}
        layers |= {"value_trunk.layers.0": self.value[0], "value_head": self.value[2]}
        tensors = {f"{name}.weight": of(layer.weight).T for name, layer in layers.items()}
        tensors |= {f"{name}.bias": of(layer.bias) for name, layer in layers.items()}
        return tensors | {"log_std": of(self.log_std)}


def objective_by_hand(name: str, log_ratio: Tensor, adv: Tensor, kl: Tensor) -> Tensor:
    ratio = log_ratio.exp()
    return {
        "none": ratio * adv,
        "clip": torch.min(ratio * adv, torch.clip(ratio, 1 - EPSILON, 1 + EPSILON) * adv),
        "clip_log": torch.min(ratio * adv, torch.clip(log_ratio, -EPSILON, EPSILON).exp() * adv),
        "clip_log_objective": torch.min(
            log_ratio * adv, torch.clip(log_ratio, math.log(1 - EPSILON), math.log(1 + EPSILON)) * adv
        ),
        "kl_fixed": ratio * adv - BETA * kl,
        "kl_adaptive": ratio * adv - BETA * kl,
    }[name]


def loss_by_hand(name: str, model: ByHand, old: ByHand, s: Samples) -> Tensor:
    """The negative of equation (9)."""
    now, before = model.distribution(s.obs), old.distribution(s.obs)
    log_ratio = now.log_prob(s.action) - before.log_prob(s.action).detach()
    objective = objective_by_hand(name, log_ratio, s.adv, kl_divergence(before, now)).mean()
    value_loss = nn.functional.mse_loss(model.value(s.obs).squeeze(-1), s.value_target)
    return -(objective - C1 * value_loss + C2 * now.entropy().mean())


def test_a_step_of_a_mixed_pack_equals_autograd_and_torchs_adam_on_each_run_built_by_hand() -> None:
    network, step = make_step()
    names = list(OBJECTIVES)
    theta_old = [parameters(network, seed) for seed in range(len(names))]
    samples = [random_samples(network, old, seed=10 + i) for i, old in enumerate(theta_old)]
    theta = [old + 0.1 * parameters(network, 20 + i) for i, old in enumerate(theta_old)]
    packed = torch.stack(theta)
    c = torch.stack([coefficients(name, c1=C1, c2=C2) for name in names])
    totals = torch.zeros(len(names), len(Stats._fields), dtype=DOUBLE)
    new, adam, totals = vmap(step)(packed, AdamState.zeros(packed), totals, torch.stack([*map(rows, samples)]), c)

    for i, name in enumerate(names):
        model, old = (ByHand(network.unflatten(t[i])) for t in (theta, theta_old))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-30)
        loss_by_hand(name, model, old, samples[i]).backward()
        ours = network.unflatten(adam.m[i] / 0.1)
        for key, grad in model.named(lambda p: p.grad).items():
            torch.testing.assert_close(ours[key], grad, rtol=1e-9, atol=1e-12)
        optimizer.step()
        for key, moved in model.named(lambda p: p.detach()).items():
            torch.testing.assert_close(network.unflatten(new[i])[key], moved, rtol=1e-9, atol=1e-12)
        assert Stats(*totals[i]).grad_norm == pytest.approx(adam.m[i].norm().item() / 0.1)
        assert Stats(*totals[i]).skipped == 0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_at_the_old_policy_every_surrogate_has_the_policy_gradient(name: str) -> None:
    network, step = make_step()
    theta = parameters(network)
    samples = random_samples(network, theta)
    model = ByHand(network.unflatten(theta))
    (-samples.adv * model.distribution(samples.obs).log_prob(samples.action)).mean().backward()
    ours = gradient(step, theta, samples, coefficients(name, c1=0.0))
    for key, grad in model.named(lambda p: torch.zeros_like(p) if p.grad is None else p.grad).items():
        torch.testing.assert_close(ours[key], grad, rtol=1e-9, atol=1e-12)


def test_at_the_old_policy_the_objective_is_the_mean_advantage() -> None:
    network, step = make_step()
    theta = parameters(network)
    samples = random_samples(network, theta)
    for name in ("none", "clip", "clip_log", "kl_fixed"):
        objective = take(step, theta, samples, coefficients(name))[2].objective
        assert objective == pytest.approx(samples.adv.mean().item()), name


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
    assert take(step, theta, moved, coefficients("none", epsilon=math.inf))[2].clip_fraction == 0


def test_statistics_are_added_to_those_of_earlier_steps() -> None:
    network, step = make_step()
    theta, samples = parameters(network), random_samples(network, parameters(network, 1))
    totals = torch.full((len(Stats._fields),), 100.0, dtype=DOUBLE)
    after = step(theta, AdamState.zeros(theta), totals, rows(samples), coefficients())[2]
    torch.testing.assert_close(after - 100, torch.stack(take(step, theta, samples, coefficients())[2]))


def test_in_place_a_step_writes_over_its_state() -> None:
    network, step = make_step()
    theta, samples = parameters(network), random_samples(network, parameters(network, 1))
    new_theta, new_adam, stats = take(step, theta, samples, coefficients())
    adam, totals = AdamState.zeros(theta), torch.zeros(len(Stats._fields), dtype=DOUBLE)
    assert in_place(step)(theta, adam, totals, rows(samples), coefficients()) is None
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
    same_theta, same_adam, totals = step(theta, adam, totals, rows(samples), coefficients())
    assert torch.equal(same_theta, theta)
    assert all(torch.equal(a, b) for a, b in zip(same_adam, adam, strict=True))
    assert Stats(*totals).skipped == 1
    assert torch.isfinite(totals).all()


def test_a_lane_of_nan_leaves_its_mates_bit_identical() -> None:
    network, step = make_step()
    theta = torch.stack([parameters(network, i) for i in range(3)])
    clean = torch.stack([rows(random_samples(network, parameters(network, 5 + i), seed=i)) for i in range(3)])
    broken = clean.clone()
    broken[1] = math.nan
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
    skipped = {n: take(step, theta, overflowing, coefficients(n))[2].skipped.item() for n in OBJECTIVES}
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
    packed = rows(samples).expand(len(betas), -1, -1)
    for _ in range(150):
        theta, adam, totals = vmap(step)(theta, adam, totals, packed, c)

    mean = (betas - np.sqrt(betas**2 - 4)) / 2
    found = network.unflatten(theta)
    np.testing.assert_allclose(found["policy_head.bias"][:, 0], mean * sigma, rtol=0.03)
    np.testing.assert_allclose(found["log_std"][:, 0], np.log(sigma * np.sqrt(betas * mean)), atol=0.01)
