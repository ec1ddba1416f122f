"""Vanilla policy gradient with adaptive stepsize (Figure 3, footnote 3): one Adam step per batch of whole episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from ppo.collect import Length, PolicyActor, Rollout
from ppo.config.algorithms import VPG
from ppo.config.run import Config
from ppo.envs import episode_limit
from ppo.envs.base import Floats
from ppo.learning.adam import AdamState, adam_step, adapt_stepsize, taken_if
from ppo.learning.advantages import standardize
from ppo.learning.compiling import compiled, wants_compile
from ppo.learning.critic import Batch, Critic, explained_variance, observe
from ppo.learning.filters import ObsFilter
from ppo.learning.value_fit import ADAM_EPSILON, ValueFit
from ppo.networks.flat import FlatNetwork
from ppo.streams import Streams


class VPGLearner:
    """The learning state of a pack: parameters, stepsizes, and Adam's moments of policies and value functions."""

    updates = 1  # per iteration
    interpolation = None

    def __init__(
        self, configs: Sequence[Config], network: FlatNetwork, theta: Tensor, streams: Sequence[Streams]
    ) -> None:
        self.network, self.theta = network, theta
        env = configs[0].env
        settings = [c.algorithm for c in configs if isinstance(c.algorithm, VPG)]
        enabled = wants_compile(configs[0])
        self.critic = Critic(network, settings, enabled=enabled)
        self.value_fit = ValueFit(network, theta, settings, [s.order for s in streams], enabled=enabled)
        self.actor, self.keep_final = PolicyActor(network, theta), self.critic.bootstraps
        share = settings[0].batch_steps // settings[0].num_actors
        self.length = Length(share + episode_limit(env.suite, env.id, env.time_limit), episodes_after=share)
        self.adam = AdamState(*(s.to(theta.device) for s in AdamState.zeros(theta)))
        self.lr = np.array([s.lr for s in settings])
        self.kl_target = np.array([s.kl_target for s in settings])
        self._policies = compiled(vmap(network.policy), enabled)
        self._step = compiled(vmap(self._policy_step), enabled)

    def estimate_advantages(self, rollout: Rollout, obs_filter: ObsFilter) -> Batch:
        """Truncated GAE, standardized over the batch."""
        batch = self.critic.estimate(self.theta, rollout, obs_filter)
        return batch._replace(adv=standardize(batch.adv, batch.weight))

    def update(self, batch: Batch, obs_filter: ObsFilter, _progress: Floats) -> dict[str, Floats]:
        """A step of the policies, then of their stepsizes, then the value functions' epochs; returns what to record."""
        with torch.no_grad():
            obs = torch.from_numpy(observe(obs_filter, batch)).to(self.theta.device)
            action = batch.action.reshape(*batch.adv.shape, -1).to(obs.device)
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
