"""The measurements of PPO on one task: packs beside Stable-Baselines3 and beside bare physics, start and memory."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.program import Program, tree_bytes
from tests.bench.turns import Comparison, Turn, alternate, rate

TASKS = {
    "halfcheetah": "HalfCheetah-v5",
    "hopper": "Hopper-v5",
    "inverted_double_pendulum": "InvertedDoublePendulum-v5",
    "inverted_pendulum": "InvertedPendulum-v5",
    "reacher": "Reacher-v5",
    "swimmer": "Swimmer-v5",
    "walker2d": "Walker2d-v5",
}
SIZES = (33, 3, 1)


@dataclass(frozen=True)
class Plan:
    """How often to measure. An iteration of a pack of 33 takes seconds; the others take several to last as long."""

    rounds: int = 2
    small: int = 3  # iterations of a pack of 3 and of one run, each time
    pairs: int = 1  # times that two processes are measured side by side; 0: there is no second process


QUICK = Plan(rounds=1, small=2, pairs=0)


@dataclass
class Figures(Comparison):
    """What was measured of one task; programs of ours are called by their size."""

    start: dict[str, float] = field(default_factory=dict)  # seconds from the start of a process
    checkpoint: dict[str, float] = field(default_factory=dict)  # seconds to save a pack once
    memory: float = 0.0  # bytes


def measure(task: str, plan: Plan, *, cores: list[int], out: Path) -> Figures:
    """All figures of one task; without a second core, no pairs. Everything starts before anything is measured."""
    figures, log = Figures(), out / "log.txt"
    with ExitStack() as stack:
        runs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="runs-", dir=out)))

        def ours(size: int, name: str) -> Program:
            return stack.enter_context(Program("ours", task, "ppo", str(size), str(runs / name), log=log))

        packs = {size: ours(size, f"pack-{size}") for size in SIZES}
        paired = cores if plan.pairs else cores[:1]
        peers = [stack.enter_context(Program("peers", "ppo", TASKS[task], log=log)) for _ in paired]
        ready = {program: program.answer() for program in [*packs.values(), *peers]}
        newest = packs[33]
        if plan.pairs:  # started alone, with a warm compile cache: as a user's second command is
            newest = ours(33, "second")
            ready[newest] = newest.answer()
        _start(newest, ready[newest], figures)
        turns = {str(size): Turn(program, 1 if size > 3 else plan.small) for size, program in packs.items()}
        alternate(turns, {"peer": Turn(peers[0], 1)}, plan.rounds, core=cores[0], into=figures)
        if len(paired) > 1:
            _pairs([packs[33], newest], peers, plan, cores=cores, figures=figures)
        for size, program in packs.items():
            figures.checkpoint[str(size)] = program.measure(0, cores[0])["checkpoint"]
    return figures


def _start(program: Program, ready: dict[str, Any], figures: Figures) -> None:
    """How long a pack of 33 takes to start, and the memory it takes, compiler and all."""
    for name in ("first_step", "first_update"):
        figures.start[name] = ready[name] - program.started
    figures.start["first_iteration"] = ready["seconds"][0]
    figures.start["first_steps"] = ready["steps"][0]
    figures.memory = max(ready["peak_bytes"], tree_bytes(program.process.pid))


def _pairs(ours: list[Program], peers: list[Program], plan: Plan, *, cores: list[int], figures: Figures) -> None:
    """Two processes at once, one core each; speeds add up."""
    for _ in range(plan.pairs):
        mine, theirs = _together(ours, 1, cores), _together(peers, 2, cores)
        figures.speeds["two 33"].append(mine)
        figures.speeds["two peers"].append(theirs)
        figures.ratios["two 33", "two peers"].append(mine / theirs)


def _together(programs: list[Program], iterations: int, cores: list[int]) -> float:
    for program, core in zip(programs, cores, strict=True):
        program.ask(iterations, core)
    return sum(rate(program.answer()) for program in programs)
