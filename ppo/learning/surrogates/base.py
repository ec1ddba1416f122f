"""What the house asks of a surrogate: its coefficients, and its objective of one sample's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from ppo.config.schema import PER_RUN, marked

if TYPE_CHECKING:
    from torch import Tensor

    from ppo.config.run import Config


HOME = __name__.rpartition(".")[0]  # where the paper's own are


class Terms(NamedTuple):
    """What an objective may use, per sample [...]."""

    log_ratio: Tensor  # log pi(a|s) - log pi_old(a|s)
    ratio: Tensor
    kl: Tensor  # KL[pi_old(.|s), pi(.|s)]
    adv: Tensor


class Surrogate(Protocol):
    """The schema of `conf/surrogate/*.yaml`: a frozen dataclass, registered by `@choices.surrogate(name)`.

    Its coefficients are floats in a config. Those marked PER_RUN are tensors [] where `objective` is called, once per
    run under vmap, and tensors [L] in `after`: only methods of tensors may be used on them.
    """

    name: ClassVar[str]
    uses_kl: ClassVar[bool] = False  # whether the objective has a KL term
    places: ClassVar[Mapping[int, Mapping[str, Any]]] = MappingProxyType({})  # of the paper's own only: see `family`

    def check(self) -> None:
        """UserError where coefficients do not go together."""

    def without_effect(self, run: Config, /) -> Mapping[str, str]:
        """Dotted keys that change nothing in this run, and why: choosing one of them explicitly is an error."""
        del run
        return {}

    def family(self) -> dict[str, Any] | None:
        """What runs must have in common to share a pack: None for the paper's own surrogates, which share one.

        Which objectives a compiled update computes, and in which order, decides how it rounds, so that must not depend
        on a run's pack-mates (law 1). The graph of the paper's surrogates always holds all of them, each at its
        `places` (a number -> values of the fields that are not PER_RUN); that of any other surrogate holds its own
        objective alone. So nothing that is added changes the bits of published runs.
        """
        own = static(self)
        return None if own in places_of(type(self)).values() else {"name": self.name, **own}

    def objective(self, terms: Terms, /) -> Tensor:
        """The objective per sample [...]."""
        ...

    def after(self, kl: Tensor, /) -> Self:
        """Itself for the next iteration, by mean KL[old, new] [L] of this one."""
        del kl
        return self


def places_of(cls: type[Surrogate]) -> Mapping[int, Mapping[str, Any]]:
    """The places of one of the paper's own surrogates; any other has none, whatever it inherits."""
    return cls.places if cls.__module__.startswith(f"{HOME}.") else {}


def static(surrogate: Surrogate) -> dict[str, Any]:
    """The fields of a surrogate that are not PER_RUN."""
    per_run = marked(type(surrogate), PER_RUN)
    return {f.name: getattr(surrogate, f.name) for f in fields(surrogate) if f.name not in per_run}  # type: ignore[arg-type]
