"""Fitting value functions by epochs of minibatch Adam, for algorithms whose policy is trained by another rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from ppo.data import Columns, Floats, PackSpec
from ppo.learning.adam import AdamState, adam_step, in_place, taken_if
from ppo.learning.compiling import compiled, unguarded
from ppo.learning.critic import Batch
from ppo.learning.minibatches import gathered

ADAM_EPSILON = 1e-8


class Samples(NamedTuple):
    """A minibatch of one run."""

    obs: Tensor  # [M, *obs] filtered
    scalars: Tensor  # [M, 2] the value's target; and a weight, 1, or 0 where there is no sample


class ValueFit:
    """Minimises the squared error of values over theta [L, n], in place; the policy's entries have no gradient."""

    def __init__(self, pack: PackSpec) -> None:
        self.network, self.orders = pack.network, [s.order for s in pack.streams]
        schema = pack.schemas[0]
        self.epochs, self.size = schema.value_epochs, schema.value_minibatch_size
        self.lr = torch.from_numpy(pack.per_run("value_lr")).to(pack.theta.device, torch.float32)
        self.adam = AdamState(*(s.to(pack.theta.device) for s in AdamState.zeros(pack.theta)))
        self._step = compiled(in_place(vmap(self._minibatch_step)), pack.compiled)

    def __call__(self, theta: Tensor, obs: Tensor, batch: Batch) -> Columns:
        """K epochs over obs [L, B, *obs], filtered, and the batch's value targets; returns what to record."""
        weight = np.ones_like(batch.adv) if batch.weight is None else batch.weight
        scalars = np.stack([batch.value_target, weight], -1).astype(np.float32)
        samples = Samples(obs, torch.from_numpy(scalars).to(obs.device))
        loss = torch.zeros(len(obs), device=obs.device)
        for epoch in range(self.epochs):
            with unguarded(epoch > 0):
                for minibatch in self._minibatches(samples, weight):
                    self._step(theta, self.adam, loss, minibatch, self.lr)
        taken = np.ceil(weight.sum(1) / self.size).clip(1) * self.epochs
        return {"value_loss": loss.double().cpu().numpy() / taken}

    def _minibatches(self, samples: Samples, weight: Floats) -> Iterator[Samples]:
        """One epoch's minibatches, shuffled by each run's own stream; what does not count comes last."""
        lanes, count = weight.shape
        steps = max(int(np.ceil(weight.sum(1).max() / self.size)), 1)  # a lane that needs fewer gets empty ones
        order = np.full((lanes, steps * self.size), count)  # the row after the last is empty
        for lane, generator in enumerate(self.orders):
            counts = np.flatnonzero(weight[lane])
            order[lane, : len(counts)] = counts[generator.permutation(len(counts))]
        padded = Samples(*(torch.cat([column, torch.zeros_like(column[:, :1])], 1) for column in samples))
        return gathered(padded, order, self.size)

    def _minibatch_step(
        self, theta: Tensor, adam: AdamState, total: Tensor, samples: Samples, lr: Tensor
    ) -> tuple[Tensor, AdamState, Tensor]:
        """theta [n] of one run after an Adam step on a minibatch; on an empty one, none is taken."""
        target, weight = samples.scalars.unbind(-1)
        count = weight.sum()

        def loss(theta: Tensor) -> Tensor:
            error = (self.network.value(theta, samples.obs) - target) ** 2
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
