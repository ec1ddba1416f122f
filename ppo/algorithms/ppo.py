"""Proximal policy optimization, Algorithm 1: advantages and K epochs of minibatch Adam over a pack (sections 3-5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from ppo.adam import AdamState
from ppo.advantages import Segment, gae, standardize
from ppo.algorithms.ppo_step import Coefficients, MinibatchStep, Stats, in_place
from ppo.collect import PolicyActor, Rollout
from ppo.compiling import compiled, unguarded, wants_compile
from ppo.config import Config
from ppo.envs.lockstep import Floats
from ppo.filters import ObsFilter, RewardFilter
from ppo.interpolation import interpolate
from ppo.networks import FlatNetwork
from ppo.settings import PPO
from ppo.streams import Streams
from ppo.surrogates import adapt_beta, objective_index


class Batch(NamedTuple):
    """One iteration's samples, B = T * N per lane."""

    obs: Floats  # [L, T+1, N, obs] raw
    action: Tensor  # [L, T, N, action]
    adv: Floats  # [L, B] normalised as configured
    value: Floats  # [L, B]
    value_target: Floats  # [L, B]


class PPOLearner:
    """The learning state of a pack: parameters, Adam's moments and betas, one row per lane."""

    def __init__(
        self, configs: Sequence[Config], network: FlatNetwork, theta: Tensor, streams: Sequence[Streams]
    ) -> None:
        self.network, self.theta = network, theta
        self.settings = [c.algorithm for c in configs if isinstance(c.algorithm, PPO)]
        self.shape: PPO = self.settings[0]  # what the pack shares: sizes, counts and flags
        self.keep_final = self.shape.time_limit == "bootstrap"
        self.actor = PolicyActor(network, theta)
        self.orders = [s.order for s in streams]
        self.adam = AdamState(*(s.to(theta.device) for s in AdamState.zeros(theta)))
        surrogates = [c.surrogate for c in configs if c.surrogate is not None]
        self.epsilon = np.array([s.epsilon or math.inf for s in surrogates])
        self.beta = torch.tensor([s.beta or 0.0 for s in surrogates])
        self.d_targ = torch.tensor([s.d_targ or math.nan for s in surrogates])
        self.objective = torch.tensor([float(objective_index(s)) for s in surrogates])
        self.gamma, self.lam = (np.array([getattr(s, k) for s in self.settings]) for k in ("gamma", "lam"))
        self.reward_filter = RewardFilter(len(configs), self.shape.num_actors) if self.shape.normalize_reward else None
        enabled = wants_compile(configs[0])
        self._values = compiled(vmap(network.value), enabled)
        self._policies = compiled(vmap(network.policy), enabled)
        self._minibatch_step = MinibatchStep(network, self.shape)
        self._step = compiled(in_place(vmap(self._minibatch_step)), enabled)
        self.interpolation: Floats | None = None
        self._interpolates = np.array([c.execution.interpolation for c in configs])

    # -- advantages (Algorithm 1, line 4) ------------------------------------------------------------------------

    def estimate_advantages(self, rollout: Rollout, obs_filter: ObsFilter) -> Batch:
        """Truncated GAE with the values of rollout time, and V^targ = adv + V."""
        value = self._evaluate(self._values, obs_filter, rollout.obs)
        cut = rollout.terminated | rollout.truncated
        reward = rollout.reward if self.reward_filter is None else self.reward_filter(rollout.reward, cut, self.gamma)
        if rollout.final_obs is None:
            terminal, next_value = cut, value[:, 1:]
        else:
            terminal, next_value = rollout.terminated, self._evaluate(self._values, obs_filter, rollout.final_obs)
        value = value[:, :-1]
        raw = gae(Segment(reward, value, next_value, terminal, cut), gamma=self.gamma, lam=self.lam)
        lanes = len(raw)
        adv, value = raw.reshape(lanes, -1), value.reshape(lanes, -1)
        normalised = standardize(adv) if self.shape.normalize_adv == "batch" else adv
        return Batch(rollout.obs, rollout.action, normalised, value, adv + value)

    def _evaluate(self, function: Callable[..., Tensor], obs_filter: ObsFilter, obs: Floats) -> Floats:
        """Values [L, T, N] of raw obs [L, T, N, obs]."""
        flat = obs.reshape(len(obs), -1, obs.shape[-1])
        with torch.no_grad():
            value = function(self.theta, torch.from_numpy(obs_filter(flat)).to(self.theta.device))
        return value.double().cpu().numpy().reshape(obs.shape[:-1])

    # -- update (Algorithm 1, line 6) ----------------------------------------------------------------------------

    def update(self, batch: Batch, obs_filter: ObsFilter, progress: Floats) -> dict[str, Floats]:
        """K epochs of minibatch Adam; progress [L] in [0, 1) drives the schedules. Returns what to record, each [L]."""
        obs_filter.update(batch.obs[:, :-1].reshape(len(progress), -1, batch.obs.shape[-1]))
        with torch.no_grad():
            samples, obs, dist_old = self._samples(batch, obs_filter)
            coefficients, shown = self._coefficients(progress)
            first = (self._interpolates & (progress == 0)).any()  # whatever its mates have behind them
            theta_old = self.theta.clone() if first else None
            totals = torch.zeros(len(progress), len(Stats._fields), device=self.theta.device)
            steps = 0
            for epoch in range(self.shape.epochs):
                with unguarded(epoch > 0):
                    for minibatch in self._minibatches(samples):
                        self._step(self.theta, self.adam, totals, minibatch, coefficients)
                        steps += 1
            if theta_old is not None:
                epsilon = torch.from_numpy(self.epsilon).to(samples)
                self.interpolation = interpolate(
                    self._minibatch_step, theta_old, self.theta, samples, epsilon
                ).double().cpu().numpy()  # fmt: skip
            dist = self._policies(self.theta, obs)
            kl = self.network.distribution.kl(dist_old, dist).mean(-1).cpu()
            entropy = self.network.distribution.entropy(dist).mean(-1)
        self.actor.refresh(self.theta)
        self.beta = adapt_beta(self.beta, kl, self.d_targ)
        stats = Stats(*(totals / steps).double().cpu().unbind(-1))
        measured = stats._asdict() | {"skipped": stats.skipped * steps, "entropy": entropy, "kl": kl}
        return {k: v.double().cpu().numpy() for k, v in measured.items()} | shown | explained_variance(batch)

    def _samples(self, batch: Batch, obs_filter: ObsFilter) -> tuple[Tensor, Tensor, Tensor]:
        """The batch as rows [L, B, columns of Samples], with its filtered obs and pi_old.

        pi_old is taken after the filter has seen the batch, so at the first minibatch every ratio is 1.
        """
        lanes, count = batch.adv.shape
        device = self.theta.device
        flat = batch.obs[:, :-1].reshape(lanes, count, -1)
        obs = torch.from_numpy(obs_filter(flat)).to(device)
        action = batch.action.reshape(lanes, count, -1).to(device)
        dist = self._policies(self.theta, obs)
        logp = self.network.distribution.logp(dist, action)
        scalars = (batch.adv, batch.value, batch.value_target)
        columns = [torch.from_numpy(x.astype(np.float32)).to(device) for x in scalars]
        rows = torch.cat([obs, action, dist, *(x.unsqueeze(-1) for x in (logp, *columns))], -1)
        return rows, obs, dist

    def _minibatches(self, samples: Tensor) -> Tensor:
        """One epoch's minibatches [B / M, L, M, columns], shuffled by each run's own stream."""
        lanes, count, columns = samples.shape
        size = self.shape.minibatch_size
        order = np.stack([generator.permutation(count) for generator in self.orders])
        order += np.arange(lanes)[:, None] * count
        rows = torch.from_numpy(order.reshape(lanes, -1, size).transpose(1, 0, 2).ravel()).to(samples.device)
        return samples.reshape(-1, columns).index_select(0, rows).view(-1, lanes, size, columns)

    def _coefficients(self, progress: Floats) -> tuple[Tensor, dict[str, Floats]]:
        """Every run's coefficients [L, columns of Coefficients] at this moment, and those worth recording."""
        remaining = np.maximum(1 - progress, 0)  # the paper's alpha
        lr = np.array([s.lr for s in self.settings]) * self._schedule("lr_schedule", remaining)
        annealed = np.where(np.isinf(self.epsilon), 1.0, self._schedule("epsilon_schedule", remaining))
        epsilon = self.epsilon * annealed
        column = {"objective": self.objective, "epsilon": epsilon, "beta": self.beta, "lr": lr}
        for key in ("adam_epsilon", "c1", "c2", "max_grad_norm", "value_clip"):
            column[key] = [getattr(s, key) or 0.0 for s in self.settings]  # an absent bound is never read
        rows = torch.stack([torch.as_tensor(column[k], dtype=torch.float32) for k in Coefficients._fields], -1)
        return rows.to(self.theta.device), {"lr": lr, "epsilon": epsilon, "beta": self.beta.double().numpy()}

    def _schedule(self, key: str, remaining: Floats) -> Floats:
        return np.where([getattr(s, key) == "linear" for s in self.settings], remaining, 1.0)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        tensors = {"theta": self.theta, "beta": self.beta, **self.adam._asdict()}
        state: dict[str, Any] = {k: v[lane].detach().cpu().clone() for k, v in tensors.items()}
        return state | {"reward_filter": self.reward_filter.get_state(lane) if self.reward_filter else None}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, tensor in {"theta": self.theta, "beta": self.beta, **self.adam._asdict()}.items():
            tensor[lane] = state[key]
        if self.reward_filter is not None:
            self.reward_filter.set_state(lane, state["reward_filter"])
        self.actor.refresh(self.theta)


def explained_variance(batch: Batch) -> dict[str, Floats]:
    """1 - Var[V^targ - V] / Var[V^targ] per lane [L]; NaN where the target is constant."""
    variance = batch.value_target.var(1)
    residual = (batch.value_target - batch.value).var(1)
    ratio = np.divide(residual, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return {"explained_variance": 1 - ratio}
