"""Policy and value function of one run (section 6.1), and their parameters as one vector, as Algorithm 1 writes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ppo.envs.base import Spec
from ppo.networks.base import Body
from ppo.networks.distributions import Categorical, Distribution, Gaussian
from ppo.networks.layers import Dense

ALIGNED = 16  # float32 in 64 bytes, the width of the widest registers


class Head(NamedTuple):
    """How the policy's head is initialised."""

    policy_scale: float  # norm of the weights of each output
    log_std: float  # log standard deviation of a Gaussian policy


class ActorCritic(nn.Module):
    """Policy and value function of one run: obs [..., *obs] -> dist [..., D], value [...]."""

    def __init__(self, spec: Spec, body: Body, head: Head, generator: torch.Generator) -> None:
        super().__init__()
        features, size = body.features(spec.obs), spec.action.size
        self.policy_trunk = body.module(spec.obs, generator)
        self.policy_head = Dense(features, size, scale=head.policy_scale, generator=generator)
        self.value_trunk = None if body.shared else body.module(spec.obs, generator)
        self.value_head = Dense(features, 1, scale=1.0, generator=generator)
        self.log_std = None if spec.action.discrete else nn.Parameter(torch.full((size,), head.log_std))

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        features = self.policy_trunk(obs)
        dist = self.policy_head(features)
        if self.log_std is not None:  # "variable standard deviations", independent of the state
            dist = torch.cat([dist, self.log_std.expand_as(dist)], -1)
        if self.value_trunk is not None:
            features = self.value_trunk(obs)
        return dist, self.value_head(features).squeeze(-1)


class FlatNetwork:
    """An ActorCritic whose parameters are one vector theta [n]."""

    def __init__(self, spec: Spec, body: Body, head: Head) -> None:
        body.check(spec.obs)
        self.spec, self.body, self.head = spec, body, head
        kind = Categorical if spec.action.discrete else Gaussian
        self.distribution: Distribution = kind(spec.action.size)
        self.module = ActorCritic(spec, body, head, torch.Generator().manual_seed(0)).to("meta")
        self.shapes = {name: p.shape for name, p in self.module.named_parameters()}
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]

    def init(self, generator: torch.Generator) -> Tensor:
        """Fresh parameters theta [n]."""
        module = ActorCritic(self.spec, self.body, self.head, generator)
        return torch.cat([p.detach().flatten() for p in module.parameters()])

    def stack(self, thetas: Sequence[Tensor]) -> Tensor:
        """theta [L, n] of L runs; where lanes are called one by one, their rows begin at equally aligned addresses.

        So no product can tell in which lane it is computed (law 1).
        """
        stacked = torch.stack(list(thetas))
        if self.body.mapped == "vmap":
            return stacked
        length = stacked.shape[1]
        room = stacked.new_zeros(len(stacked), math.ceil(length / ALIGNED) * ALIGNED)
        room[:, :length] = stacked
        return room[:, :length]

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
