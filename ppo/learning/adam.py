"""Adam (Kingma and Ba 2015) for one run's parameter vector, written to be mapped over a pack."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppo.data import Floats

DECAY_1, DECAY_2 = 0.9, 0.999
LEAST_STEPSIZE, MOST_STEPSIZE = 1e-6, 1e-2  # of an adapted stepsize; the paper and its sources set no bounds


class AdamState(NamedTuple):
    """Moments, and how many steps were taken."""

    m: Tensor  # [n]
    v: Tensor  # [n]
    steps: Tensor  # [] float64: precise enough for 1 - 0.999^steps

    @classmethod
    def zeros(cls, theta: Tensor) -> AdamState:
        """The state before the first step; leading dimensions of theta are kept."""
        return cls(torch.zeros_like(theta), torch.zeros_like(theta), torch.zeros(theta.shape[:-1], dtype=torch.float64))


def adam_step(
    theta: Tensor, grad: Tensor, state: AdamState, *, lr: Tensor, epsilon: Tensor
) -> tuple[Tensor, AdamState]:
    """theta [n] one step down the gradient; epsilon is added to sqrt(v) before bias correction, as in TensorFlow."""
    steps = state.steps + 1
    m = DECAY_1 * state.m + (1 - DECAY_1) * grad
    v = DECAY_2 * state.v + (1 - DECAY_2) * grad * grad
    correction = torch.sqrt(1 - DECAY_2**steps) / (1 - DECAY_1**steps)
    stepsize = lr * correction.to(lr.dtype)
    return theta - stepsize * m / (torch.sqrt(v) + epsilon), AdamState(m, v, steps)


def adam_step_in_place(theta: Tensor, grad: Tensor, state: AdamState, *, lr: Tensor, epsilon: Tensor) -> None:
    """`adam_step` of one run by itself, over its arguments: a third of the time where theta is large."""
    state.steps.add_(1)
    steps = float(state.steps)
    stepsize = float(lr) * math.sqrt(1 - DECAY_2**steps) / (1 - DECAY_1**steps)
    state.m.lerp_(grad, 1 - DECAY_1)
    state.v.mul_(DECAY_2).addcmul_(grad, grad, value=1 - DECAY_2)
    theta.addcdiv_(state.m, state.v.sqrt().add_(float(epsilon)), value=-stepsize)


def adapt_stepsize(lr: Floats, kl: Floats, target: Floats) -> Floats:
    """The stepsize of the next update, by the KL[old, new] of this one (footnote 3); where target is NaN, the same.

    Divided by 1.5 above twice the target and multiplied by 1.5 below half of it, from 1e-6 to 1e-2. All [L].
    """
    adapted = np.where(kl > 2 * target, lr / 1.5, np.where(kl < target / 2, lr * 1.5, lr))
    return np.where(np.isnan(target), lr, adapted.clip(LEAST_STEPSIZE, MOST_STEPSIZE))


def taken_if(holds: Tensor, new: tuple[Tensor, AdamState], old: tuple[Tensor, AdamState]) -> tuple[Tensor, AdamState]:
    """theta and Adam's state after a step if it `holds` [], else as before it."""
    kept = (torch.where(holds, a, b) for a, b in zip(new[1], old[1], strict=True))
    return torch.where(holds, new[0], old[0]), AdamState(*kept)


def in_place(step: Callable[..., tuple[Tensor, AdamState, Tensor]]) -> Callable[..., None]:
    """`step`, but writing its results over its first three arguments: no memory is allocated between minibatches."""

    def stepped(theta: Tensor, adam: AdamState, totals: Tensor, *rest: Any) -> None:
        new_theta, new_adam, new_totals = step(theta, adam, totals, *rest)
        for old, new in zip((theta, *adam, totals), (new_theta, *new_adam, new_totals), strict=True):
            old.copy_(new)

    return stepped
