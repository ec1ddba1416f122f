"""The gradient of equation (9) against autograd on the same network built by hand, for every surrogate."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.func import vmap

from ppo.algorithms.ppo.step import Samples, Stats
from ppo.learning.adam import AdamState
from tests.ppo.algorithms.fakes import (
    BETA,
    DOUBLE,
    EPSILON,
    SURROGATES,
    coefficients,
    gradient,
    make_step,
    parameters,
    random_samples,
    stacked,
    take,
)

C1, C2 = 0.7, 0.05


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
        "clip_log objective": torch.min(
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
    names = list(SURROGATES)
    theta_old = [parameters(network, seed) for seed in range(len(names))]
    samples = [random_samples(network, old, seed=10 + i) for i, old in enumerate(theta_old)]
    theta = [old + 0.1 * parameters(network, 20 + i) for i, old in enumerate(theta_old)]
    packed = torch.stack(theta)
    c = torch.stack([coefficients(name, c1=C1, c2=C2) for name in names])
    totals = torch.zeros(len(names), len(Stats._fields), dtype=DOUBLE)
    new, adam, totals = vmap(step)(packed, AdamState.zeros(packed), totals, stacked(samples), c)

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


@pytest.mark.parametrize("name", SURROGATES)
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
