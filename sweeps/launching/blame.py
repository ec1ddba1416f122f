"""What to do with a pack whose process died: find the run that kills it, in few starts, and let the others finish.

A worker marks the run that it is working for (`ppo.runs.marker`). A crash is that run's fault, and so is an exit from
within its environment's code; a kill may also come from the machine (memory) or a person: the first one is taken for
an accident.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ppo.runs.marker import DIGITS
from sweeps.planning.runs import Run

MOST_ALONE = 3  # processes that may die under a run that is alone in them, marked or not


class Verdict(NamedTuple):
    """What to do after a death."""

    failed: list[Run]
    packs: list[list[Run]]  # to be started


class Blame:
    """Counts deaths by run, over one launch of a sweep."""

    def __init__(self) -> None:
        self.deaths: Counter[str] = Counter()  # by run: processes that died with it on board
        self.alone: Counter[str] = Counter()  # by run: those in which there was no other
        self.strikes: Counter[str] = Counter()  # by run: those that died while working for it

    def judge(self, runs: Sequence[Run], marked: str | None, number: int) -> Verdict:
        """For the unfinished `runs` of a process that died while working for the run `marked`.

        `number`: of the signal that it died of; 0 if it exited.
        """
        self.deaths.update(run.hash for run in runs)
        suspect = [run for run in runs if run.hash[:DIGITS] == marked]
        mates = [run for run in runs if run.hash[:DIGITS] != marked]
        self.strikes.update(run.hash for run in suspect)
        if len(runs) == 1:
            name = runs[0].hash
            self.alone[name] += 1
            guilty = self.strikes[name] >= 2 or self.alone[name] >= MOST_ALONE
            return Verdict(list(runs), []) if guilty else Verdict([], _packs(runs))
        if suspect and (number != signal.SIGKILL or self.strikes[suspect[0].hash] >= 2):
            return Verdict([], _packs(suspect, mates))
        if max(self.deaths[run.hash] for run in runs) < 2:
            return Verdict([], _packs(runs))
        half = len(runs) // 2
        return Verdict([], _packs(runs[:half], runs[half:]))


def _packs(*groups: Sequence[Run]) -> list[list[Run]]:
    return [list(group) for group in groups if group]


def words(status: int) -> str:
    """How a process ended, from its return code: of SIGSEGV, with status 3."""
    if status >= 0:
        return f"with status {status}"
    try:
        return f"of {signal.Signals(-status).name}"
    except ValueError:
        return f"of signal {-status}"
