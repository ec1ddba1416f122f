"""Programs measured in turn: ours, peers, ours, peers, ... so that a drift of the machine cancels."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.bench.program import Program

Reply = dict[str, Any]


class Turn(NamedTuple):
    """What to ask of a program each time."""

    program: Program
    iterations: int

    def measure(self, core: int, *, replay: bool = False) -> Reply:
        """Ask and wait."""
        return self.program.measure(self.iterations, core, replay=replay)


@dataclass
class Comparison:
    """What was measured; each a list over repeats."""

    speeds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by program: steps per second
    ratios: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))  # (ours, peer)
    replies: dict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))  # by program of ours


def alternate(
    packs: Mapping[str, Turn], peers: Mapping[str, Turn], rounds: int, *, core: int, into: Comparison
) -> None:
    """Packs on one core, the peers before and after each: a ratio compares with both."""
    before = _measured(peers, core, into)
    for _ in range(rounds):
        for name, turn in packs.items():
            reply = turn.measure(core, replay=True)
            ours, after = rate(reply), _measured(peers, core, into)
            into.replies[name].append(reply)
            into.speeds[name].append(ours)
            for peer in peers:
                into.ratios[name, peer].append(ours / statistics.mean((before[peer], after[peer])))
            before = after


def _measured(peers: Mapping[str, Turn], core: int, into: Comparison) -> dict[str, float]:
    rates = {name: rate(turn.measure(core)) for name, turn in peers.items()}
    for name, value in rates.items():
        into.speeds[name].append(value)
    return rates


def rate(reply: Reply) -> float:
    """Environment steps per second, of the median iteration."""
    return statistics.median(n / s for n, s in zip(reply["steps"], reply["seconds"], strict=True))
