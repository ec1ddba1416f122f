"""Fitting value functions by epochs of minibatch Adam, for algorithms whose policy is trained by another rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from ppo.envs.base import Floats
from ppo.learning.adam import AdamState, adam_step, in_place, taken_if
from ppo.learning.compiling import compiled, unguarded
from ppo.learning.critic import Batch, minibatches
from ppo.networks.flat import FlatNetwork

ADAM_EPSILON = 1e-8


class ValueFit:
    """Minimises the squared error of values over theta [L, n], in place; the policy's entries have no gradient."""

    def __init__(
        self, network: FlatNetwork, theta: Tensor, settings: Sequence[Any], orders: Sequence[np.random.Generator], *,
        enabled: bool,
    ) -> None:  # fmt: skip
        self.network, self.orders = network, orders
        self.epochs, self.size = settings[0].value_epochs, settings[0].value_minibatch_size
        self.lr = torch.tensor([s.value_lr for s in settings], dtype=torch.float32, device=theta.device)
        self.adam = AdamState(*(s.to(theta.device) for s in AdamState.zeros(theta)))
        self._step = compiled(in_place(vmap(self._minibatch_step)), enabled)

    def __call__(self, theta: Tensor, obs: Tensor, batch: Batch) -> dict[str, Floats]:
        """K epochs over obs [L, B, obs], filtered, and the batch's value targets; returns what to record."""
        weight = np.ones_like(batch.adv) if batch.weight is None else batch.weight
        scalars = np.stack([batch.value_target, weight], -1).astype(np.float32)
        rows = torch.cat([obs, torch.from_numpy(scalars).to(obs.device)], -1)
        loss = torch.zeros(len(rows), device=obs.device)
        for epoch in range(self.epochs):
            with unguarded(epoch > 0):
                for minibatch in self._minibatches(rows, weight):
                    self._step(theta, self.adam, loss, minibatch, self.lr)
        taken = np.ceil(weight.sum(1) / self.size).clip(1) * self.epochs
        return {"value_loss": loss.double().cpu().numpy() / taken}

    def _minibatches(self, rows: Tensor, weight: Floats) -> Tensor:
        """One epoch [minibatches, L, M, columns], shuffled by each run's own stream; what does not count comes last."""
        lanes, count = rows.shape[:2]
        steps = max(int(np.ceil(weight.sum(1).max() / self.size)), 1)  # a lane that needs fewer gets empty ones
        order = np.full((lanes, steps * self.size), count)  # the row after the last is empty
        for lane, generator in enumerate(self.orders):
            counts = np.flatnonzero(weight[lane])
            order[lane, : len(counts)] = counts[generator.permutation(len(counts))]
        padded = torch.cat([rows, torch.zeros_like(rows[:, :1])], 1)
        return minibatches(padded, order, self.size)

    def _minibatch_step(
        self, theta: Tensor, adam: AdamState, total: Tensor, rows: Tensor, lr: Tensor
    ) -> tuple[Tensor, AdamState, Tensor]:
        """theta [n] of one run after an Adam step on rows [M, obs + target + weight]; of no rows, none is taken."""
        obs, target, weight = rows[:, :-2], rows[:, -2], rows[:, -1]
        count = weight.sum()

        def loss(theta: Tensor) -> Tensor:
            error = (self.network.value(theta, obs) - target) ** 2
            return (error * weight).sum() / count.clamp(min=1)

        grad, value = grad_and_value(loss)(theta)
        epsilon = torch.full_like(lr, ADAM_EPSILON)
        new_theta, new_adam = adam_step(theta, grad, adam, lr=lr, epsilon=epsilon)
        learns = (count > 0) & torch.isfinite((grad * grad).sum())
        return *taken_if(learns, (new_theta, new_adam), (theta, adam)), total + value.nan_to_num(0.0, 0.0, 0.0)

    def get_state(self, lane: int) -> dict[str, Any]:
        """One lane's moments."""
        return {k: v[lane].cpu().clone() for k, v in self.adam._asdict().items()}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, tensor in self.adam._asdict().items():
            tensor[lane] = state[key]
