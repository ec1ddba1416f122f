"""The state of a sweep, from run folders and the scheduler, whoever launched it and wherever."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ppo.config.identity import short
from ppo.console import clock, count
from ppo.runs.folder import HEARTBEAT_SECONDS
from ppo.runs.row import RunRow
from ppo.runs.states import Standing, State, standing
from ppo.runs.words import counted
from sweeps.launching.scheduler import ask_scheduler, job_of, reasons
from sweeps.planning.catalogue import Catalogue
from sweeps.planning.plan import facts
from sweeps.showing.watch import title_of

MOST_ROWS = 20  # of the table of failures


class Status(NamedTuple):
    """A sweep's runs and their standings."""

    name: str
    outputs: Path
    rows: list[RunRow]
    standings: list[Standing]
    driver: dict[str, Any]

    @property
    def counts(self) -> Counter[State]:
        """Runs by state."""
        return Counter(s.state for s in self.standings)

    @property
    def ended(self) -> bool:
        """Whether nothing of the sweep is running or queued."""
        return not self.driver and not any(s in self.counts for s in (State.RUNNING, State.QUEUED))

    @property
    def all_done(self) -> bool:
        """Whether every run is done."""
        return self.counts[State.DONE] == len(self.rows)


def read_status(found: Catalogue) -> Status:
    """Read every run's folder, and ask the scheduler about runs that nobody has begun."""
    now = time.time()
    scheduler = ask_scheduler(found.outputs)
    standings = [scheduler.refine(row.run, standing(found.outputs / row.folder, now)) for row in found.rows]
    return Status(found.name, found.outputs, found.rows, standings, found.home.driver())


def render(status: Status) -> RenderableType:
    """A headline, one row per setting, who trains what, and what failed."""
    counts = ", ".join(f"{number} {state}" for state, number in sorted(status.counts.items()))
    headline = Text(f"{status.name}: {counted(len(status.rows), 'run')}: {counts}", style="bold")
    if status.driver:
        headline.append(f"  (run by process {status.driver.get('pid')} on {status.driver.get('host')})", style="")
    parts = [headline, _settings(status), _running(status), _lost(status)]
    parts += [_ended_badly(status, state) for state in (State.FAILED, State.DAMAGED)]
    return Group(*(part for part in parts if part))


def _settings(status: Status) -> Table:
    states = [state for state in State if state in status.counts]
    table = Table(box=None, pad_edge=False)
    table.add_column("setting")
    for name in ("steps", *states):
        table.add_column(str(name), justify="right")
    settings: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(status.rows):
        settings[row.label].append(i)
    for label, indices in settings.items():
        by_state = Counter(status.standings[i].state for i in indices)
        goals = [status.rows[i].goal for i in indices]  # exceeded by runs that collect whole episodes
        steps = sum(min(status.standings[i].step, goal) for i, goal in zip(indices, goals, strict=True))
        table.add_row(Text(label), f"{steps / sum(goals):.0%}", *(str(by_state[state] or "") for state in states))
    return table


def _running(status: Status) -> Table | None:
    """One row per process that trains runs of this sweep."""
    packs: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, found in enumerate(status.standings):
        if found.state in (State.RUNNING, State.UNKNOWN):
            packs[found.status.get("host"), found.status.get("pid")].append(i)
    table = Table(box=None, pad_edge=False)
    for name in ("pack", "runs", "steps of each", "last heartbeat", "process"):
        table.add_column(name, justify="left" if name in ("pack", "process") else "right")
    for (host, pid), indices in packs.items():
        rows, standings = [status.rows[i] for i in indices], [status.standings[i] for i in indices]
        silent = time.time() - max(float(s.status.get("heartbeat") or 0) for s in standings)
        steps = f"{count(min(s.step for s in standings))} of {count(rows[0].goal)}"
        title = Text(title_of(rows))
        table.add_row(title, str(len(indices)), steps, _ago(silent), Text(f"{pid} on {host}"))
    return table if packs else None


def _ago(seconds: float) -> str:
    """How long ago something was; ahead where the clock of another machine is, by more than the time between beats."""
    return f"{clock(max(0.0, seconds))} ago" if seconds > -HEARTBEAT_SECONDS else f"{clock(-seconds)} ahead"


def _lost(status: Status) -> Text | None:
    """How SLURM says that the jobs of lost runs ended, where it keeps accounts."""
    jobs = [job for found in status.standings if found.state == State.LOST and (job := job_of(found.status))]
    ends = reasons(jobs) if jobs else {}
    return Text("lost with " + ", ".join(f"job {job} ({ends[job]})" for job in sorted(ends))) if ends else None


def _ended_badly(status: Status, state: State) -> Table | None:
    """The runs that have failed, or are damaged, with the reason."""
    pairs = zip(status.rows, status.standings, strict=True)
    failed = [(row, found) for row, found in pairs if found.state == state]
    table = Table(title=state.capitalize(), title_justify="left", title_style="bold red", box=None, pad_edge=False)
    for name in ("run", "setting", "step", "cause", "folder"):
        table.add_column(name, overflow="fold")
    for row, found in failed[:MOST_ROWS]:
        cause, folder = Text(str(found.error)), Text(str(status.outputs / row.folder))
        table.add_row(short(row.run), Text(row.label), str(found.step), cause, folder)
    if len(failed) > MOST_ROWS:
        table.add_row("...", "", "", f"and {len(failed) - MOST_ROWS} more: ppo-sweeps ls state={state}", "")
    return table if failed else None


def to_json(status: Status) -> dict[str, Any]:
    """For programs."""
    pairs = zip(status.rows, status.standings, strict=True)
    return {
        "sweep": status.name,
        "outputs": str(status.outputs),
        "driver": status.driver or None,
        "counts": {str(state): number for state, number in sorted(status.counts.items())},
        "runs": [row.to_json() | facts(found) for row, found in pairs],
    }
