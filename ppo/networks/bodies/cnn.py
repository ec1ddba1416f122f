"""Convolutions over frames: the networks of Mnih et al. 2016, which the paper names, and of Mnih et al. 2015."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol

from ppo.config import choices
from ppo.data import Kind, Mapped, Space
from ppo.errors import UserError
from ppo.networks.base import Affine, Body

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ppo.networks.convolutions import Layers

Precision = Literal["float32", "bfloat16"]


class Convolution(NamedTuple):
    """A layer of square kernels without padding."""

    channels: int
    size: int
    stride: int


class CNN(Body, Protocol):
    """Convolutions, then one fully connected layer, each followed by a ReLU."""

    convolutions: ClassVar[tuple[Convolution, ...]]
    units: ClassVar[int]
    mapped: ClassVar[Mapped] = "loop"
    takes: ClassVar[Kind | None] = "frames"
    shared: bool
    precision: Precision

    def check(self, obs: Space) -> None:
        """UserError unless observations are images that are large enough."""
        if len(obs.shape) != 3 or any(min(side) < 1 for side in self.sides(obs)):
            raise UserError(
                f"network.name={self.name} is invalid: expected a body for observations of shape {obs.shape}."
            )

    def check_device(self, device: str) -> None:
        """Whether products of this precision are possible and fast."""
        from ppo.networks.convolutions import check_precision

        check_precision(self.precision, device)

    def sides(self, obs: Space) -> list[tuple[int, int]]:
        """Height and width of the observation and after every convolution."""
        found = [(obs.shape[0], obs.shape[1])]
        for _, size, stride in self.convolutions:
            height, width = found[-1]
            found.append(((height - size) // stride + 1, (width - size) // stride + 1))
        return found

    def features(self, obs: Space) -> int:
        """Units of the fully connected layer."""
        del obs
        return self.units

    def weights(self, obs: Space) -> int:
        """Weights and biases of every layer; of observations that it cannot take, none."""
        if len(obs.shape) != 3:
            return 0
        channels = [obs.shape[2], *(c.channels for c in self.convolutions)]
        kernels = zip(itertools.pairwise(channels), self.convolutions, strict=True)
        height, width = self.sides(obs)[-1]
        last = (height * width * channels[-1] + 1) * self.units
        return last + sum((c.size**2 * inputs + 1) * outputs for (inputs, outputs), c in kernels)

    def module(self, obs: Space, generator: torch.Generator) -> nn.Module:
        """Freshly drawn layers."""
        from ppo.networks.convolutions import Convolutions

        return Convolutions(self, obs, generator)

    def prepare(self, weights: Mapping[str, Tensor]) -> Layers:
        """Its layers in the precision of the products."""
        from ppo.networks.convolutions import in_precision

        names = [f"layers.{i}" for i in range(len(self.convolutions) + 1)]
        return in_precision([(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in names], self.precision)

    def forward(self, prepared: Layers, x: Tensor, _affine: Affine) -> Tensor:
        """Features [B, features], float32, of frames x [B, height, width, channels]."""
        from ppo.networks.convolutions import features

        return features(prepared, x, [c.stride for c in self.convolutions])


@choices.network("a3c_cnn")
@dataclass(frozen=True)
class A3C(CNN):
    """Mnih et al. 2016, section 5.1 there: "the same policy network", says section 6.4 of the paper."""

    convolutions: ClassVar[tuple[Convolution, ...]] = (Convolution(16, 8, 4), Convolution(32, 4, 2))
    units: ClassVar[int] = 256

    shared: bool
    precision: Precision


@choices.network("nature_cnn")
@dataclass(frozen=True)
class Nature(CNN):
    """Mnih et al. 2015: what the authors' public code trains."""

    convolutions: ClassVar[tuple[Convolution, ...]] = (
        Convolution(32, 8, 4), Convolution(64, 4, 2), Convolution(64, 3, 1),
    )  # fmt: skip
    units: ClassVar[int] = 512

    shared: bool
    precision: Precision
