"""The value functions of a pack and the advantages that follow from them (Algorithm 1, line 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from ppo.collect import Rollout
from ppo.envs.base import Floats
from ppo.learning.advantages import Segment, gae
from ppo.learning.compiling import compiled
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork


class Batch(NamedTuple):
    """One iteration's samples, B = T * N per lane."""

    obs: Floats  # [L, T+1, N, obs] raw
    action: Tensor  # [L, T, N, action]
    adv: Floats  # [L, B]
    value: Floats  # [L, B]
    value_target: Floats  # [L, B]
    weight: Floats | None = None  # [L, B] 1, or 0 where an actor was at rest; None: all count


class Critic:
    """Truncated GAE with the values of rollout time, for runs whose `settings` have gamma, lam and time_limit."""

    def __init__(self, network: FlatNetwork, settings: Sequence[Any], *, enabled: bool) -> None:
        self.bootstraps = settings[0].time_limit == "bootstrap"  # and wants rollouts with their final observations
        self.gamma, self.lam = (np.array([getattr(s, k) for s in settings]) for k in ("gamma", "lam"))
        self._values = compiled(vmap(network.value), enabled)

    def estimate(self, theta: Tensor, rollout: Rollout, obs_filter: ObsFilter, reward: Floats | None = None) -> Batch:
        """Advantages, not normalised, and V^targ = adv + V; `reward` [L, T, N] in place of the rollout's."""
        value = self._evaluate(theta, obs_filter, rollout.obs)
        cut = rollout.terminated | rollout.truncated
        if rollout.final_obs is None:
            terminal, next_value = cut, value[:, 1:]
        else:
            terminal, next_value = rollout.terminated, self._evaluate(theta, obs_filter, rollout.final_obs)
        value = value[:, :-1]
        segment = Segment(rollout.reward if reward is None else reward, value, next_value, terminal, cut)
        adv = gae(segment, gamma=self.gamma, lam=self.lam).reshape(len(value), -1)
        value = value.reshape(adv.shape)
        weight = None if rollout.stepped is None else rollout.stepped.reshape(adv.shape).astype(np.float64)
        return Batch(rollout.obs, rollout.action, adv, value, adv + value, weight)

    def _evaluate(self, theta: Tensor, obs_filter: ObsFilter, obs: Floats) -> Floats:
        """Values [L, T, N] of raw obs [L, T, N, obs]."""
        flat = obs.reshape(len(obs), -1, obs.shape[-1])
        with torch.no_grad():
            value = self._values(theta, torch.from_numpy(obs_filter(flat)).to(theta.device))
        return value.double().cpu().numpy().reshape(obs.shape[:-1])


def explained_variance(batch: Batch) -> dict[str, Floats]:
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


def observe(obs_filter: ObsFilter, batch: Batch) -> np.ndarray:
    """The filter after it has seen a batch, and the batch's observations through it [L, B, obs], float32."""
    lanes, count = batch.adv.shape
    flat = batch.obs[:, :-1].reshape(lanes, count, -1)
    obs_filter.update(flat, batch.weight)
    return obs_filter(flat)


def shuffled(rows: Tensor, orders: Sequence[np.random.Generator], size: int) -> Tensor:
    """One epoch's minibatches [B / M, L, M, columns] of rows [L, B, columns], shuffled by each run's own stream."""
    order = np.stack([generator.permutation(rows.shape[1]) for generator in orders])
    return minibatches(rows, order, size)


def minibatches(rows: Tensor, order: np.ndarray, size: int) -> Tensor:
    """Rows [L, B, columns] in each lane's order [L, multiple of M], by M: [minibatches, L, M, columns]."""
    lanes, count, columns = rows.shape
    order = order + np.arange(lanes)[:, None] * count
    index = torch.from_numpy(order.reshape(lanes, -1, size).transpose(1, 0, 2).ravel()).to(rows.device)
    return rows.reshape(-1, columns).index_select(0, index).view(-1, lanes, size, columns)
