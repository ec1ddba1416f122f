"""Surrogates with a KL penalty: L^KLPEN, equation (8), with a fixed and with an adaptive coefficient (section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from ppo.config import choices
from ppo.config.schema import PER_RUN, Positive
from ppo.learning.surrogates.base import Surrogate, Terms

if TYPE_CHECKING:
    from torch import Tensor

BETA_LIMIT = 2.0**30  # an adapted beta stays within [2^-30, 2^30]; the paper sets no bounds


@choices.surrogate("kl_fixed")
@dataclass(frozen=True)
class FixedKL(Surrogate):
    """L^KLPEN, equation (8)."""

    uses_kl: ClassVar[bool] = True
    places: ClassVar[Mapping[int, Mapping[str, Any]]] = MappingProxyType({4: {}})

    beta: Annotated[Positive, PER_RUN]

    def objective(self, t: Terms) -> Tensor:
        """r adv - beta KL[old, new]."""
        return t.ratio * t.adv - self.beta * t.kl


@choices.surrogate("kl_adaptive")
@dataclass(frozen=True)
class AdaptiveKL(Surrogate):
    """L^KLPEN with beta halved or doubled after each iteration, to keep the KL near d_targ."""

    uses_kl: ClassVar[bool] = True
    places: ClassVar[Mapping[int, Mapping[str, Any]]] = MappingProxyType({5: {}})

    d_targ: Annotated[Positive, PER_RUN]
    beta: Annotated[Positive, PER_RUN]

    def objective(self, t: Terms) -> Tensor:
        """r adv - beta KL[old, new]."""
        return t.ratio * t.adv - self.beta * t.kl

    def after(self, kl: Tensor) -> Self:
        """beta / 2 where the KL is below d_targ / 1.5, beta * 2 where it is above d_targ * 1.5."""
        beta: Tensor = self.beta  # type: ignore[assignment]
        d_targ: Tensor = self.d_targ  # type: ignore[assignment]
        raised = (beta * 2).where(kl > d_targ * 1.5, beta)
        adapted = (beta / 2).where(kl < d_targ / 1.5, raised)
        return replace(self, beta=adapted.clamp(1 / BETA_LIMIT, BETA_LIMIT))  # type: ignore[arg-type]
