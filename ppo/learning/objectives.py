"""The surrogates of a pack: several kinds side by side, each run's chosen under vmap, coefficients [lane]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppo.config import choices
from ppo.config.schema import CLIP_RANGE, PER_RUN, marked
from ppo.data import Floats
from ppo.learning.surrogates.base import Surrogate, Terms, family, static, variants

LOG_RATIO_LIMIT = 80.0  # e^80 is finite in float32; without a clip the ratio may otherwise overflow
UNUSED = 1.0  # coefficient of a kind in a run of another kind: any number that keeps its objective finite


def ratio_terms(logp: Tensor, logp_old: Tensor, kl: Tensor, adv: Tensor) -> Terms:
    """The terms of a sample; the ratio is kept finite."""
    log_ratio = (logp - logp_old).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return Terms(log_ratio, torch.exp(log_ratio), kl, adv)


class Objectives:
    """The kinds of surrogate in a pack's graph, each with its coefficients [L], and which of them each lane maximises.

    All are computed, so that runs of different kinds share one graph; each is a few operations on a scalar per sample.
    """

    def __init__(self, surrogates: Sequence[Surrogate]) -> None:
        kinds = _kinds(surrogates[0])
        known = [(type(kind), static(kind)) for kind in kinds]
        self._kind_of = [known.index((type(s), static(s))) for s in surrogates]  # by lane
        self.kinds = [replace(kind, **self._columns(kind, k, surrogates)) for k, kind in enumerate(kinds)]  # type: ignore[type-var]
        self._names = [marked(type(kind), PER_RUN) for kind in kinds]  # looked up once: the compiler sees `choose`
        ranges = [marked(type(s), CLIP_RANGE) for s in surrogates]
        self.clip_range = np.array([getattr(s, r[0]) if r else np.inf for s, r in zip(surrogates, ranges, strict=True)])

    def _columns(self, kind: Surrogate, number: int, surrogates: Sequence[Surrogate]) -> dict[str, Any]:
        """The coefficients of one kind, each [L]; clipping ranges in double precision, since they may be annealed."""
        lanes, annealed = list(zip(self._kind_of, surrogates, strict=True)), marked(type(kind), CLIP_RANGE)
        return {
            name: torch.tensor(
                [float(getattr(s, name)) if k == number else UNUSED for k, s in lanes],
                dtype=torch.float64 if name in annealed else torch.float32,
            )
            for name in marked(type(kind), PER_RUN)
        }

    # -- of a pack -----------------------------------------------------------------------------------------------

    def rows(self, scale: Floats) -> Tensor:
        """Every lane's kind and coefficients at this moment [L, columns]; clipping ranges times scale [L]."""
        index = torch.tensor([float(kind) for kind in self._kind_of])
        columns = [index]
        for kind, name, values in self._coefficients():
            annealed = name in marked(type(kind), CLIP_RANGE)
            columns.append((values * torch.from_numpy(scale)).float() if annealed else values)
        return torch.stack(columns, -1)

    def after(self, kl: Tensor) -> None:
        """Adapt every kind to mean KL[old, new] [L]."""
        self.kinds = [kind.after(kl) for kind in self.kinds]

    def of(self, lane: int, key: str, absent: float) -> float:
        """A coefficient of one lane's surrogate; `absent` if it has none of this name."""
        value = getattr(self.kinds[self._kind_of[lane]], key, None)
        return absent if value is None else float(value[lane])

    def get_state(self, lane: int) -> dict[str, Tensor]:
        """One lane's coefficients, which `after` may have changed."""
        kind = self.kinds[self._kind_of[lane]]
        return {name: getattr(kind, name)[lane].clone() for name in marked(type(kind), PER_RUN)}

    def set_state(self, lane: int, state: dict[str, Tensor]) -> None:
        """Put one lane's coefficients back."""
        kind = self.kinds[self._kind_of[lane]]
        for name, value in state.items():
            getattr(kind, name)[lane] = value

    # -- of one run ----------------------------------------------------------------------------------------------

    def uses_kl(self, row: Tensor) -> Tensor:
        """Whether the objective of a run, by its row of `rows`, has a KL term [], bool."""
        with_kl = [number for number, kind in enumerate(self.kinds) if kind.uses_kl]
        return sum((row[0] == number for number in with_kl), torch.zeros_like(row[0])) > 0

    def choose(self, row: Tensor, terms: Terms) -> Tensor:
        """The objective of a run, by its row of `rows`, per sample [...]."""
        chosen, column = torch.zeros_like(terms.adv), 1
        for number, (kind, names) in enumerate(zip(self.kinds, self._names, strict=True)):
            scalars: dict[str, Any] = {name: row[column + i] for i, name in enumerate(names)}
            column += len(names)
            objective = replace(kind, **scalars).objective(terms)  # type: ignore[type-var]
            chosen = torch.where(row[0] == number, objective, chosen)
        return chosen

    def _coefficients(self) -> Iterator[tuple[Surrogate, str, Tensor]]:
        for kind in self.kinds:
            for name in marked(type(kind), PER_RUN):
                yield kind, name, getattr(kind, name)


def _kinds(surrogate: Surrogate) -> list[Surrogate]:
    """The kinds in the graph of a run with this surrogate, in a fixed order (`ppo.learning.surrogates.base.family`)."""
    if family(surrogate) is not None:
        return [surrogate]
    classes = [choices.surrogate.find(name, "surrogate.name") for name in choices.surrogate.names()]
    unused = {cls: dict.fromkeys(marked(cls, PER_RUN), UNUSED) for cls in classes}
    return [cls(**variant, **unused[cls]) for cls in classes for variant in variants(cls)]
