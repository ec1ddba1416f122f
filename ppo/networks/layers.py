"""Layers of networks, written for one run; torch.func maps them over a pack."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


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
    """Hidden layers of the given sizes, the first being the inputs'."""

    def __init__(self, sizes: Sequence[int], activation: str, generator: torch.Generator) -> None:
        super().__init__()
        self.activate = ACTIVATIONS[activation]
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(Dense(a, b, scale=1.0, generator=generator) for a, b in pairs)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.activate(layer(x))
        return x
