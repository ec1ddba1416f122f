"""Policy and value networks, written for one run (section 6.1), and their parameters as one flat vector."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ppo.config.algorithms import Network
from ppo.envs.base import Spec
from ppo.networks.distributions import Categorical, Distribution, Gaussian


def tanh(x: Tensor) -> Tensor:
    """tanh; in compiled code the rational approximation of Eigen and XLA, within 4e-7 of it and four times as fast.

    (TensorFlow, in which the authors' code was written, evaluates tanh this way on the CPU.)
    """
    if not torch.compiler.is_compiling():
        return torch.tanh(x)
    z = x.detach().clamp(-7.90531110763549805, 7.90531110763549805)
    z2 = z * z
    p = z2 * -2.76076847742355e-16 + 2.00018790482477e-13
    p = p * z2 - 8.60467152213735e-11
    p = p * z2 + 5.12229709037114e-08
    p = p * z2 + 1.48572235717979e-05
    p = p * z2 + 6.37261928875436e-04
    p = p * z2 + 4.89352455891786e-03
    q = z2 * 1.19825839466702e-06 + 1.18534705686654e-04
    q = q * z2 + 2.26843463243900e-03
    q = q * z2 + 4.89352518554385e-03
    y = z * p / q
    return y + (1 - y * y) * (x - x.detach())  # the value is y; the gradient is the true derivative


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": tanh, "relu": torch.relu}


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x @ weight + bias: x [..., inputs], weight [inputs, outputs]; or of a pack, each with its leading dimension.

    A single output is summed up by hand: its product would go to another routine for one or two runs than for more,
    and round differently (law 1).
    """
    if weight.shape[-1] == 1:
        return (x * weight.transpose(-1, -2)).sum(-1, keepdim=True) + bias
    return torch.baddbmm(bias, x, weight) if weight.dim() == 3 else x @ weight + bias


class Dense(nn.Module):
    """An affine layer, weight [inputs, outputs]: in this layout every product of the update is a fast one."""

    def __init__(self, inputs: int, outputs: int, *, scale: float, generator: torch.Generator) -> None:
        """Columns drawn as normal vectors of norm `scale` ("normc" of the authors' code), bias 0."""
        super().__init__()
        weight = torch.randn(inputs, outputs, generator=generator)
        self.weight = nn.Parameter(weight * (scale / weight.norm(dim=0, keepdim=True)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


class Trunk(nn.Module):
    """The hidden layers."""

    def __init__(self, inputs: int, network: Network, generator: torch.Generator) -> None:
        super().__init__()
        self.activate = ACTIVATIONS[network.activation]
        hidden = network.hidden
        sizes = (inputs, *hidden)
        self.layers = nn.ModuleList(
            Dense(a, b, scale=1.0, generator=generator) for a, b in zip(sizes, hidden, strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.activate(layer(x))
        return x


class ActorCritic(nn.Module):
    """Policy and value function of one run: obs [..., obs] -> dist [..., D], value [...]."""

    def __init__(self, spec: Spec, network: Network, generator: torch.Generator) -> None:
        super().__init__()
        features = network.hidden[-1] if network.hidden else spec.obs_size
        self.policy_trunk = Trunk(spec.obs_size, network, generator)
        self.policy_head = Dense(features, spec.action_size, scale=network.policy_scale, generator=generator)
        self.value_trunk = None if network.shared else Trunk(spec.obs_size, network, generator)
        self.value_head = Dense(features, 1, scale=1.0, generator=generator)
        log_std = torch.full((spec.action_size,), network.log_std)
        self.log_std = None if spec.discrete else nn.Parameter(log_std)

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        features = self.policy_trunk(obs)
        dist = self.policy_head(features)
        if self.log_std is not None:  # "variable standard deviations", independent of the state
            dist = torch.cat([dist, self.log_std.expand_as(dist)], -1)
        if self.value_trunk is not None:
            features = self.value_trunk(obs)
        return dist, self.value_head(features).squeeze(-1)


class FlatNetwork:
    """An ActorCritic whose parameters are one vector theta [n], as Algorithm 1 writes it."""

    def __init__(self, spec: Spec, network: Network) -> None:
        self.spec, self.network = spec, network
        self.distribution: Distribution = (Categorical if spec.discrete else Gaussian)(spec.action_size)
        self.module = ActorCritic(spec, network, torch.Generator().manual_seed(0)).to("meta")
        self.shapes = {name: p.shape for name, p in self.module.named_parameters()}
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]

    def init(self, generator: torch.Generator) -> Tensor:
        """Fresh parameters theta [n]."""
        module = ActorCritic(self.spec, self.network, generator)
        return torch.cat([p.detach().flatten() for p in module.parameters()])

    def __call__(self, theta: Tensor, obs: Tensor) -> tuple[Tensor, Tensor]:
        """dist [..., D] and value [...] of obs [..., obs]."""
        return functional_call(self.module, self.unflatten(theta), (obs,))

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """Named parameters [..., *shape] of theta [..., n]."""
        pieces = zip(self.shapes.items(), torch.split(theta, self.sizes, -1), strict=True)
        return {name: piece.unflatten(-1, shape) for (name, shape), piece in pieces}

    def part(self, *names: str) -> Tensor:
        """Which entries of theta [n] belong to parameters whose names begin so, bool."""
        sizes = zip(self.shapes, self.sizes, strict=True)
        return torch.cat([torch.full((size,), name.startswith(names)) for name, size in sizes])

    def policy(self, theta: Tensor, obs: Tensor) -> Tensor:
        """dist [..., D]."""
        return self(theta, obs)[0]

    def value(self, theta: Tensor, obs: Tensor) -> Tensor:
        """value [...]."""
        return self(theta, obs)[1]
