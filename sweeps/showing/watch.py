"""The progress of packs in training, from the files of their runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ppo.console import count
from ppo.runs.row import RunRow
from ppo.runs.states import ENDED, Standing, State, standing
from sweeps.planning.runs import Run

JUMP_SECONDS = 60.0  # between two heartbeats, by which a clock that was set differs from one that runs on


class PackLine(NamedTuple):
    """One pack in training, as shown."""

    title: str
    size: int  # runs
    done: int
    failed: int
    steps: str  # of each
    speed: float | None  # environment steps per second, all runs together; None until it is known
    left: float  # seconds; as planned until the speed is known
    share: float  # of its steps that are done


class Watch:
    """Follows one pack by the heartbeats of its runs; the clock starts after the first steps, for which it compiles."""

    def __init__(self, runs: Sequence[Run], planned: float) -> None:
        self.runs, self.title, self.planned = runs, pack_title(runs), planned
        self.goal = sum(r.row.goal for r in runs)
        self.first: dict[int, int] | None = None  # steps of the runs in training at the first look, by their number
        self.since: tuple[float, dict[int, int]] | None = None  # heartbeat and steps when the clock started
        self.beat = 0.0  # the last heartbeat
        self.seen = 0.0  # by our monotonic clock, when it was
        self.speed: float | None = None  # as last measured

    def look(self) -> PackLine:
        """Read the runs' folders."""
        standings = [standing(run.folder) for run in self.runs]
        self._measure(standings)
        goals = [r.row.goal for r in self.runs]
        # A failed run takes no more steps.
        steps = sum(g if s.state in ENDED else s.step for s, g in zip(standings, goals, strict=True))
        done = sum(s.state == State.DONE for s in standings)
        failed = sum(s.state in ENDED for s in standings) - done
        left, size = self._left(self.goal - steps), len(self.runs)
        shown = f"{count(steps // size)} of {count(self.goal // size)}"
        return PackLine(self.title, size, done, failed, shown, self.speed, left, steps / self.goal)

    def _measure(self, standings: Sequence[Standing]) -> None:
        """The speed of the runs that are in training, since their first steps."""
        training = {i: s for i, s in enumerate(standings) if s.state == State.RUNNING}
        if not training:
            return
        steps = {i: s.step for i, s in training.items()}
        self._hear(max(float(s.status.get("heartbeat") or 0) for s in training.values()))
        if self.since:
            start, before = self.since
            taken = sum(step - before[i] for i, step in steps.items() if i in before)
            if taken > 0 and self.beat > start:
                self.speed = taken / (self.beat - start)
        elif self.first and any(step > self.first.get(i, step) for i, step in steps.items()):
            self.since = (self.beat, steps)
        self.first = self.first or steps

    def _hear(self, beat: float) -> None:
        """Take in the last heartbeat; what was measured by a clock that has been set since is forgotten."""
        if beat == self.beat:
            return
        age = time.time() - beat
        seen = time.monotonic() - (age if 0 < age < JUMP_SECONDS else 0.0)
        if abs((beat - self.beat) - (seen - self.seen)) > JUMP_SECONDS:
            self.since = None
        self.beat, self.seen = beat, seen

    def _left(self, steps: int) -> float:
        """Seconds until `steps` more are taken, those since the last heartbeat estimated."""
        if steps == 0:
            return 0.0
        if self.speed is None:
            return self.planned
        return max(0.0, steps / self.speed - max(0.0, time.monotonic() - self.seen))


def title_of(rows: Sequence[RunRow]) -> str:
    """Some runs of one task in a few words: the task, and their setting or how many."""
    labels = dict.fromkeys(row.label for row in rows)
    return f"{rows[0].env}  {next(iter(labels)) if len(labels) == 1 else f'{len(labels)} settings'}"


def pack_title(runs: Sequence[Run]) -> str:
    """A pack in a few words: its task, and its setting or how many."""
    return title_of([run.row for run in runs])
