"""Convolutions of one run in torch: channels-last, products in float32 or bfloat16, parameters in float32."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ppo.data import Space
from ppo.errors import invalid

if TYPE_CHECKING:
    from ppo.networks.bodies.cnn import CNN, Precision

log = logging.getLogger(__name__)

Layers = list[tuple[Tensor, Tensor]]  # weight and bias of each, in the precision of the products

BRIGHTEST = 255
GAIN = math.sqrt(2)  # of the orthogonal matrices that weights start from, as in the authors' public code (2017)


class Layer(nn.Module):
    """Weight [outputs, *inputs], drawn as an orthogonal matrix, and bias, 0."""

    def __init__(self, outputs: int, inputs: tuple[int, ...], generator: torch.Generator) -> None:
        super().__init__()
        weight = torch.empty(outputs, math.prod(inputs))
        nn.init.orthogonal_(weight, GAIN, generator=generator)
        self.weight = nn.Parameter(weight.view(outputs, *inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))


class Convolutions(nn.Module):
    """Frames [..., height, width, channels] of bytes -> features [..., features], float32.

    Kernels are [outputs, size, size, inputs] and the last layer takes height, width, channels: every view that a
    product needs is channels-last, which is twice as fast as channels first.
    """

    def __init__(self, body: CNN, obs: Space, generator: torch.Generator) -> None:
        super().__init__()
        self.body = body
        channels = obs.shape[2]
        layers = []
        for convolution in body.convolutions:
            size = convolution.size
            layers.append(Layer(convolution.channels, (size, size, channels), generator))
            channels = convolution.channels
        height, width = body.sides(obs)[-1]
        layers.append(Layer(body.units, (height * width * channels,), generator))
        self.layers = nn.ModuleList(layers)

    def forward(self, frames: Tensor) -> Tensor:
        layers = [cast(Layer, layer) for layer in self.layers]
        prepared = in_precision([(layer.weight, layer.bias) for layer in layers], self.body.precision)
        flat = frames.reshape(-1, *frames.shape[-3:])
        found = features(prepared, flat, [c.stride for c in self.body.convolutions])
        return found.view(*frames.shape[:-3], -1)


def in_precision(layers: Sequence[tuple[Tensor, Tensor]], precision: Precision) -> Layers:
    """Layers in the precision of the products. The first weight is divided by 255, and not the pixels: as bytes they
    are exact in bfloat16, between 0 and 1 they are not."""
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    (weight, bias), *rest = layers
    return [(weight.to(dtype), bias.to(dtype)) for weight, bias in ((weight / BRIGHTEST, bias), *rest)]


def features(layers: Layers, frames: Tensor, strides: Sequence[int]) -> Tensor:
    """Features [B, features] of frames [B, height, width, channels] of bytes."""
    *convolutions, (weight, bias) = layers
    x = frames.to(weight.dtype).permute(0, 3, 1, 2)
    for (kernel, shift), stride in zip(convolutions, strides, strict=True):
        x = torch.relu_(functional.conv2d(x, kernel.permute(0, 3, 1, 2), shift, stride))
    return torch.relu_(functional.linear(x.permute(0, 2, 3, 1).flatten(1), weight, bias)).float()


@cache
def check_precision(precision: Precision, device: str) -> None:
    """UserError where torch has no such products, a warning where they are emulated."""
    if precision == "float32":
        return
    one = torch.ones(1, 1, 1, 1, dtype=torch.bfloat16, device=device)
    try:
        functional.conv2d(one, one)
    except RuntimeError:
        raise invalid("network.precision", precision, "float32, since torch has no bfloat16 products here") from None
    fast = torch.cuda.is_bf16_supported() if device == "cuda" else _cpu_has_bfloat16()
    if not fast:
        log.warning("network.precision=bfloat16 is slow here: this processor has no bfloat16 instructions")


def _cpu_has_bfloat16() -> bool:
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # of torch.cpu; absent: nothing is known
    found = [getattr(torch.cpu, probe) for probe in probes if hasattr(torch.cpu, probe)]
    return not found or any(probe() for probe in found)
