"""Proximal policy optimization, Algorithm 1: advantages and K epochs of minibatch Adam over a pack (sections 3-5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from ppo.algorithms.ppo.interpolation import interpolate
from ppo.algorithms.ppo.step import Coefficients, MinibatchStep, Stats
from ppo.collect import Length, PolicyActor, Rollout
from ppo.config.algorithms import PPO
from ppo.config.run import Config
from ppo.envs.base import Floats
from ppo.learning.adam import AdamState, adapt_stepsize, in_place
from ppo.learning.advantages import standardize
from ppo.learning.compiling import compiled, unguarded, wants_compile
from ppo.learning.critic import Batch, Critic, explained_variance, observe, shuffled
from ppo.learning.filters import ObsFilter, RewardFilter
from ppo.learning.surrogates import adapt_beta, objective_index
from ppo.networks.flat import FlatNetwork
from ppo.streams import Streams


class PPOLearner:
    """The learning state of a pack: parameters, Adam's moments and betas, one row per lane."""

    updates = 1  # per iteration

    def __init__(
        self, configs: Sequence[Config], network: FlatNetwork, theta: Tensor, streams: Sequence[Streams]
    ) -> None:
        self.network, self.theta = network, theta
        self.settings = [c.algorithm for c in configs if isinstance(c.algorithm, PPO)]
        self.shape: PPO = self.settings[0]  # what the pack shares: sizes, counts and flags
        self.length = Length(self.shape.horizon)
        self._share = np.array([self.shape.batch_size / c.total_steps for c in configs])  # of a run, per iteration
        self.actor = PolicyActor(network, theta)
        self.orders = [s.order for s in streams]
        self.adam = AdamState(*(s.to(theta.device) for s in AdamState.zeros(theta)))
        surrogates = [c.surrogate for c in configs if c.surrogate is not None]
        self.epsilon = np.array([s.epsilon or math.inf for s in surrogates])
        self.beta = torch.tensor([s.beta or 0.0 for s in surrogates])
        self.d_targ = torch.tensor([s.d_targ or math.nan for s in surrogates])
        self.lr = np.array([s.lr for s in self.settings])
        self.lr_kl_target = np.array([s.lr_kl_target or math.nan for s in self.settings])
        self.objective = torch.tensor([float(objective_index(s)) for s in surrogates])
        self.reward_filter = RewardFilter(len(configs), self.shape.num_actors) if self.shape.normalize_reward else None
        enabled = wants_compile(configs[0])
        self.critic = Critic(network, self.settings, enabled=enabled)
        self.keep_final = self.critic.bootstraps
        self._policies = compiled(vmap(network.policy), enabled)
        self._minibatch_step = MinibatchStep(network, self.shape)
        self._step = compiled(in_place(vmap(self._minibatch_step)), enabled)
        self.interpolation: Floats | None = None
        self._log_std = network.part("log_std").nonzero().squeeze(-1)
        self._interpolates = np.array([c.execution.interpolation for c in configs])

    # -- advantages (Algorithm 1, line 4) ------------------------------------------------------------------------

    def estimate_advantages(self, rollout: Rollout, obs_filter: ObsFilter) -> Batch:
        """Truncated GAE, normalised as configured."""
        reward = None
        if self.reward_filter is not None:
            reward = self.reward_filter(rollout.reward, rollout.terminated | rollout.truncated, self.critic.gamma)
        batch = self.critic.estimate(self.theta, rollout, obs_filter, reward)
        return batch._replace(adv=standardize(batch.adv)) if self.shape.normalize_adv == "batch" else batch

    # -- update (Algorithm 1, line 6) ----------------------------------------------------------------------------

    def update(self, batch: Batch, obs_filter: ObsFilter, progress: Floats) -> dict[str, Floats]:
        """K epochs of minibatch Adam; progress [L] in [0, 1) drives the schedules. Returns what to record, each [L]."""
        with torch.no_grad():
            samples, obs, dist_old = self._samples(batch, obs_filter)
            coefficients, shown = self._coefficients(progress)
            first = (self._interpolates & (progress == 0)).any()  # whatever its mates have behind them
            theta_old = self.theta.clone() if first else None
            totals = torch.zeros(len(progress), len(Stats._fields), device=self.theta.device)
            steps = 0
            for epoch in range(self.shape.epochs):
                with unguarded(epoch > 0):
                    for minibatch in shuffled(samples, self.orders, self.shape.minibatch_size):
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
        self._anneal_log_std(progress + self._share)
        self.actor.refresh(self.theta)
        self.beta = adapt_beta(self.beta, kl, self.d_targ)
        self.lr = adapt_stepsize(self.lr, kl.double().numpy(), self.lr_kl_target)
        stats = Stats(*(totals / steps).double().cpu().unbind(-1))
        measured = stats._asdict() | {"skipped": stats.skipped * steps, "entropy": entropy, "kl": kl}
        return {k: v.double().cpu().numpy() for k, v in measured.items()} | shown | explained_variance(batch)

    def _samples(self, batch: Batch, obs_filter: ObsFilter) -> tuple[Tensor, Tensor, Tensor]:
        """The batch as rows [L, B, columns of Samples], with its filtered obs and pi_old.

        pi_old is taken after the filter has seen the batch, so at the first minibatch every ratio is 1.
        """
        lanes, count = batch.adv.shape
        device = self.theta.device
        obs = torch.from_numpy(observe(obs_filter, batch)).to(device)
        action = batch.action.reshape(lanes, count, -1).to(device)
        dist = self._policies(self.theta, obs)
        logp = self.network.distribution.logp(dist, action)
        scalars = (batch.adv, batch.value, batch.value_target)
        columns = [torch.from_numpy(x.astype(np.float32)).to(device) for x in scalars]
        rows = torch.cat([obs, action, dist, *(x.unsqueeze(-1) for x in (logp, *columns))], -1)
        return rows, obs, dist

    def _coefficients(self, progress: Floats) -> tuple[Tensor, dict[str, Floats]]:
        """Every run's coefficients [L, columns of Coefficients] at this moment, and those worth recording."""
        remaining = np.maximum(1 - progress, 0)  # the paper's alpha
        lr = self.lr * self._schedule("lr_schedule", remaining)
        annealed = np.where(np.isinf(self.epsilon), 1.0, self._schedule("epsilon_schedule", remaining))
        epsilon = self.epsilon * annealed
        column = {"objective": self.objective, "epsilon": epsilon, "beta": self.beta, "lr": lr}
        for key in ("adam_epsilon", "c1", "c2", "max_grad_norm", "value_clip"):
            column[key] = [getattr(s, key) or 0.0 for s in self.settings]  # an absent bound is never read
        rows = torch.stack([torch.as_tensor(column[k], dtype=torch.float32) for k in Coefficients._fields], -1)
        return rows.to(self.theta.device), {"lr": lr, "epsilon": epsilon, "beta": self.beta.double().numpy()}

    def _anneal_log_std(self, progress: Floats) -> None:
        """Table 4's LinearAnneal, where it is asked for: log-std at progress [L] in [0, 1]."""
        network = self.shape.network
        if network.log_std_final is not None:
            slope = network.log_std_final - network.log_std
            log_std = torch.from_numpy(network.log_std + slope * np.minimum(progress, 1)).to(self.theta)
            self.theta[:, self._log_std] = log_std.unsqueeze(-1)

    def _schedule(self, key: str, remaining: Floats) -> Floats:
        return np.where([getattr(s, key) == "linear" for s in self.settings], remaining, 1.0)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        tensors = {"theta": self.theta, "beta": self.beta, **self.adam._asdict()}
        state: dict[str, Any] = {k: v[lane].detach().cpu().clone() for k, v in tensors.items()}
        state["lr"] = float(self.lr[lane])
        return state | {"reward_filter": self.reward_filter.get_state(lane) if self.reward_filter else None}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, tensor in {"theta": self.theta, "beta": self.beta, **self.adam._asdict()}.items():
            tensor[lane] = state[key]
        self.lr[lane] = state.get("lr", self.lr[lane])  # checkpoints of earlier versions have none: it was constant
        if self.reward_filter is not None:
            self.reward_filter.set_state(lane, state["reward_filter"])
        self.actor.refresh(self.theta)
