"""How far packs in training are, from the files of their runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ppo.identity import setting_name
from ppo.progress import count
from sweeps.runs import Run
from sweeps.states import State, standing


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
        self.goal = sum(r.config.goal for r in runs)
        self.first: int | None = None  # steps when first seen in training
        self.since: tuple[float, int] | None = None  # heartbeat and steps when the clock started

    def look(self) -> PackLine:
        """Read the runs' folders."""
        standings = [standing(run.folder) for run in self.runs]
        ended = (State.DONE, State.FAILED)  # a failed run will take no more
        goals = [r.config.goal for r in self.runs]
        steps = sum(g if s.state in ended else s.step for s, g in zip(standings, goals, strict=True))
        running = [float(s.status.get("heartbeat") or 0) for s in standings if s.state == State.RUNNING]
        beat = max(running, default=0.0)
        if self.first is None and running:
            self.first = steps
        if self.since is None and self.first is not None and steps > self.first:
            self.since = (beat, steps)
        speed = None
        if self.since and beat > self.since[0] and steps > self.since[1]:
            speed = (steps - self.since[1]) / (beat - self.since[0])
        done, failed = (sum(s.state == state for s in standings) for state in (State.DONE, State.FAILED))
        left = self._left(self.goal - steps, speed, beat)
        shown = f"{count(steps // len(self.runs))} of {count(self.goal // len(self.runs))}"
        share = steps / self.goal
        return PackLine(self.title, len(self.runs), done, failed, shown, speed, left, share)

    def _left(self, steps: int, speed: float | None, beat: float) -> float:
        """Seconds to the end of so many steps; since the heartbeat it has gone on."""
        if steps == 0:
            return 0.0
        return self.planned if speed is None else max(0.0, steps / speed - max(0.0, time.time() - beat))


def pack_title(runs: Sequence[Run]) -> str:
    """A pack in a few words: its task, and its setting or how many."""
    names = sorted({setting_name(r.config) for r in runs})
    return f"{runs[0].config.env.id}  {names[0] if len(names) == 1 else f'{len(names)} settings'}"
