"""The surrogate objectives of sections 3, 4 and 6.1: pure functions of one sample's terms, to be maximised.

To add one: a function here, its name in OBJECTIVES, its coefficients in `ppo.config.run.SURROGATES`, and a yaml in
`conf/surrogate/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ppo.config.run import Surrogate

LOG_RATIO_LIMIT = 80.0  # e^80 is finite in float32; without a clip the ratio may otherwise overflow
BETA_LIMIT = 2.0**30  # beta stays within [2^-30, 2^30]; the paper sets no bounds


class Terms(NamedTuple):
    """What an objective may use, per sample [...]."""

    log_ratio: Tensor  # log pi(a|s) - log pi_old(a|s)
    ratio: Tensor
    kl: Tensor  # KL[pi_old(.|s), pi(.|s)]
    adv: Tensor


def ratio_terms(logp: Tensor, logp_old: Tensor, kl: Tensor, adv: Tensor) -> Terms:
    """The terms of a sample; the ratio is kept finite."""
    log_ratio = (logp - logp_old).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return Terms(log_ratio, torch.exp(log_ratio), kl, adv)


def none(t: Terms, _epsilon: Tensor, _beta: Tensor) -> Tensor:
    """L^CPI, equation (6)."""
    return t.ratio * t.adv


def clip(t: Terms, epsilon: Tensor, _beta: Tensor) -> Tensor:
    """L^CLIP, equation (7)."""
    return torch.minimum(t.ratio * t.adv, t.ratio.clamp(1 - epsilon, 1 + epsilon) * t.adv)


def clip_log(t: Terms, epsilon: Tensor, _beta: Tensor) -> Tensor:
    """L^CLIP with log r clipped to [-epsilon, epsilon]."""
    return torch.minimum(t.ratio * t.adv, t.ratio.clamp(torch.exp(-epsilon), torch.exp(epsilon)) * t.adv)


def clip_log_objective(t: Terms, epsilon: Tensor, _beta: Tensor) -> Tensor:
    """L^CLIP with log r in place of r."""
    clipped = t.log_ratio.clamp(torch.log1p(-epsilon), torch.log1p(epsilon))
    return torch.minimum(t.log_ratio * t.adv, clipped * t.adv)


def kl_penalty(t: Terms, _epsilon: Tensor, beta: Tensor) -> Tensor:
    """L^KLPEN, equation (8), of fixed and of adaptive beta."""
    return t.ratio * t.adv - beta * t.kl


Objective = Callable[[Terms, Tensor, Tensor], Tensor]
OBJECTIVES: dict[str, Objective] = {
    "none": none,
    "clip": clip,
    "clip_log": clip_log,
    "clip_log_objective": clip_log_objective,
    "kl_fixed": kl_penalty,
    "kl_adaptive": kl_penalty,
}
PENALTIES = ("kl_fixed", "kl_adaptive")


def objective_index(surrogate: Surrogate) -> int:
    """Which of OBJECTIVES a surrogate is."""
    name = f"{surrogate.name}_objective" if surrogate.reading == "objective" else surrogate.name
    return list(OBJECTIVES).index(name)


def uses_kl(index: Tensor) -> Tensor:
    """Whether the objective at `index` [] has a KL term [], bool."""
    return sum((index == list(OBJECTIVES).index(name) for name in PENALTIES), torch.zeros_like(index)) > 0


def choose(index: Tensor, terms: Terms, epsilon: Tensor, beta: Tensor) -> Tensor:
    """The objective at `index` [], per sample [...].

    All are computed, so that runs of different kinds share one graph; each is a few operations on a scalar per sample.
    """
    chosen = torch.zeros_like(terms.adv)
    for i, objective in enumerate(OBJECTIVES.values()):
        chosen = torch.where(index == i, objective(terms, epsilon, beta), chosen)
    return chosen


def adapt_beta(beta: Tensor, kl: Tensor, d_targ: Tensor) -> Tensor:
    """beta for the next iteration (section 4); where d_targ is NaN, beta is fixed. All [...]."""
    adapted = torch.where(kl < d_targ / 1.5, beta / 2, torch.where(kl > d_targ * 1.5, beta * 2, beta))
    return torch.where(torch.isnan(d_targ), beta, adapted.clamp(1 / BETA_LIMIT, BETA_LIMIT))
