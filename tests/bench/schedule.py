"""The measurements of one task, in an order in which a drift of the machine cancels: ours, peer, ours, peer, ..."""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.program import Program, tree_bytes

TASKS = {
    "halfcheetah": "HalfCheetah-v5",
    "hopper": "Hopper-v5",
    "inverted_double_pendulum": "InvertedDoublePendulum-v5",
    "inverted_pendulum": "InvertedPendulum-v5",
    "reacher": "Reacher-v5",
    "swimmer": "Swimmer-v5",
    "walker2d": "Walker2d-v5",
}
HORIZON = 2048
SIZES = (33, 3, 1)


@dataclass(frozen=True)
class Plan:
    """How often to measure. An iteration of a pack of 33 takes seconds; the others take several to last as long."""

    rounds: int = 2
    small: int = 3  # iterations of a pack of 3 and of one run, each time
    pairs: int = 1  # times that two processes are measured side by side; 0: there is no second process


QUICK = Plan(rounds=1, small=2, pairs=0)


@dataclass
class Figures:
    """What was measured of one task; environment steps per second, each a list over repeats."""

    speeds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by who: "33", "peer", ...
    ratios: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # ours over its neighbours
    replies: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))  # by pack size
    start: dict[str, float] = field(default_factory=dict)  # seconds from the start of a process
    checkpoint: dict[int, float] = field(default_factory=dict)  # seconds to save a pack once
    memory: float = 0.0  # bytes


def measure(task: str, plan: Plan, *, cores: list[int], out: Path) -> Figures:
    """All figures of one task; without a second core, no pairs. Everything starts before anything is measured."""
    figures, log = Figures(), out / "log.txt"
    with ExitStack() as stack:
        runs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="runs-", dir=out)))

        def ours(size: int, name: str) -> Program:
            return stack.enter_context(Program("ours", task, str(size), str(runs / name), log=log))

        packs = {size: ours(size, f"pack-{size}") for size in SIZES}
        paired = cores if plan.pairs else cores[:1]
        peers = [stack.enter_context(Program("peers", TASKS[task], log=log)) for _ in paired]
        ready = {program: program.answer() for program in [*packs.values(), *peers]}
        newest = packs[33]
        if plan.pairs:  # started alone, with a warm compile cache: as a user's second command is
            newest = ours(33, "second")
            ready[newest] = newest.answer()
        _start(newest, ready[newest], figures)
        _alternate(packs, peers[0], plan, core=cores[0], figures=figures)
        if len(paired) > 1:
            _pairs([packs[33], newest], peers, plan, cores=cores, figures=figures)
        for size, program in packs.items():
            figures.checkpoint[size] = program.measure(0, cores[0])["checkpoint"]
    return figures


def _start(program: Program, ready: dict[str, Any], figures: Figures) -> None:
    """How long a pack of 33 takes to start, and the memory it takes, compiler and all."""
    for name in ("first_step", "first_update"):
        figures.start[name] = ready[name] - program.started
    figures.start["first_iteration"] = ready["seconds"][0]
    figures.memory = max(ready["peak_bytes"], tree_bytes(program.process.pid))


def _alternate(packs: dict[int, Program], peer: Program, plan: Plan, *, core: int, figures: Figures) -> None:
    """Packs on one core, the peer before and after each: a ratio compares with both."""
    before = _rate(peer.measure(1, core), 1)
    figures.speeds["peer"].append(before)
    for _ in range(plan.rounds):
        for size, program in packs.items():
            reply = program.measure(1 if size > 3 else plan.small, core, replay=True)
            ours, after = _rate(reply, size), _rate(peer.measure(1, core), 1)
            figures.replies[size].append(reply)
            figures.speeds[str(size)].append(ours)
            figures.speeds["peer"].append(after)
            figures.ratios[str(size)].append(ours / statistics.mean((before, after)))
            before = after


def _pairs(ours: list[Program], peers: list[Program], plan: Plan, *, cores: list[int], figures: Figures) -> None:
    """Two processes at once, one core each; speeds add up."""
    for _ in range(plan.pairs):
        mine, theirs = _together(ours, 33, 1, cores), _together(peers, 1, 2, cores)
        figures.speeds["two 33"].append(mine)
        figures.speeds["two peers"].append(theirs)
        figures.ratios["two 33"].append(mine / theirs)


def _together(programs: list[Program], size: int, iterations: int, cores: list[int]) -> float:
    for program, core in zip(programs, cores, strict=True):
        program.ask(iterations, core)
    return sum(_rate(program.answer(), size) for program in programs)


def _rate(reply: dict[str, Any], size: int) -> float:
    """Environment steps per second, of the median iteration."""
    return size * HORIZON / statistics.median(reply["seconds"])
