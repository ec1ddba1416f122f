"""Trust region policy optimization (section 2.2, Figure 3), as in the authors' code of 2017.

The natural gradient by conjugate gradient and Fisher-vector products, scaled to the edge of the trust region, then a
line search back. Everything is done for all runs of a pack at once; a run that has its step is masked, not skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value, vjp, vmap

from ppo.algorithms.base import Learner
from ppo.algorithms.trpo.schema import TRPO
from ppo.data import Columns, Length, Moment, Obs, PackSpec, Rollout, RolloutSpec
from ppo.learning.advantages import standardize
from ppo.learning.compiling import compiled
from ppo.learning.critic import Batch, Critic, explained_variance
from ppo.learning.value_fit import ValueFit
from ppo.networks.acting import PolicyActor

RESIDUAL_TOLERANCE = 1e-10  # conjugate gradient of a run stops below this squared residual

Product = Callable[[Tensor], Tensor]


class TRPOLearner(Learner):
    """The learning state of a pack: parameters, and Adam's moments of the value functions."""

    def __init__(self, pack: PackSpec) -> None:
        self.network, self.theta = pack.network, pack.theta
        self.schema: TRPO = pack.schemas[0]  # what the pack shares
        self.critic, self.value_fit = Critic(pack), ValueFit(pack)
        self.actor = PolicyActor(self.network, self.theta)
        self.rollout = RolloutSpec(Length(self.schema.horizon), keep_final=self.critic.bootstraps)
        self.max_kl, self.kl_slack, self.damping = (
            torch.from_numpy(pack.per_run(key)).to(self.theta) for key in ("max_kl", "kl_slack", "damping")
        )
        trains_log_std = torch.tensor([s.train_log_std for s in pack.schemas]).unsqueeze(-1)
        self.trained = (~self.network.part("log_std") | trains_log_std).to(self.theta)  # [L, n] 1 or 0
        self._policies = compiled(vmap(self.network.policy), pack.compiled)
        self._gradient = compiled(vmap(self._surrogate_gradient), pack.compiled)
        self._product = compiled(vmap(self._fisher_product), pack.compiled)
        self._measure = compiled(vmap(self._surrogate_and_kl), pack.compiled)

    def estimate_advantages(self, rollout: Rollout, see: Callable[[Obs], np.ndarray]) -> Batch:
        """Truncated GAE, standardized over the batch."""
        batch = self.critic.estimate(self.theta, rollout, see)
        return batch._replace(adv=standardize(batch.adv))

    def update(self, batch: Batch, moment: Moment) -> Columns:
        """One step of the policies, then the value functions' epochs."""
        with torch.no_grad():
            obs = torch.from_numpy(moment.see(batch.obs)).to(self.theta.device)
            columns = self._policy_step(obs, batch)
            columns |= self.value_fit(self.theta, obs, batch)
        self.actor.refresh(self.theta)
        return columns | explained_variance(batch)

    # -- the policy's step ---------------------------------------------------------------------------------------

    def _policy_step(self, obs: Tensor, batch: Batch) -> Columns:
        distribution = self.network.distribution
        action = batch.action.to(obs.device)
        adv = torch.from_numpy(batch.adv.astype(np.float32)).to(obs.device)
        dist_old = self._policies(self.theta, obs)
        logp_old = distribution.logp(dist_old, action)
        samples = (obs, action, dist_old, logp_old, adv)
        grad, before = self._gradient(self.theta, *samples)
        grad = grad * self.trained
        some = obs[:, :: self.schema.fisher_stride].contiguous()

        def product(vector: Tensor) -> Tensor:
            return self._product(self.theta, some, vector) * self.trained + self.damping.unsqueeze(-1) * vector

        direction = conjugate_gradient(product, grad, self.schema.cg_iterations)
        full_step = scale_to(self.max_kl, direction, product)
        gain, kl = self._line_search(full_step, before, samples)
        entropy = distribution.entropy(self._policies(self.theta, obs)).mean(-1)
        norm = torch.sqrt((grad * grad).sum(-1))
        measured = {"objective": gain, "kl": kl, "entropy": entropy, "grad_norm": norm, "skipped": (kl == 0).to(kl)}
        return {name: value.double().cpu().numpy() for name, value in measured.items()}

    def _line_search(self, full_step: Tensor, before: Tensor, samples: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Take the largest of 1, 1/2, 1/4, ... steps that is no worse and close enough; returns gain and KL [L].

        A run for which none is keeps its parameters, bit for bit.
        """
        theta_old = self.theta.clone()
        gain, kl = torch.zeros_like(before), torch.zeros_like(before)
        searching = torch.isfinite(full_step).all(-1) & (full_step != 0).any(-1)
        scale = 1.0
        for _ in range(self.schema.backtracks):
            if not searching.any():
                break
            candidate = theta_old + scale * full_step
            surrogate, distance = self._measure(candidate, *samples)
            better = surrogate - before
            accepted = searching & (better >= 0) & (distance <= self.kl_slack * self.max_kl)  # False where NaN
            self.theta.copy_(torch.where(accepted.unsqueeze(-1), candidate, self.theta))
            gain, kl = torch.where(accepted, better, gain), torch.where(accepted, distance, kl)
            searching &= ~accepted
            scale /= 2
        return gain, kl

    # -- of one run ----------------------------------------------------------------------------------------------

    def _surrogate_and_kl(
        self, theta: Tensor, obs: Tensor, action: Tensor, dist_old: Tensor, logp_old: Tensor, adv: Tensor
    ) -> tuple[Tensor, Tensor]:
        """mean r adv, equation (3), and mean KL[old, new], equation (4), of a batch."""
        distribution = self.network.distribution
        dist = self.network.policy(theta, obs)
        ratio = torch.exp(distribution.logp(dist, action) - logp_old)
        return (ratio * adv).mean(), distribution.kl(dist_old, dist).mean()

    def _surrogate_gradient(self, theta: Tensor, *samples: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient [n] of the surrogate, and its value."""
        return grad_and_value(lambda t: self._surrogate_and_kl(t, *samples)[0])(theta)

    def _fisher_product(self, theta: Tensor, obs: Tensor, vector: Tensor) -> Tensor:
        """The Hessian of mean KL[old, new] at new = old, times a vector [n]: J' F J v, with F of the distribution."""

        def policy(theta: Tensor) -> Tensor:
            return self.network.policy(theta, obs)

        dist, pull_back = vjp(policy, theta)[:2]
        # J v is the derivative of u -> J' u along v: torch.compile takes vjp of vjp, but no jvp.
        push_forward = vjp(lambda u: pull_back(u)[0], torch.zeros_like(dist))[1]
        tangent = push_forward(vector)[0]
        return pull_back(self.network.distribution.fisher(dist, tangent) / len(obs))[0]

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything of one lane that later updates depend on."""
        return {"theta": self.theta[lane].cpu().clone(), "value_fit": self.value_fit.get_state(lane)}

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane back to a state of `get_state`."""
        self.theta[lane] = state["theta"]
        self.value_fit.set_state(lane, state["value_fit"])
        self.actor.refresh(self.theta)


def conjugate_gradient(product: Product, target: Tensor, iterations: int) -> Tensor:
    """x with product(x) = target, per lane [L, n], started at 0; a lane whose residual is small enough stays put."""
    x, residual, direction = torch.zeros_like(target), target.clone(), target.clone()
    square = (residual * residual).sum(-1, keepdim=True)
    for _ in range(iterations):
        image = product(direction)
        going = square > RESIDUAL_TOLERANCE
        length = torch.where(going, square / (direction * image).sum(-1, keepdim=True), 0.0)
        x = torch.where(going, x + length * direction, x)
        residual = torch.where(going, residual - length * image, residual)
        new_square = (residual * residual).sum(-1, keepdim=True)
        ratio = torch.where(going, new_square / square, 0.0)
        direction = torch.where(going, residual + ratio * direction, direction)
        square = torch.where(going, new_square, square)
    return x


def scale_to(max_kl: Tensor, direction: Tensor, product: Product) -> Tensor:
    """`direction` [L, n] scaled so that half its squared length in the Fisher metric is max_kl [L]; 0 stays 0."""
    half_square = 0.5 * (direction * product(direction)).sum(-1)
    scale = torch.where(half_square > 0, torch.sqrt(max_kl / half_square), 0.0)
    return direction * scale.unsqueeze(-1)
