"""The two policies' distributions as pure functions: diagonal Gaussian and categorical (section 6.1).

A distribution is one tensor `dist` [..., D]: mean and log standard deviation side by side, or logits. Acting (`draw`,
`noise`, `sample`) is NumPy's, like the environments; learning (`logp`, `kl`, `entropy`) is torch's.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Distribution(Protocol):
    """Pure functions; those of `dist` tensors sum over action dimensions."""

    action_columns: int  # columns of one action
    dist_columns: int  # columns of one `dist`

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Random numbers to act with, float32 [*shape, action_columns]."""
        ...

    def noise(self, draws: np.ndarray, log_std: np.ndarray | None) -> np.ndarray:
        """The part of `sample` that does not depend on the state, for all steps of a rollout at once, like `draw`."""
        ...

    def sample(self, head: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Actions [..., action_columns] from the policy head's output: means or logits."""
        ...

    def logp(self, dist: Tensor, action: Tensor) -> Tensor:
        """Log-probability of an action as it was sampled, unclipped [...]."""
        ...

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """KL[old, new] in nats [...]."""
        ...

    def entropy(self, dist: Tensor) -> Tensor:
        """Entropy in nats [...]."""
        ...

    def fisher(self, dist: Tensor, vector: Tensor) -> Tensor:
        """The Fisher matrix of `dist`, which is the Hessian of KL[dist, .] there, times a vector [..., D]."""
        ...

    def mode(self, head: np.ndarray) -> np.ndarray:
        """The likeliest actions [..., action_columns], from the policy head's output."""
        ...


class Gaussian:
    """Independent normals; `dist` is [mean, log_std]."""

    def __init__(self, size: int) -> None:
        self.action_columns = size
        self.dist_columns = 2 * size

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.standard_normal((*shape, self.action_columns), dtype=np.float32)

    def noise(self, draws: np.ndarray, log_std: np.ndarray | None) -> np.ndarray:
        return draws if log_std is None else draws * np.exp(log_std)

    def sample(self, head: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return head + noise

    def logp(self, dist: Tensor, action: Tensor) -> Tensor:
        mean, log_std = dist.chunk(2, -1)
        z = (action - mean) * torch.exp(-log_std)
        return (-0.5 * z * z - log_std - HALF_LOG_2PI).sum(-1)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        mean_old, log_std_old = old.chunk(2, -1)
        mean, log_std = new.chunk(2, -1)
        spread = torch.exp(2 * (log_std_old - log_std))
        shift = ((mean_old - mean) * torch.exp(-log_std)) ** 2
        return (log_std - log_std_old + 0.5 * (spread + shift - 1)).sum(-1)

    def entropy(self, dist: Tensor) -> Tensor:
        log_std = dist.chunk(2, -1)[1]
        return (log_std + HALF_LOG_2PI + 0.5).sum(-1)

    def fisher(self, dist: Tensor, vector: Tensor) -> Tensor:
        log_std = dist.chunk(2, -1)[1]
        of_mean, of_log_std = vector.chunk(2, -1)
        return torch.cat([of_mean * torch.exp(-2 * log_std), 2 * of_log_std], -1)

    def mode(self, head: np.ndarray) -> np.ndarray:
        return head


class Categorical:
    """One of n choices; `dist` is logits, an action its index as a float."""

    def __init__(self, size: int) -> None:
        self.action_columns = 1
        self.dist_columns = size

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.random((*shape, 1), dtype=np.float32)

    def noise(self, draws: np.ndarray, log_std: np.ndarray | None) -> np.ndarray:  # noqa: ARG002
        return draws

    def sample(self, head: np.ndarray, noise: np.ndarray) -> np.ndarray:
        weights = np.exp(head - head.max(-1, keepdims=True))
        cumulative = weights.cumsum(-1)
        below = cumulative <= noise * cumulative[..., -1:]  # inverse of the cumulative distribution
        return below[..., :-1].sum(-1, keepdims=True).astype(head.dtype)

    def logp(self, dist: Tensor, action: Tensor) -> Tensor:
        chosen = torch.arange(self.dist_columns, device=dist.device) == action
        return (torch.log_softmax(dist, -1) * chosen).sum(-1)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        logp_old, logp = torch.log_softmax(old, -1), torch.log_softmax(new, -1)
        return (torch.exp(logp_old) * (logp_old - logp)).sum(-1)

    def entropy(self, dist: Tensor) -> Tensor:
        logp = torch.log_softmax(dist, -1)
        return -(torch.exp(logp) * logp).sum(-1)

    def fisher(self, dist: Tensor, vector: Tensor) -> Tensor:
        p = torch.softmax(dist, -1)
        return p * (vector - (p * vector).sum(-1, keepdim=True))

    def mode(self, head: np.ndarray) -> np.ndarray:
        return head.argmax(-1, keepdims=True).astype(head.dtype)
