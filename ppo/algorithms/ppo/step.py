"""One Adam step of PPO on one minibatch of one run: equation (9) and its gradient, to be mapped over a pack."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value

from ppo.algorithms.ppo.schema import PPO
from ppo.learning.adam import AdamState, adam_step, adam_step_in_place, taken_if
from ppo.learning.objectives import Objectives, ratio_terms
from ppo.networks.flat import FlatNetwork


class Coefficients(NamedTuple):
    """What may differ between the runs of a pack, each []; the surrogate's own follow in the same row."""

    lr: Tensor
    adam_epsilon: Tensor
    c1: Tensor
    c2: Tensor
    max_grad_norm: Tensor
    value_clip: Tensor


class Samples(NamedTuple):
    """A minibatch of one run."""

    obs: Tensor  # [M, *obs] filtered
    action: Tensor  # [M, action]
    dist_old: Tensor  # [M, D] the policy at the start of the iteration, under the filter of the update
    logp_old: Tensor  # [M]
    adv: Tensor  # [M]
    value: Tensor  # [M] at rollout time
    value_target: Tensor  # [M]


class Rows(NamedTuple):
    """Samples as they are gathered: observations in their own dtype, all else side by side in one float32 matrix."""

    obs: Tensor  # [..., *obs] filtered
    rest: Tensor  # [..., columns]

    @classmethod
    def of(cls, s: Samples) -> Rows:
        """The rows of samples [L, B, ...]."""
        scalars = (s.logp_old, s.adv, s.value, s.value_target)
        return cls(s.obs, torch.cat([s.action, s.dist_old, *(x.unsqueeze(-1) for x in scalars)], -1))


class Stats(NamedTuple):
    """What one Adam step reports, each []."""

    objective: Tensor
    value_loss: Tensor
    clip_fraction: Tensor
    grad_norm: Tensor
    skipped: Tensor


class MinibatchStep:
    """The step of runs that share a network, kinds of surrogate, and a schema's sizes and flags."""

    def __init__(self, network: FlatNetwork, schema: PPO, objectives: Objectives) -> None:
        self.network, self.schema, self.objectives = network, schema, objectives
        self._log_std = network.part("log_std")

    def __call__(
        self, theta: Tensor, adam: AdamState, totals: Tensor, minibatch: Rows, row: Tensor
    ) -> tuple[Tensor, AdamState, Tensor]:
        """theta [n] after one step; a step whose gradient is not finite is skipped.

        row [columns]: `Coefficients`, then the surrogate's own (`Objectives.rows`).
        """
        grad, norm, c, stats = self.gradient(theta, minibatch, row)
        new_theta, new_adam = adam_step(theta, grad, adam, lr=c.lr, epsilon=c.adam_epsilon)
        # Not in the paper: without it one overflow would end an unclipped run; every skip is counted in updates.csv.
        finite = torch.isfinite(norm)
        skipped = 1 - finite.to(norm.dtype)
        seen = torch.stack([*stats, norm, skipped]).nan_to_num(0.0, 0.0, 0.0)
        return *taken_if(finite, (new_theta, new_adam), (theta, adam)), totals + seen

    def in_place(self, theta: Tensor, adam: AdamState, totals: Tensor, minibatch: Rows, row: Tensor) -> None:
        """The same step of a run that is updated by itself, written over its first three arguments."""
        grad, norm, c, stats = self.gradient(theta, minibatch, row)
        finite = torch.isfinite(norm)
        totals.add_(torch.stack([*stats, norm, 1 - finite.to(norm.dtype)]).nan_to_num(0.0, 0.0, 0.0))
        if finite:
            adam_step_in_place(theta, grad, adam, lr=c.lr, epsilon=c.adam_epsilon)

    def gradient(
        self, theta: Tensor, minibatch: Rows, row: Tensor
    ) -> tuple[Tensor, Tensor, Coefficients, tuple[Tensor, ...]]:
        """The gradient [n], clipped as configured, its norm before, the row by name and the first of `Stats`."""
        own = len(Coefficients._fields)
        c, surrogate = Coefficients(*row[:own].unbind()), row[own:]
        grad, (_, stats) = grad_and_value(self.loss, has_aux=True)(theta, self.split(minibatch), c, surrogate)
        if self.schema.log_std_final is not None:  # it is annealed, not trained (Table 4)
            grad = torch.where(self._log_std.to(grad.device), 0.0, grad)
        norm = torch.sqrt((grad * grad).sum())
        if self.schema.max_grad_norm is not None:  # Not in the paper: ppo2
            grad = grad * torch.clamp(c.max_grad_norm / (norm + 1e-6), max=1.0)
        return grad, norm, c, stats

    def split(self, minibatch: Rows) -> Samples:
        """A minibatch by name."""
        distribution = self.network.distribution
        widths = [distribution.action_columns, distribution.dist_columns, 1, 1, 1, 1]
        action, dist_old, *scalars = torch.split(minibatch.rest, widths, -1)
        return Samples(minibatch.obs, action, dist_old, *(s.squeeze(-1) for s in scalars))

    def loss(self, theta: Tensor, s: Samples, c: Coefficients, surrogate: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The negative of equation (9), to be minimised."""
        distribution = self.network.distribution
        dist, value = self.network(theta, s.obs)
        # Where there is no KL term, its gradient must be zero even if it overflows: 0 * inf is not.
        kl = distribution.kl(s.dist_old, torch.where(self.objectives.uses_kl(surrogate), dist, s.dist_old))
        adv = s.adv
        if self.schema.normalize_adv == "minibatch":  # Not in the paper: ppo2
            adv = (adv - adv.mean()) / (adv.std(correction=0) + 1e-8)
        terms = ratio_terms(distribution.logp(dist, s.action), s.logp_old, kl, adv)
        objective = self.objectives.choose(surrogate, terms).mean()
        value_loss = self._value_loss(value, s, c.value_clip)
        loss = c.c1 * value_loss - objective - c.c2 * distribution.entropy(dist).mean()
        clip_fraction = ((terms.ratio - 1).abs() > self.objectives.clip_range_of(surrogate)).to(adv.dtype).mean()
        return loss, (objective.detach(), value_loss.detach(), clip_fraction)

    def _value_loss(self, value: Tensor, s: Samples, value_clip: Tensor) -> Tensor:
        """L^VF, the squared error of equation (9)."""
        error = (value - s.value_target) ** 2
        if self.schema.value_clip is not None:  # Not in the paper: ppo2
            near_old = s.value + (value - s.value).clamp(-value_clip, value_clip)
            error = torch.maximum(error, (near_old - s.value_target) ** 2)
        return error.mean()
