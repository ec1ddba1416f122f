"""No clipping or penalty: L^CPI, equation (6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ppo.config import choices
from ppo.learning.surrogates.base import Surrogate, Terms

if TYPE_CHECKING:
    from torch import Tensor


@choices.surrogate("none")
@dataclass(frozen=True)
class Unclipped(Surrogate):
    """L^CPI, equation (6)."""

    places: ClassVar[Mapping[int, Mapping[str, Any]]] = MappingProxyType({0: {}})

    def objective(self, t: Terms) -> Tensor:
        """r adv."""
        return t.ratio * t.adv
