"""The surrogates of a pack: several kinds side by side, each run's chosen under vmap, coefficients [lane]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ppo.config import choices
from ppo.config.schema import CLIP_RANGE, PER_RUN, marked
from ppo.data import Floats
from ppo.learning.surrogates.base import Surrogate, Terms, places_of, static

LOG_RATIO_LIMIT = 80.0  # e^80 is finite in float32; without a clip the ratio may otherwise overflow


def ratio_terms(logp: Tensor, logp_old: Tensor, kl: Tensor, adv: Tensor) -> Terms:
    """The terms of a sample; the ratio is kept finite."""
    log_ratio = (logp - logp_old).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return Terms(log_ratio, torch.exp(log_ratio), kl, adv)


class Objectives:
    """The kinds of surrogate in a pack's graph, which of them each lane maximises, and every lane's coefficients.

    All are computed, so that runs of different kinds share one graph; each is a few operations on a scalar per sample.
    Kinds share the columns of coefficients that have the same name: a run has one kind, and uses its own.
    """

    def __init__(self, surrogates: Sequence[Surrogate]) -> None:
        self.kinds = _kinds(surrogates[0])
        known = [(type(kind), static(kind)) for kind in self.kinds]
        self._kind_of = torch.tensor([known.index((type(s), static(s))) for s in surrogates])  # by lane
        self._names = [marked(type(kind), PER_RUN) for kind in self.kinds]  # of each kind's coefficients
        ranges = {name for kind in self.kinds for name in marked(type(kind), CLIP_RANGE)}
        unused = {name: np.inf if name in ranges else 0.0 for names in self._names for name in names}
        # Clipping ranges in double precision, since they may be annealed.
        self.coefficients = {
            name: torch.tensor([float(getattr(s, name, fill)) for s in surrogates], dtype=_dtype(name in ranges))
            for name, fill in sorted(unused.items())
        }
        self._range = min(ranges, default=None)
        self._columns = {name: 1 + i for i, name in enumerate(self.coefficients)}  # of `rows`

    # -- of a pack -----------------------------------------------------------------------------------------------

    @property
    def clip_range(self) -> Floats:
        """Each lane's clipping range before any schedule [L]; infinite where nothing is clipped."""
        if self._range is None:
            return np.full(len(self._kind_of), np.inf)
        return np.asarray(self.coefficients[self._range].numpy(), np.float64)

    def rows(self, scale: Floats) -> Tensor:
        """Every lane's kind and coefficients at this moment [L, columns]; clipping ranges times scale [L]."""
        columns = [self._kind_of.float()]
        for values in self.coefficients.values():
            annealed = values.dtype == torch.float64
            columns.append((values * torch.from_numpy(scale)).float() if annealed else values)
        return torch.stack(columns, -1)

    def after(self, kl: Tensor) -> None:
        """Adapt every run's surrogate to its mean KL[old, new] [L]."""
        for number, kind in enumerate(self.kinds):
            own = {name: self.coefficients[name] for name in self._names[number]}
            adapted = _with(kind, own).after(kl)
            for name, old in own.items():
                self.coefficients[name] = torch.where(self._kind_of == number, getattr(adapted, name), old)

    def of(self, lane: int, key: str) -> float | None:
        """A coefficient of one lane's surrogate; None if it has none of this name."""
        return float(self.coefficients[key][lane]) if key in self._names[int(self._kind_of[lane])] else None

    def get_state(self, lane: int) -> dict[str, float]:
        """One lane's coefficients, which `after` may have changed."""
        return {name: float(self.coefficients[name][lane]) for name in self._names[int(self._kind_of[lane])]}

    def set_state(self, lane: int, state: dict[str, float]) -> None:
        """Put one lane's coefficients back."""
        for name, value in state.items():
            self.coefficients[name][lane] = value

    # -- of one run, by its row of `rows` ------------------------------------------------------------------------

    def clip_range_of(self, row: Tensor) -> Tensor:
        """Its clipping range []; infinite where nothing is clipped."""
        return torch.full_like(row[0], torch.inf) if self._range is None else row[self._columns[self._range]]

    def uses_kl(self, row: Tensor) -> Tensor:
        """Whether its objective has a KL term [], bool."""
        with_kl = [number for number, kind in enumerate(self.kinds) if kind.uses_kl]
        return sum((row[0] == number for number in with_kl), torch.zeros_like(row[0])) > 0

    def choose(self, row: Tensor, terms: Terms) -> Tensor:
        """Its objective, per sample [...]."""
        scalars = {name: row[column] for name, column in self._columns.items()}
        chosen = torch.zeros_like(terms.adv)
        for number, (kind, names) in enumerate(zip(self.kinds, self._names, strict=True)):
            objective = _with(kind, {name: scalars[name] for name in names}).objective(terms)
            chosen = torch.where(row[0] == number, objective, chosen)
        return chosen


def _kinds(surrogate: Surrogate) -> list[Surrogate]:
    """The kinds in the graph of a run with this surrogate, in a fixed order (`Surrogate.family`)."""
    if surrogate.family() is not None:
        return [surrogate]
    classes = [choices.surrogate.find(name, "surrogate.name") for name in choices.surrogate.names()]
    unset = {cls: dict.fromkeys(marked(cls, PER_RUN), 1.0) for cls in classes}
    placed = {place: cls(**own, **unset[cls]) for cls in classes for place, own in places_of(cls).items()}
    return [placed[place] for place in sorted(placed)]


def _with(kind: Surrogate, coefficients: dict[str, Tensor]) -> Surrogate:
    """A kind with tensors for its coefficients."""
    values: dict[str, Any] = dict(coefficients)
    return replace(kind, **values)  # type: ignore[type-var]


def _dtype(double: bool) -> torch.dtype:
    return torch.float64 if double else torch.float32
