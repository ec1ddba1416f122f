"""Fully connected layers (section 6.1: two of 64 tanh units)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ppo.config import choices
from ppo.config.schema import Sizes
from ppo.data import Kind, Space
from ppo.errors import UserError
from ppo.networks.base import Affine, Body

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ppo.config.run import Config

Layers = list[tuple[np.ndarray, np.ndarray]]  # weight [..., inputs, outputs] and bias [..., outputs] of each


@choices.network("mlp")
@dataclass(frozen=True)
class MLP(Body):
    """A multi-layer perceptron for observations of one dimension."""

    takes: ClassVar[Kind | None] = "vectors"

    hidden: Sizes
    activation: Literal["tanh", "relu"]
    shared: bool
    precision: Literal["float32"]

    def check(self, obs: Space) -> None:
        """UserError unless observations are vectors."""
        if len(obs.shape) != 1:
            raise UserError(f"network.name=mlp is invalid: expected a body for observations of shape {obs.shape}.")

    def without_effect(self, _run: Config) -> Mapping[str, str]:
        """What only hidden layers have."""
        unused = () if self.hidden else ("network.activation", "network.shared")
        return dict.fromkeys(unused, "there is no hidden layer")

    def features(self, obs: Space) -> int:
        """Units of the last layer; the observation itself where there is none."""
        return self.hidden[-1] if self.hidden else obs.size

    def weights(self, obs: Space) -> int:
        """Weights and biases of every layer."""
        return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise((obs.size, *self.hidden)))

    def module(self, obs: Space, generator: torch.Generator) -> nn.Module:
        """The hidden layers."""
        from ppo.networks.layers import Trunk

        return Trunk((obs.size, *self.hidden), self.activation, generator)

    def prepare(self, weights: Mapping[str, np.ndarray]) -> Layers:
        """Its layers in order."""
        return [(weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"]) for i in range(len(self.hidden))]

    def forward(self, prepared: Layers, x: np.ndarray, affine: Affine) -> np.ndarray:
        """Features [..., features] of x [..., obs]."""
        for weight, bias in prepared:
            x = affine(x, weight, bias)
            if self.activation == "tanh":
                np.tanh(x, out=x)
            else:
                np.maximum(x, 0, out=x)
        return x
