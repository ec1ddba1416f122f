"""How a sweep ended: a small table of scores, failures grouped by cause, and what is missing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ppo.runs.states import Standing, State
from sweeps.planning.runs import Run

Standings = Mapping[str, Standing]


def print_report(console: Console, runs: Sequence[Run], standings: Standings, blocked: Mapping[str, str]) -> None:
    """The table of scores, then everything that needs attention."""
    console.print("Mean score of the last 100 training episodes", style="bold")
    console.print(score_table(runs, standings))
    for line in failure_lines(runs, standings):
        console.print(line, markup=False)
    for reason in dict.fromkeys(blocked.values()):
        console.print(f"not trained here: {list(blocked.values()).count(reason)} runs: {reason}", markup=False)


def score_table(runs: Sequence[Run], standings: Standings) -> Table:
    """Mean score per setting and task; each cell reports its missing runs."""
    envs = list(dict.fromkeys(run.row.env for run in runs))
    cells: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        cells[run.label, run.row.env].append(run)
    table = Table(box=None, pad_edge=False)
    table.add_column("setting")
    for env in envs:
        table.add_column(env, justify="right")
    for label in dict.fromkeys(run.label for run in runs):
        table.add_row(Text(label), *(cell(cells.get((label, env), []), standings) for env in envs))
    return table


def cell(runs: Sequence[Run], standings: Standings) -> str:
    """The mean score of some runs; `-` without any score, followed by `(1/3)` if some are missing."""
    done = [standings[run.hash].result for run in runs if standings[run.hash].state == State.DONE]
    scores = [result["score"] for result in done if result.get("score") is not None]
    shown = f"{fmean(scores):.1f}" if scores else "-"
    return shown if len(scores) == len(runs) else f"{shown} ({len(scores)}/{len(runs)})"


def failure_lines(runs: Sequence[Run], standings: Standings) -> list[str]:
    """Failures grouped by cause, whatever numbers it contains: how many, why, and one of their folders."""
    causes: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found = standings[run.hash]
        if found.state in (State.FAILED, State.DAMAGED):
            causes[f"{found.state}: " + re.sub(r"\d+", "#", str(found.error))].append(run)
    lines = []
    for failed in sorted(causes.values(), key=len, reverse=True):
        example = " for example" if len(failed) > 1 else ""
        found = standings[failed[0].hash]
        lines.append(f"{len(failed)} {found.state}: {found.error}")
        lines.append(f"   {example} {failed[0].folder}")
    return lines
