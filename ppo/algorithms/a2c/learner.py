"""Synchronous advantage actor critic, alone and with a trust region (Figure 3; Wang et al. 2017, section 3.3).

Both are one algorithm here: without a trust region its bound is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, grad_and_value, vmap

from ppo.algorithms.a2c.schema import A2C
from ppo.algorithms.base import Learner
from ppo.data import Columns, Floats, Length, Moment, Obs, PackSpec, Rollout, RolloutSpec
from ppo.learning.compiling import compiled, unguarded
from ppo.learning.critic import Batch, Critic, explained_variance, reward_of
from ppo.learning.lanes import is_looped, of
from ppo.networks.looped import policy_actor


class Coefficients(NamedTuple):
    """What may differ between the runs of a pack, each []."""

    lr: Tensor
    rms_decay: Tensor
    rms_epsilon: Tensor
    c1: Tensor
    c2: Tensor
    max_grad_norm: Tensor
    trust_region: Tensor  # infinite where there is none
    average_decay: Tensor


ABSENT = {"max_grad_norm": 0.0, "trust_region": math.inf}  # what stands for a bound that is not set


class Parameters(NamedTuple):
    """A run's learning state, each [n]."""

    theta: Tensor
    mean_square: Tensor  # of the gradients, RMSProp's
    average: Tensor  # theta_a, the average policy


class Samples(NamedTuple):
    """All samples of one update of one run."""

    obs: Tensor  # [B, obs] filtered
    action: Tensor  # [B, action]
    adv: Tensor  # [B]
    value_target: Tensor  # [B]


class Stats(NamedTuple):
    """What one update reports, each []."""

    objective: Tensor
    value_loss: Tensor
    entropy: Tensor
    kl: Tensor  # KL[average policy, policy]
    clip_fraction: Tensor  # of samples whose gradient was projected
    grad_norm: Tensor
    skipped: Tensor


