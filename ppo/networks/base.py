"""What the house asks of a network body: its schema, its module for one run, and perhaps a fast path for acting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ppo.data import Kind, Mapped, Space

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ppo.config.run import Config

Affine = Callable[[Any, Any, Any], Any]  # x, weight, bias -> x @ weight + bias, of NumPy arrays or of tensors


class Body(Protocol):
    """The schema of `conf/network/*.yaml`: a frozen dataclass, registered by `@choices.network(name)`.

    Heads for the policy and the value function are put on top of its features by `ppo.networks.flat`.
    """

    name: ClassVar[str]
    mapped: ClassVar[Mapped] = "vmap"  # "loop": `prepare` and `forward` are torch's, and it is never compiled
    takes: ClassVar[Kind | None] = None  # observations that it is for; None: `check` alone decides
    shared: bool  # one body for policy and value function

    def check(self, obs: Space, /) -> None:
        """UserError if it cannot take such observations."""

    def without_effect(self, run: Config, /) -> Mapping[str, str]:
        """Dotted keys that change nothing in this run, and why: choosing one of them explicitly is an error."""
        del run
        return {}

    def check_device(self, device: str, /) -> None:
        """UserError if it cannot be evaluated there, a warning where that is slow. Imports torch."""
        del device

    def features(self, obs: Space, /) -> int:
        """Numbers that it turns an observation into."""
        ...

    def weights(self, obs: Space, /) -> int:
        """Parameters of the module, as far as they are known without torch: what memory is estimated from."""
        del obs
        return 0

    def module(self, obs: Space, generator: torch.Generator, /) -> nn.Module:
        """Freshly drawn layers of one run: [..., *obs] -> [..., features]. Imports torch."""
        ...

    def prepare(self, weights: Mapping[str, Any], /) -> Any:
        """What `forward` needs of the module's parameters by name.

        NumPy arrays with leading dimensions of lanes; tensors of one run, if it is mapped by a loop.
        """
        ...

    def forward(self, prepared: Any, x: Any, affine: Affine, /) -> Any:
        """The module in NumPy, over whatever leading dimensions `affine` knows: acting runs it once per step.

        Of a body that is mapped by a loop: the module of one run in torch, with weights prepared once per update.
        """
        ...
