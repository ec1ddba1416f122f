"""Proximal policy optimization, Algorithm 1: advantages and K epochs of minibatch Adam over a pack (sections 3-5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from ppo.algorithms.base import Learner
from ppo.algorithms.ppo.interpolation import COLUMNS, interpolate
from ppo.algorithms.ppo.schema import PPO
from ppo.algorithms.ppo.step import Coefficients, MinibatchStep, Rows, Samples, Stats
from ppo.data import Columns, Floats, Length, Moment, Obs, PackSpec, Rollout, RolloutSpec, Table
from ppo.learning.adam import AdamState, adapt_stepsize, in_place
from ppo.learning.advantages import standardize, standardize_each
from ppo.learning.compiling import compiled, unguarded
from ppo.learning.critic import Batch, Critic, explained_variance, reward_of
from ppo.learning.filters import RewardFilter
from ppo.learning.lanes import alone, groups, is_looped, of, over_samples
from ppo.learning.minibatches import gathered, one_by_one, shuffled
from ppo.learning.objectives import Objectives
from ppo.networks.looped import policy_actor


class PPOLearner(Learner):
    """The learning state of a pack: parameters, Adam's moments and coefficients, one row per lane."""

    def __init__(self, pack: PackSpec) -> None:
        self.pack, self.network, self.theta = pack, pack.network, pack.theta
        self.schema: PPO = pack.schemas[0]  # what the pack shares: sizes, counts and flags
        self._share = np.array([self.schema.batch.steps / c.total_steps for c in pack.configs])  # per iteration
        self.actor = policy_actor(pack)
        self.orders = [s.order for s in pack.streams]
        self.adam = AdamState(*(s.to(self.theta.device) for s in AdamState.zeros(self.theta)))
        self.objectives = Objectives([c.surrogate for c in pack.configs if c.surrogate is not None])
        self.lr, self.lr_kl_target = pack.per_run("lr"), pack.per_run("lr_kl_target")
        normalizes = self.schema.normalize_reward
        self.reward_filter = RewardFilter(len(pack.configs), self.schema.num_actors) if normalizes else None
        self.critic = Critic(pack)
        self.rollout = RolloutSpec(Length(self.schema.horizon), keep_final=self.critic.bootstraps)
        self._policies = over_samples(self.network.policy, pack)
        step = MinibatchStep(self.network, self.schema, self.objectives)
        looped = is_looped(self.network)
        self._gather = one_by_one if looped else gathered
        self._step = alone(step.in_place) if looped else compiled(in_place(vmap(step)), pack.compiled)
        self._log_std = self.network.part("log_std").nonzero().squeeze(-1)
        self._records_line = np.array(["interpolation" in schema.record for schema in pack.schemas])
        self._first = np.zeros_like(self._records_line)  # whether the last update was a lane's first, to be kept
        self._line: Floats | None = None  # of that update [L, scales, columns]

    # -- advantages (Algorithm 1, line 4) ------------------------------------------------------------------------

    def estimate_advantages(self, rollout: Rollout, see: Callable[[Obs], np.ndarray]) -> Batch:
        """Truncated GAE, normalised as configured."""
        reward = reward_of(rollout, self.schema.reward)
        if self.reward_filter is not None:
            reward = self.reward_filter(reward, rollout.terminated | rollout.truncated, self.critic.gamma)
        batch = self.critic.estimate(self.theta, rollout, see, reward, self.actor.outputs())
        if self.schema.normalize_adv == "batch":
            return batch._replace(adv=standardize(batch.adv))
        if self.schema.normalize_adv == "actor":
            return batch._replace(adv=standardize_each(batch.adv, self.schema.num_actors))
        return batch

    # -- update (Algorithm 1, line 6) ----------------------------------------------------------------------------

    def update(self, batch: Batch, moment: Moment) -> Columns:
        """K epochs of minibatch Adam; progress drives the schedules."""
        with torch.no_grad():
            samples = self._samples(batch, moment)
            coefficients, shown = self._coefficients(moment.progress)
            self._first = self._records_line & (moment.progress == 0)  # whatever its mates have behind them
            theta_old = self.theta.clone() if self._first.any() else None
            totals = torch.zeros(len(batch.adv), len(Stats._fields), device=self.theta.device)
            for lanes in groups(self.pack):
                self._descend(lanes, Rows.of(samples), totals, coefficients)
            steps = self.schema.epochs * (batch.adv.shape[1] // self.schema.minibatch_size)
            self._line = None if theta_old is None else self._interpolate(theta_old, samples)
            dist = self._policies(self.theta, samples.obs)
            kl = self.network.distribution.kl(samples.dist_old, dist).mean(-1).cpu()
            entropy = self.network.distribution.entropy(dist).mean(-1)
        self._anneal_log_std(moment.progress + self._share)
        self.actor.refresh(self.theta)
        self.objectives.after(kl)
        self.lr = adapt_stepsize(self.lr, kl.double().numpy(), self.lr_kl_target)
        stats = Stats(*(totals / steps).double().cpu().unbind(-1))
        measured = stats._asdict() | {"skipped": stats.skipped * steps, "entropy": entropy, "kl": kl}
        return {k: v.double().cpu().numpy() for k, v in measured.items()} | shown | explained_variance(batch)

    def _descend(self, lanes: slice, rows: Rows, totals: Tensor, coefficients: Tensor) -> None:
        """K epochs of some lanes; totals [L, stats] are added to."""
        state = (of(lanes, x) for x in (self.theta, self.adam, totals))
        theta, adam, totals, rows, coefficients = (*state, of(lanes, rows), of(lanes, coefficients))
        for epoch in range(self.schema.epochs):
            with unguarded(epoch > 0):
                for minibatch in shuffled(rows, self.orders[lanes], self.schema.minibatch_size, self._gather):
                    self._step(theta, adam, totals, minibatch, coefficients)

    def _samples(self, batch: Batch, moment: Moment) -> Samples:
        """The batch with its filtered obs and pi_old, all [L, B, ...].

        pi_old is taken after the filter has seen the batch, so at the first minibatch every ratio is 1.
        """
        device = self.theta.device
        obs = torch.from_numpy(moment.see(batch.obs)).to(device)
        action = batch.action.to(device)
        dist = self._policies(self.theta, obs) if batch.dist is None else batch.dist.to(device)
        logp = self.network.distribution.logp(dist, action)
        scalars = (torch.from_numpy(x.astype(np.float32)) for x in (batch.adv, batch.value, batch.value_target))
        return Samples(obs, action, dist, logp, *(x.to(device) for x in scalars))

    def _coefficients(self, progress: Floats) -> tuple[Tensor, Columns]:
        """Every run's coefficients at this moment [L, columns], and those worth recording."""
        remaining = np.maximum(1 - progress, 0)  # the paper's alpha
        lr = self.lr * self._schedule("lr_schedule", remaining)
        clip_scale = self._schedule("epsilon_schedule", remaining)
        clip_range = self.objectives.clip_range
        epsilon = np.where(np.isinf(clip_range), clip_range, clip_range * clip_scale)
        column = {"lr": lr}
        for key in ("adam_epsilon", "c1", "c2", "max_grad_norm", "value_clip"):
            column[key] = self.pack.per_run(key, absent=0.0)  # an absent bound is never read
        rows = torch.stack([torch.as_tensor(column[k], dtype=torch.float32) for k in Coefficients._fields], -1)
        rows = torch.cat([rows, self.objectives.rows(clip_scale)], -1)
        beta = np.array([self.objectives.of(lane, "beta") or 0.0 for lane in range(len(lr))])
        return rows.to(self.theta.device), {"lr": lr, "epsilon": epsilon, "beta": beta}

    def _interpolate(self, theta_old: Tensor, samples: Samples) -> Floats:
        epsilon = torch.from_numpy(self.objectives.clip_range).to(samples.adv)
        return interpolate(self.network, theta_old, self.theta, samples, epsilon).double().cpu().numpy()

    def _anneal_log_std(self, progress: Floats) -> None:
        """Table 4's LinearAnneal, where it is asked for: log-std at progress [L] in [0, 1]."""
        schema = self.schema
        if schema.log_std_final is not None:
            slope = schema.log_std_final - schema.log_std
            log_std = torch.from_numpy(schema.log_std + slope * np.minimum(progress, 1)).to(self.theta)
            self.theta[:, self._log_std] = log_std.unsqueeze(-1)

    def _schedule(self, key: str, remaining: Floats) -> Floats:
        return np.where([getattr(s, key) == "linear" for s in self.pack.schemas], remaining, 1.0)

    def artefacts(self, lane: int) -> Mapping[str, Table]:
        """Figure 2's line, of a first update that was to record it."""
        if self._line is None or not self._first[lane]:
            return {}
        return {"interpolation": Table(COLUMNS, self._line[lane])}

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        state: dict[str, Any] = {k: v[lane].detach().cpu().clone() for k, v in self._tensors().items()}
        state |= {"lr": float(self.lr[lane]), "surrogate": self.objectives.get_state(lane)}
        return state | {"reward_filter": self.reward_filter.get_state(lane) if self.reward_filter else None}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, tensor in self._tensors().items():
            tensor[lane] = state[key]
        self.lr[lane] = state["lr"]
        self.objectives.set_state(lane, state["surrogate"])
        if self.reward_filter is not None:
            self.reward_filter.set_state(lane, state["reward_filter"])
        self.actor.refresh(self.theta)

    def _tensors(self) -> dict[str, Tensor]:
        return {"theta": self.theta, **self.adam._asdict()}
