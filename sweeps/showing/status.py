"""How a sweep stands, from run folders and the scheduler, whoever launched it and wherever."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ppo.console import clock, count
from ppo.runs.states import Standing, State, standing
from sweeps.launching.scheduler import job_of, reasons, scheduler
from sweeps.planning.catalogue import Catalogue, Entry

ENDED = (State.DONE, State.FAILED, State.PRUNED)


class Status(NamedTuple):
    """A sweep's entries and how each stands."""

    name: str
    entries: list[Entry]
    standings: list[Standing]
    driver: dict[str, Any]

    @property
    def counts(self) -> Counter[State]:
        """Runs by state."""
        return Counter(s.state for s in self.standings)

    @property
    def ended(self) -> bool:
        """Whether nothing of the sweep goes on."""
        return not self.driver and not any(s in self.counts for s in (State.RUNNING, State.QUEUED))

    @property
    def all_done(self) -> bool:
        """Whether every run is done."""
        return self.counts[State.DONE] == len(self.entries)


def look(name: str, found: Catalogue, driver: dict[str, Any]) -> Status:
    """Read every run's folder, and ask the scheduler about runs that nobody has begun."""
    now = time.time()
    known = scheduler(Path(found.outputs))
    standings = [known.refine(e.hash, standing(Path(e.folder), now)) for e in found.entries]
    return Status(name, found.entries, standings, driver)


def render(status: Status) -> RenderableType:
    """The whole picture: a headline, one row per setting, who trains what, what failed."""
    counts = ", ".join(f"{number} {state}" for state, number in sorted(status.counts.items()))
    headline = Text(f"{status.name}: {len(status.entries)} runs: {counts}", style="bold")
    if status.driver:
        headline.append(f"  (run by process {status.driver.get('pid')} on {status.driver.get('host')})", style="")
    parts: list[RenderableType] = [headline, _settings(status)]
    if running := _running(status):
        parts.append(running)
    if lost := _lost(status):
        parts.append(lost)
    if failed := _failed(status):
        parts.append(failed)
    return Group(*parts)


def _settings(status: Status) -> Table:
    states = [state for state in State if state in status.counts]
    table = Table(box=None, pad_edge=False)
    table.add_column("setting")
    for name in ("steps", *states):
        table.add_column(str(name), justify="right")
    rows: dict[str, list[int]] = defaultdict(list)
    for i, entry in enumerate(status.entries):
        rows[entry.label].append(i)
    for label, indices in rows.items():
        have = Counter(status.standings[i].state for i in indices)
        goals = [status.entries[i].goal for i in indices]  # which whole episodes overstep
        steps = sum(min(status.standings[i].step, goal) for i, goal in zip(indices, goals, strict=True))
        table.add_row(Text(label), f"{steps / sum(goals):.0%}", *(str(have[state] or "") for state in states))
    return table


def _running(status: Status) -> Table | None:
    """One row per process that trains runs of this sweep."""
    packs: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, seen in enumerate(status.standings):
        if seen.state in (State.RUNNING, State.UNKNOWN):
            packs[seen.status.get("host"), seen.status.get("pid")].append(i)
    table = Table(box=None, pad_edge=False)
    for name in ("pack", "runs", "steps of each", "last heard", "where"):
        table.add_column(name, justify="left" if name in ("pack", "where") else "right")
    for (host, pid), indices in packs.items():
        entries, standings = [status.entries[i] for i in indices], [status.standings[i] for i in indices]
        heard = time.time() - max(float(s.status.get("heartbeat") or 0) for s in standings)
        steps = f"{count(min(s.step for s in standings))} of {count(entries[0].goal)}"
        table.add_row(entries[0].env, str(len(indices)), steps, f"{clock(heard)} ago", Text(f"{host}, process {pid}"))
    return table if packs else None


def _lost(status: Status) -> Text | None:
    """What SLURM says of the jobs whose runs were cut off, where it keeps accounts."""
    jobs = [job for seen in status.standings if seen.state == State.LOST and (job := job_of(seen.status))]
    told = reasons(jobs) if jobs else {}
    return Text("lost with " + ", ".join(f"job {job} ({told[job]})" for job in sorted(told))) if told else None


def _failed(status: Status) -> Table | None:
    pairs = zip(status.entries, status.standings, strict=True)
    failed = [(e, s) for e, s in pairs if s.state == State.FAILED]
    table = Table(title="Failed", title_justify="left", title_style="bold red", box=None, pad_edge=False)
    for name in ("run", "step", "cause", "folder"):
        table.add_column(name, overflow="fold")
    for entry, seen in failed[:20]:
        table.add_row(entry.hash, str(seen.step), Text(str(seen.status.get("error"))), Text(entry.folder))
    if len(failed) > 20:
        table.add_row("...", "", f"and {len(failed) - 20} more: python -m sweeps ls state=failed", "")
    return table if failed else None


def to_json(status: Status) -> dict[str, Any]:
    """For programs."""
    pairs = zip(status.entries, status.standings, strict=True)
    return {
        "sweep": status.name,
        "driver": status.driver or None,
        "counts": {str(state): number for state, number in sorted(status.counts.items())},
        "runs": [e._asdict() | _seen(s) for e, s in pairs],
    }


def _seen(seen: Standing) -> dict[str, Any]:
    told = {"state": str(seen.state), "step": seen.step, "score": seen.result.get("score")}
    return told | {"error": seen.status.get("error") if seen.state == State.FAILED else None}