class A2CLearner(Learner):
    """The learning state of a pack, one row per lane."""

    def __init__(self, pack: PackSpec) -> None:
        self.pack, self.network = pack, pack.network
        self.schema: A2C = pack.schemas[0]  # what the pack shares
        self.critic = Critic(pack)
        length = Length(self.schema.horizon)
        self.rollout = RolloutSpec(length, updates=self.schema.updates, keep_final=self.critic.bootstraps)
        theta = pack.theta
        average = self.network.stack(theta.unbind())  # also a network's parameters: aligned as theta is
        self.parameters = Parameters(theta, torch.ones_like(theta), average)  # RMSProp in TensorFlow's form, from 1
        self.actor = policy_actor(pack)
        self._update = self._one_by_one if is_looped(self.network) else self._together
        self._updated = compiled(vmap(self._update_one), pack.compiled)
        self._checked = False  # whether the compiler has seen our arguments

    def estimate_advantages(self, rollout: Rollout, see: Callable[[Obs], np.ndarray]) -> Batch:
        """n-step returns minus values (with lam = 1), as they are."""
        reward = reward_of(rollout, self.schema.reward)
        return self.critic.estimate(self.parameters.theta, rollout, see, reward, self.actor.outputs())

    def update(self, batch: Batch, moment: Moment) -> Columns:
        """One RMSProp step on all samples; progress drives the stepsize."""
        device = self.parameters.theta.device
        with torch.no_grad(), unguarded(self._checked):
            scalars = (torch.from_numpy(x.astype(np.float32)) for x in (batch.adv, batch.value_target))
            samples = Samples(torch.from_numpy(moment.see(batch.obs)), batch.action, *scalars)
            samples = Samples(*(column.to(device) for column in samples))
            lr, coefficients = self._coefficients(moment.progress)
            stats = self._update(samples, coefficients)
        self._checked = True
        self.actor.refresh(self.parameters.theta)
        columns = dict(zip(Stats._fields, torch.stack(tuple(stats)).double().cpu().numpy(), strict=True))
        return columns | {"lr": lr} | explained_variance(batch)

    def _together(self, samples: Samples, coefficients: Coefficients) -> Stats:
        """All lanes at once."""
        new, stats = self._updated(self.parameters, samples, coefficients)
        for old, value in zip(self.parameters, new, strict=True):
            old.copy_(value)
        return stats

    def _one_by_one(self, samples: Samples, coefficients: Coefficients) -> Stats:
        """Each lane that is in training by itself."""
        found = Stats(*torch.zeros(len(Stats._fields), len(samples.adv), device=samples.adv.device))
        for lane in self.pack.lanes:
            bounded = self.pack.schemas[lane].trust_region is not None
            stats = self._update_in_place(of(lane, self.parameters), of(lane, samples), of(lane, coefficients), bounded)
            if not bounded:  # there is no average policy to be compared with
                stats = stats._replace(kl=torch.full_like(stats.kl, math.nan))
            for column, value in zip(found, stats, strict=True):
                column[lane] = value
        return found

    def _coefficients(self, progress: Floats) -> tuple[Floats, Coefficients]:
        """Every run's stepsize at this moment, and all its coefficients [L]."""
        linear = np.array([s.lr_schedule == "linear" for s in self.pack.schemas])
        lr = self.pack.per_run("lr") * np.where(linear, np.maximum(1 - progress, 0), 1.0)
        columns = {key: self.pack.per_run(key, absent=ABSENT.get(key, math.nan)) for key in Coefficients._fields}
        columns["lr"] = lr
        rows = torch.tensor(np.array([columns[k] for k in Coefficients._fields]), dtype=torch.float32)
        return lr, Coefficients(*rows.to(self.parameters.theta.device))

    # -- of one run ----------------------------------------------------------------------------------------------

    def _update_one(self, p: Parameters, s: Samples, c: Coefficients) -> tuple[Parameters, Stats]:
        """The parameters after one update; one whose gradient is not finite is skipped."""
        gradient, norm, stats = self._gradient(p.theta, p.average, s, c)
        mean_square = c.rms_decay * p.mean_square + (1 - c.rms_decay) * gradient * gradient
        theta = p.theta - c.lr * gradient / torch.sqrt(mean_square + c.rms_epsilon)
        average = c.average_decay * p.average + (1 - c.average_decay) * theta
        finite = torch.isfinite(norm)
        new = (torch.where(finite, a, b) for a, b in zip((theta, mean_square, average), p, strict=True))
        seen = [x.nan_to_num(0.0, 0.0, 0.0) for x in (*stats, norm)]
        return Parameters(*new), Stats._make([*seen, 1 - finite.to(norm.dtype)])

    def _update_in_place(self, p: Parameters, s: Samples, c: Coefficients, bounded: bool) -> Stats:
        """The same update, written over the parameters; the average policy is left alone where nothing is `bounded`."""
        gradient, norm, stats = self._gradient(p.theta, p.average if bounded else None, s, c)
        finite = torch.isfinite(norm)
        if finite:
            p.mean_square.mul_(c.rms_decay).addcmul_(gradient, gradient * (1 - c.rms_decay))
            p.theta.sub_(gradient.mul_(c.lr).div_((p.mean_square + c.rms_epsilon).sqrt_()))
            if bounded:
                p.average.lerp_(p.theta, 1 - c.average_decay)
        seen = [x.nan_to_num(0.0, 0.0, 0.0) for x in (*stats, norm)]
        return Stats._make([*seen, 1 - finite.to(norm.dtype)])

    def _gradient(
        self, theta: Tensor, average: Tensor | None, s: Samples, c: Coefficients
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """The gradient [n], clipped as configured, its norm before, and the first of `Stats`."""
        gradient, (_, stats) = grad_and_value(self._loss, has_aux=True)(theta, average, s, c)
        norm = torch.sqrt((gradient * gradient).sum())
        if self.schema.max_grad_norm is not None:
            gradient = gradient * (c.max_grad_norm / torch.maximum(norm, c.max_grad_norm))
        return gradient, norm, stats

    def _loss(
        self, theta: Tensor, average: Tensor | None, s: Samples, c: Coefficients
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
        """A function of theta whose gradient is the update's direction, and the first of `Stats`."""
        distribution = self.network.distribution
        dist, value = self.network(theta, s.obs)
        dist_average = dist.detach() if average is None else self.network.policy(average, s.obs).detach()
        fixed = dist.detach()

        def gain(dist: Tensor) -> Tensor:
            return (s.adv * distribution.logp(dist, s.action) + c.c2 * distribution.entropy(dist)).sum()

        def distance(dist: Tensor) -> Tensor:
            return distribution.kl(dist_average, dist).sum()

        wanted, projected = project(grad(gain)(fixed), grad(distance)(fixed), c.trust_region)
        value_loss = 0.5 * ((value - s.value_target) ** 2).mean()
        loss = c.c1 * value_loss - (wanted * dist).sum(-1).mean()
        count = len(s.adv)
        objective = (s.adv * distribution.logp(fixed, s.action)).mean()
        entropy, kl = distribution.entropy(fixed).mean(), distance(fixed) / count
        return loss, (objective, value_loss.detach(), entropy, kl, projected.to(value.dtype).mean())

    def learned(self, lane: int) -> Tensor:
        """What one run has learned so far, theta [n]."""
        return self.parameters.theta[lane]

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        return {k: v[lane].cpu().clone() for k, v in self.parameters._asdict().items()}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, tensor in self.parameters._asdict().items():
            tensor[lane] = state[key]
        self.actor.refresh(self.parameters.theta)


def project(gradient: Tensor, towards: Tensor, bound: Tensor) -> tuple[Tensor, Tensor]:
    """The vectors z nearest to `gradient` [B, D] with z . towards <= bound, and which of them were moved [B].

    Wang et al. 2017, equation (12): z = g - max(0, (k.g - delta) / |k|^2) k.
    """
    excess = (gradient * towards).sum(-1, keepdim=True) - bound
    square = (towards * towards).sum(-1, keepdim=True)
    moves = (excess > 0) & (square > 0)
    factor = torch.where(moves, excess / torch.where(moves, square, 1.0), 0.0)
    return gradient - factor * torch.where(moves, towards, 0.0), moves.squeeze(-1)
