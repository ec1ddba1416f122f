"""A plan, for a person."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ppo.runs.states import State
from ppo.runs.words import counted
from sweeps.planning.plan import Plan, disk_free, disk_needed
from sweeps.showing.watch import pack_title

MOST_ROWS = 40  # of a table


def print_plan(console: Console, plan: Plan, outputs: Path) -> None:
    """Counts, settings, packs, time and disk."""
    labels = Counter(run.label for run in plan.runs)
    console.print(f"{plan.name}: {counted(len(plan.runs), 'run')} of {counted(len(labels), 'setting')}", style="bold")
    for state in State:
        if count := plan.counts[state]:
            console.print(f"  {count:5} {state}")
    if plan.other_code:
        where = "ppo-sweeps ls state=done --columns run,code,commit,folder"
        console.print(f"  {len(plan.other_code):5} of these were trained by other code than today's: {where}")
    if plan.begun_by_other_code:
        console.print(f"  {len(plan.begun_by_other_code):5} of these were begun by other code than today's")
    console.print(_settings(labels))
    if not plan.packs:
        console.print("nothing to train")
        return
    console.print(_packs(plan))
    total = sum(p.seconds for p in plan.packs)
    console.print(
        f"{counted(len(plan.packs), 'pack')}, {plan.workers} at a time: {hours(plan.seconds)} "
        f"({hours(total)} of one core), estimated from {plan.speeds.source}"
    )
    console.print(f"disk: about {disk_needed(plan) / 1e6:,.0f} MB of {disk_free(outputs) / 1e9:,.0f} GB free")


def _settings(labels: Counter[str]) -> Table:
    """How many runs each setting has."""
    table = Table(box=None, pad_edge=False)
    table.add_column("setting")
    table.add_column("runs", justify="right")
    for label, count in list(labels.items())[:MOST_ROWS]:
        table.add_row(Text(label), str(count))
    if len(labels) > MOST_ROWS:
        table.add_row(f"... and {len(labels) - MOST_ROWS} more", "")
    return table


def _packs(plan: Plan) -> Table:
    """The packs to be trained, longest first."""
    table = Table(box=None, pad_edge=False)
    for name in ("pack", "runs", "minutes"):
        table.add_column(name, justify="left" if name == "pack" else "right")
    for pack in plan.packs[:MOST_ROWS]:
        table.add_row(Text(pack_title(pack.runs)), str(len(pack.runs)), f"{pack.seconds / 60:.1f}")
    if len(plan.packs) > MOST_ROWS:
        table.add_row(f"... and {len(plan.packs) - MOST_ROWS} more", "", "")
    return table


def hours(seconds: float) -> str:
    """A duration for a plan."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"
