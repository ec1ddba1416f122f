"""Acting: from filtered observations to actions, for all lanes and actors of a pack at once, in NumPy.

It runs once per environment step on a few numbers, where torch's calls would cost several times the arithmetic.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ppo.data import Floats
from ppo.envs.base import Actions
from ppo.errors import invalid
from ppo.networks.flat import FlatNetwork

POLICY = "policy_trunk."


class Actor(Protocol):
    """Turns observations and noise into actions."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """The random numbers of one rollout of a lane, float32 [*shape, columns]."""
        ...

    def noise(self, draws: np.ndarray) -> np.ndarray:
        """What `__call__` takes with each step, for a whole rollout's draws [L, T, N, columns] at once."""
        ...

    def __call__(self, obs: np.ndarray, noise: np.ndarray, /) -> np.ndarray:
        """Actions [L, N, action], float32, for filtered observations [L, N, *obs]."""
        ...


class PolicyActor:
    """Samples from the policies theta [L, n] of a pack."""

    def __init__(self, network: FlatNetwork, theta: Tensor) -> None:
        self.network, self.draw = network, network.distribution.draw
        self._forward, self._sample = network.body.forward, network.distribution.sample  # once per step: no look-ups
        self.refresh(theta)

    def refresh(self, theta: Tensor) -> None:
        """Act with these parameters from now on."""
        named = self.network.unflatten(theta.detach().cpu())
        weights = {name: w.numpy().copy() for name, w in named.items()}
        rows = {name: w[:, None] if name.endswith(".bias") else w for name, w in weights.items()}  # [L, 1, outputs]
        self.body = self.network.body.prepare(_policy_part(rows))
        self.head = (rows["policy_head.weight"], rows["policy_head.bias"])
        self.log_std = weights["log_std"][:, None, None] if "log_std" in weights else None

    def noise(self, draws: np.ndarray) -> np.ndarray:
        return self.network.distribution.noise(draws, self.log_std)

    def __call__(self, obs: np.ndarray, noise: np.ndarray, /) -> np.ndarray:
        return self._sample(affine(self._forward(self.body, obs, affine), *self.head), noise)

    def outputs(self) -> None:
        """Nothing is kept: to compute it again, for all steps at once, is faster than to keep it step by step."""


class SampleActor:
    """Acts by the mode of every actor's own policy, theta [L, N, n]; nothing is drawn."""

    def __init__(self, network: FlatNetwork, theta: Floats) -> None:
        self.network = network
        self.refresh(theta)

    def refresh(self, theta: Floats) -> None:
        """Act with these parameters from now on."""
        named = self.network.unflatten(torch.from_numpy(theta.astype(np.float32)))
        weights = {name: w.numpy() for name, w in named.items()}
        self.body = self.network.body.prepare(_policy_part(weights))
        self.head = (weights["policy_head.weight"], weights["policy_head.bias"])

    def draw(self, _generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros((*shape, 0), np.float32)

    def noise(self, draws: np.ndarray) -> np.ndarray:
        return draws

    def __call__(self, obs: np.ndarray, _noise: np.ndarray, /) -> np.ndarray:
        features = self.network.body.forward(self.body, obs, affine_of_each)
        return self.network.distribution.mode(affine_of_each(features, *self.head))


class UniformActor:
    """Draws actions uniformly from the task's bounds, whatever is observed."""

    def __init__(self, actions: Actions) -> None:
        if not (np.isfinite(actions.low).all() and np.isfinite(actions.high).all()):
            raise invalid("algorithm.policy", "uniform", "untrained, since these actions have no bounds")
        self.actions = actions
        self.low, self.high = actions.low.astype(np.float32), actions.high.astype(np.float32)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.random((*shape, self.actions.columns), dtype=np.float32)

    def noise(self, draws: np.ndarray) -> np.ndarray:
        if self.actions.discrete:
            return np.floor(draws * np.float32(self.actions.size))
        return self.low + (self.high - self.low) * draws

    def __call__(self, _obs: np.ndarray, noise: np.ndarray, /) -> np.ndarray:
        return noise


def affine(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x [L, N, inputs] through each lane's layer: weight [L, inputs, outputs], bias [L, 1, outputs]."""
    x = x @ weight
    x += bias
    return x


def affine_of_each(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x [L, N, inputs] through each actor's own layer; summed in order of inputs, whatever L and N are (law 1)."""
    return np.einsum("lni,lnio->lno", x, weight) + bias


def _policy_part(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters of the policy's body, by their names in the module."""
    return {name.removeprefix(POLICY): w for name, w in weights.items() if name.startswith(POLICY)}
