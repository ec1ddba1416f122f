"""The measurements of the baselines of Figure 3 on one task: a pack of 21 beside its peers and beside bare physics."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.bench.program import Program
from tests.bench.schedule import TASKS, Plan
from tests.bench.turns import Comparison, Turn, alternate

SIZE = 21  # seeds of one setting, in one process
SAME, DEFAULT = "same settings", "default settings"


class Entry(NamedTuple):
    """What to measure of an algorithm. Iterations are as many as take a second or so, on a middling task."""

    iterations: int  # of ours; 1 where each has another length, as bare physics is that of the first
    peers: dict[str, tuple[str, int]]  # column -> name in peers.py, iterations


ENTRIES = {
    "trpo": Entry(3, {SAME: ("trpo", 1)}),
    "vpg": Entry(1, {}),
    "a2c": Entry(2, {SAME: ("a2c", 4), DEFAULT: ("a2c-default", 1)}),
    "a2c_trust_region": Entry(2, {}),
    "cem": Entry(1, {}),
}


def measure(task: str, algorithm: str, plan: Plan, *, core: int, out: Path) -> Comparison:
    """All figures of one algorithm on one task; one repeat is enough where there is no peer."""
    comparison, entry, log = Comparison(), ENTRIES[algorithm], out / "log.txt"
    with ExitStack() as stack:
        runs = stack.enter_context(tempfile.TemporaryDirectory(prefix="runs-", dir=out))
        pack = stack.enter_context(Program("ours", task, algorithm, str(SIZE), runs, log=log))
        peers = {
            column: Turn(stack.enter_context(Program("peers", name, TASKS[task], log=log)), iterations)
            for column, (name, iterations) in entry.peers.items()
        }
        for program in (pack, *(turn.program for turn in peers.values())):
            program.answer()
        turns = {algorithm: Turn(pack, entry.iterations)}
        alternate(turns, peers, plan.rounds if peers else 1, core=core, into=comparison)
    return comparison
