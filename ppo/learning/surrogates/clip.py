"""Clipped surrogates: L^CLIP, equation (7), and its two readings in log space (section 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from ppo.config import choices
from ppo.config.schema import CLIP_RANGE, PER_RUN, Positive
from ppo.errors import invalid
from ppo.learning.surrogates.base import Surrogate, Terms

if TYPE_CHECKING:
    from torch import Tensor


@choices.surrogate("clip")
@dataclass(frozen=True)
class Clip(Surrogate):
    """L^CLIP, equation (7)."""

    places: ClassVar[Mapping[int, Mapping[str, Any]]] = MappingProxyType({1: {}})

    epsilon: Annotated[Positive, PER_RUN, CLIP_RANGE]

    def objective(self, t: Terms) -> Tensor:
        """min(r adv, clip(r, 1 - epsilon, 1 + epsilon) adv)."""
        return (t.ratio * t.adv).minimum(t.ratio.clamp(1 - self.epsilon, 1 + self.epsilon) * t.adv)


@choices.surrogate("clip_log")
@dataclass(frozen=True)
class ClipLog(Surrogate):
    """Clipping in log space; the paper has no formula, so there are two readings."""

    places: ClassVar[Mapping[int, Mapping[str, Any]]] = MappingProxyType(
        {2: {"reading": "ratio"}, 3: {"reading": "objective"}}
    )

    epsilon: Annotated[Positive, PER_RUN, CLIP_RANGE]
    reading: Literal["ratio", "objective"]

    def check(self) -> None:
        """log(1 - epsilon) is finite where it is needed."""
        if self.reading == "objective" and self.epsilon >= 1:
            raise invalid("surrogate.epsilon", self.epsilon, "a number below 1, for log(1 - epsilon)")

    def objective(self, t: Terms) -> Tensor:
        """L^CLIP with log r clipped to [-epsilon, epsilon], or with log r in place of r."""
        epsilon: Tensor = self.epsilon  # type: ignore[assignment]
        if self.reading == "ratio":
            return (t.ratio * t.adv).minimum(t.ratio.clamp((-epsilon).exp(), epsilon.exp()) * t.adv)
        clipped = t.log_ratio.clamp((-epsilon).log1p(), epsilon.log1p())
        return (t.log_ratio * t.adv).minimum(clipped * t.adv)
