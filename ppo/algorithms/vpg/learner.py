"""Vanilla policy gradient with adaptive stepsize (Figure 3, footnote 3): one Adam step per batch of whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from ppo.algorithms.base import Learner
from ppo.algorithms.vpg.schema import VPG
from ppo.data import Columns, Length, Moment, Obs, PackSpec, Rollout, RolloutSpec
from ppo.learning.adam import AdamState, adam_step, adapt_stepsize, taken_if
from ppo.learning.advantages import standardize
from ppo.learning.compiling import compiled
from ppo.learning.critic import Batch, Critic, explained_variance
from ppo.learning.value_fit import ADAM_EPSILON, ValueFit
from ppo.networks.acting import PolicyActor


class VPGLearner(Learner):
    """The learning state of a pack: parameters, stepsizes, and Adam's moments of policies and value functions."""

    def __init__(self, pack: PackSpec) -> None:
        self.network, self.theta = pack.network, pack.theta
        schema: VPG = pack.schemas[0]  # what the pack shares
        self.critic, self.value_fit = Critic(pack), ValueFit(pack)
        self.actor = PolicyActor(self.network, self.theta)
        share = schema.batch_steps // schema.num_actors
        length = Length(share + pack.episode_limit, episodes_after=share)
        self.rollout = RolloutSpec(length, keep_final=self.critic.bootstraps)
        self.adam = AdamState(*(s.to(self.theta.device) for s in AdamState.zeros(self.theta)))
        self.lr, self.kl_target = pack.per_run("lr"), pack.per_run("kl_target")
        self._policies = compiled(vmap(self.network.policy), pack.compiled)
        self._step = compiled(vmap(self._policy_step), pack.compiled)

    def estimate_advantages(self, rollout: Rollout, see: Callable[[Obs], np.ndarray]) -> Batch:
        """Truncated GAE, standardized over the batch."""
        batch = self.critic.estimate(self.theta, rollout, see)
        return batch._replace(adv=standardize(batch.adv, batch.weight))

    def update(self, batch: Batch, moment: Moment) -> Columns:
        """A step of the policies, then of their stepsizes, then the value functions' epochs."""
        with torch.no_grad():
            obs = torch.from_numpy(moment.see(batch.obs)).to(self.theta.device)
            action = batch.action.to(obs.device)
            assert batch.weight is not None
            adv, weight = (torch.from_numpy(x.astype(np.float32)).to(obs.device) for x in (batch.adv, batch.weight))
            share = weight / weight.sum(-1, keepdim=True).clamp(min=1)  # of the batch's mean
            lr = torch.from_numpy(self.lr).to(self.theta)
            dist_old = self._policies(self.theta, obs)
            theta, adam, objective, norm = self._step(self.theta, self.adam, obs, action, adv * share, lr)
            for old, new in zip((self.theta, *self.adam), (theta, *adam), strict=True):
                old.copy_(new)
            dist = self._policies(self.theta, obs)
            kl = (self.network.distribution.kl(dist_old, dist) * share).sum(-1)
            entropy = (self.network.distribution.entropy(dist) * share).sum(-1)
            fitted = self.value_fit(self.theta, obs, batch)
        self.actor.refresh(self.theta)
        measured = {"objective": objective, "grad_norm": norm, "kl": kl, "entropy": entropy}
        columns = {name: value.double().cpu().numpy() for name, value in measured.items()}
        columns |= {"lr": self.lr, "skipped": 1.0 - np.isfinite(columns["grad_norm"])}
        self.lr = adapt_stepsize(self.lr, columns["kl"], self.kl_target)
        return columns | fitted | explained_variance(batch)

    def _policy_step(
        self, theta: Tensor, adam: AdamState, obs: Tensor, action: Tensor, weighted_adv: Tensor, lr: Tensor
    ) -> tuple[Tensor, AdamState, Tensor, Tensor]:
        """theta [n] of one run after an Adam step up the gradient of L^PG, equation (2); a broken step is skipped."""

        def loss(theta: Tensor) -> Tensor:
            logp = self.network.distribution.logp(self.network.policy(theta, obs), action)
            return -(logp * weighted_adv).sum()

        grad, value = grad_and_value(loss)(theta)
        norm = torch.sqrt((grad * grad).sum())
        new_theta, new_adam = adam_step(theta, grad, adam, lr=lr, epsilon=torch.full_like(lr, ADAM_EPSILON))
        return *taken_if(torch.isfinite(norm), (new_theta, new_adam), (theta, adam)), -value, norm

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        state: dict[str, Any] = {k: v[lane].cpu().clone() for k, v in self._tensors().items()}
        return state | {"lr": float(self.lr[lane]), "value_fit": self.value_fit.get_state(lane)}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        for key, tensor in self._tensors().items():
            tensor[lane] = state[key]
        self.lr[lane] = state["lr"]
        self.value_fit.set_state(lane, state["value_fit"])
        self.actor.refresh(self.theta)

    def _tensors(self) -> dict[str, Tensor]:
        return {"theta": self.theta, **self.adam._asdict()}
