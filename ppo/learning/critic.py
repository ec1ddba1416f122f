"""The value functions of a pack and the advantages that follow from them (Algorithm 1, line 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppo.data import Columns, Floats, Obs, Outputs, PackSpec, Rollout
from ppo.learning.advantages import Segment, gae
from ppo.learning.lanes import over_samples


class Batch(NamedTuple):
    """One update's samples, B = T * N per lane."""

    obs: Obs  # [L, B, *obs] raw
    action: Tensor  # [L, B, action]
    adv: Floats  # [L, B]
    value: Floats  # [L, B]
    value_target: Floats  # [L, B]
    weight: Floats | None = None  # [L, B] 1, or 0 where an actor was at rest; None: all count
    dist: Tensor | None = None  # [L, B, D] the policy while acting, if it was kept


class Critic:
    """Truncated GAE with the values of rollout time, for algorithms with gamma, lam and time_limit."""

    def __init__(self, pack: PackSpec) -> None:
        self.bootstraps = pack.schemas[0].time_limit == "bootstrap"  # and wants rollouts with their final observations
        self.gamma, self.lam = pack.per_run("gamma"), pack.per_run("lam")
        self._values = over_samples(pack.network.value, pack)

    def estimate(
        self,
        theta: Tensor,
        rollout: Rollout,
        see: Callable[[Obs], np.ndarray],
        reward: Floats | None = None,
        outputs: Outputs | None = None,
    ) -> Batch:
        """Advantages, not normalised, and V^targ = adv + V.

        `reward` [L, T, N] in place of the rollout's; `outputs`: those of acting, if they were kept.
        """
        if outputs is None:
            value = self._evaluate(theta, see, rollout.obs)
        else:
            value = np.concatenate([outputs.value, self._evaluate(theta, see, rollout.obs[:, -1:])], 1)
        cut = rollout.terminated | rollout.truncated
        if rollout.final_obs is None:
            terminal, next_value = cut, value[:, 1:]
        else:
            terminal, next_value = rollout.terminated, self._evaluate(theta, see, rollout.final_obs)
        value = value[:, :-1]
        segment = Segment(rollout.reward if reward is None else reward, value, next_value, terminal, cut)
        adv = gae(segment, gamma=self.gamma, lam=self.lam).reshape(len(value), -1)
        value = value.reshape(adv.shape)
        action = rollout.action.reshape(*adv.shape, -1)
        dist = None if outputs is None else outputs.dist.flatten(1, 2)
        return Batch(rollout.flat_obs, action, adv, value, adv + value, rollout.weight, dist)

    def _evaluate(self, theta: Tensor, see: Callable[[Obs], np.ndarray], obs: Obs) -> Floats:
        """Values [L, T, N] of raw obs [L, T, N, *obs]."""
        lanes, steps, actors, *shape = obs.shape
        flat = obs.reshape(lanes, steps * actors, *shape)
        with torch.no_grad():
            value = self._values(theta, torch.from_numpy(see(flat)).to(theta.device))
        return value.double().cpu().numpy().reshape(lanes, steps, actors)


def reward_of(rollout: Rollout, kind: Literal["raw", "sign"]) -> Floats:
    """The rewards that are learned from [L, T, N]: as they are, or their signs."""
    return np.sign(rollout.reward) if kind == "sign" else rollout.reward


def explained_variance(batch: Batch) -> Columns:
    """1 - Var[V^targ - V] / Var[V^targ] per lane [L]; NaN where the target is constant."""
    if batch.weight is None:
        variance = batch.value_target.var(1)
        residual = (batch.value_target - batch.value).var(1)
    else:
        variance = _variance(batch.value_target, batch.weight)
        residual = _variance(batch.value_target - batch.value, batch.weight)
    ratio = np.divide(residual, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return {"explained_variance": 1 - ratio}


def _variance(values: Floats, weight: Floats) -> Floats:
    """Variance per lane [L] of values [L, B] that count."""
    count = np.maximum(weight.sum(1), 1)
    mean = (values * weight).sum(1) / count
    return (np.square(values - mean[:, None]) * weight).sum(1) / count
