"""Acting in torch, lane by lane, for bodies that are mapped by a loop: what the networks give meanwhile is kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppo.data import Outputs, PackSpec
from ppo.networks.acting import POLICY, PolicyActor
from ppo.networks.layers import affine

VALUE = "value_trunk."


def policy_actor(pack: PackSpec) -> PolicyActor | LoopActor:
    """What acts for a pack's policies."""
    return LoopActor(pack) if pack.network.body.mapped == "loop" else PolicyActor(pack.network, pack.theta)


class Prepared(NamedTuple):
    """One run's parameters as acting needs them, prepared once per update."""

    policy: Any  # of the body
    value: Any | None  # of the value function's own body; None: it shares the policy's
    named: dict[str, Tensor]  # all, by name

    def head(self, name: str, features: Tensor) -> Tensor:
        """The output of a head."""
        return affine(features, self.named[f"{name}.weight"], self.named[f"{name}.bias"])


class LoopActor:
    """Samples from the policies theta [L, n] of a pack; all actors of a lane go through its network together."""

    def __init__(self, pack: PackSpec) -> None:
        self.pack, self.network = pack, pack.network
        self.draw = pack.network.distribution.draw
        self._steps, self._dist, self._value = 0, torch.empty(0), np.empty(0)
        self.refresh(pack.theta)

    def refresh(self, theta: Tensor) -> None:
        """Act with these parameters from now on."""
        with torch.no_grad():
            self.prepared = [self._prepare(row) for row in theta.detach()]

    def _prepare(self, theta: Tensor) -> Prepared:
        named = self.network.unflatten(theta)
        body = self.network.body
        own = {name.removeprefix(VALUE): w for name, w in named.items() if name.startswith(VALUE)}
        policy = body.prepare({name.removeprefix(POLICY): w for name, w in named.items() if name.startswith(POLICY)})
        return Prepared(policy, body.prepare(own) if own else None, named)

    def noise(self, draws: np.ndarray) -> np.ndarray:
        """Begins a rollout, and makes room for its outputs."""
        shape = draws.shape[:3]
        self._steps, self._value = 0, np.zeros(shape)
        self._dist = torch.zeros(*shape, self.network.distribution.dist_columns)
        log_std = [prepared.named["log_std"].cpu() for prepared in self.prepared if "log_std" in prepared.named]
        return self.network.distribution.noise(draws, torch.stack(log_std).numpy()[:, None, None] if log_std else None)

    def __call__(self, obs: np.ndarray, noise: np.ndarray, /) -> np.ndarray:
        action = np.zeros((*obs.shape[:2], self.network.distribution.action_columns), np.float32)
        with torch.no_grad():
            for lane in self.pack.lanes:
                head, dist, value = self._evaluate(self.prepared[lane], torch.from_numpy(obs[lane]))
                self._dist[lane, self._steps], self._value[lane, self._steps] = dist, value
                action[lane] = self.network.distribution.sample(head, noise[lane])
        self._steps += 1
        return action

    def _evaluate(self, p: Prepared, obs: Tensor) -> tuple[np.ndarray, Tensor, np.ndarray]:
        """The policy head's output [N, ...], dist [N, D] and value [N] for obs [N, *obs] of one lane."""
        obs, body = obs.to(self.pack.theta.device), self.network.body
        features = body.forward(p.policy, obs, affine)
        head = p.head("policy_head", features)
        dist = torch.cat([head, p.named["log_std"].expand_as(head)], -1) if "log_std" in p.named else head
        if p.value is not None:
            features = body.forward(p.value, obs, affine)
        return head.cpu().numpy(), dist.cpu(), p.head("value_head", features).squeeze(-1).cpu().numpy()

    def outputs(self) -> Outputs:
        """Those of the rollout that `noise` began."""
        return Outputs(self._dist, self._value)
