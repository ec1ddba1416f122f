"""Functions of one run for all lanes of a pack: vectorised by vmap and compiled, or called lane by lane.

A body says which (`Body.mapped`). Convolutions of several runs at once would be grouped ones, which are slower on a CPU
than one after the other and round differently (law 1). Called alone, a lane computes what it does in any pack; those
that are no longer in training cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from ppo.data import PackSpec
from ppo.learning.compiling import compiled
from ppo.networks.flat import FlatNetwork

AT_ONCE = 256  # samples evaluated in one piece where lanes are looped over: more would be no faster, and take memory


def is_looped(network: FlatNetwork) -> bool:
    """Whether lanes are called one by one."""
    return network.body.mapped == "loop"


def groups(pack: PackSpec) -> Iterator[slice]:
    """The lanes to be updated together: all of them, or each in training by itself."""
    if is_looped(pack.network):
        yield from (slice(lane, lane + 1) for lane in pack.lanes)
    else:
        yield slice(None)


def over_lanes(function: Callable[..., Tensor], network: FlatNetwork) -> Callable[..., Tensor]:
    """`function` of one run with a leading dimension of lanes for every argument and for its result; not compiled."""
    if not is_looped(network):
        return vmap(function)
    return lambda *arguments: torch.stack(
        [function(*(of(lane, argument) for argument in arguments)) for lane in range(len(arguments[0]))]
    )


def over_samples(function: Callable[[Tensor, Tensor], Tensor], pack: PackSpec) -> Callable[[Tensor, Tensor], Tensor]:
    """`function` of theta [n] and obs [B, *obs] for all lanes, theta [L, n] and obs [L, B, *obs]; without gradients."""
    if not is_looped(pack.network):
        return compiled(vmap(function), pack.compiled)

    def evaluate(theta: Tensor, obs: Tensor) -> Tensor:
        def of_one(lane: int) -> Tensor:
            return torch.cat([function(theta[lane], part) for part in obs[lane].split(AT_ONCE)])

        found = {lane: of_one(lane) for lane in pack.lanes}
        idle = torch.zeros_like(next(iter(found.values())))
        return torch.stack([found.get(lane, idle) for lane in range(len(theta))])

    return evaluate


def alone(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` of one run, which writes to its arguments, for a group of one lane: their leading dimension is 1."""
    return lambda *arguments: step(*(of(0, argument) for argument in arguments))


def of(lanes: slice | int, argument: Any) -> Any:
    """What belongs to some lanes or to one, of a tensor [L, ...] or of a NamedTuple of them; a view."""
    if lanes == slice(None):
        return argument
    return argument[lanes] if isinstance(argument, Tensor) else type(argument)(*(part[lanes] for part in argument))
