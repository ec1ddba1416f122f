"""The report: one self-contained HTML file with tables, figures and every run behind them."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from analysis import hover, hyperparameters, writers
from analysis.command import Argument, Call, Command
from analysis.drawing import house_style
from analysis.normalise import Reference
from analysis.results import figure3, robust, table1
from analysis.store import Runs
from ppo.errors import UserError
from ppo.runs.files import write_atomically
from ppo.runs.states import State

HOVER_POINTS = 25  # marks per curve
TEMPLATE = Path(__file__).resolve().parents[1] / "report.html.j2"
COLUMNS = ("label", "env", "seed", "run", "state", "folder", "episodes", "steps", "seconds")


def run(call: Call) -> None:
    """Write the report of a sweep."""
    runs = call.runs()
    path = call.options.file or call.outputs / f"report-{runs.sweep}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_html(runs, call.reference(runs)).encode())
    call.output.written([path])


def to_html(runs: Runs, reference: Reference) -> str:
    """The report as a page."""
    tables = [table1.to_table(table1.compute(runs, reference), runs, reference), table1.by_task(runs)]
    curves = profiles = None
    with suppress(UserError):  # the first table says what cannot be normalised
        tables.append(robust.to_table(robust.compute(runs, reference), runs, reference))
        profiles = hover.to_svg(robust.draw(robust.profiles(runs, reference)), {})
    with suppress(UserError):  # no run completed an episode: a note says so
        curves = _curves(runs)
    page = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    return page.render(
        sweep=runs.sweep,
        made=time.strftime("%Y-%m-%d %H:%M"),
        source=str(runs.source),
        notes=runs.notes,
        tables=[_cells(table) for table in tables],
        hyperparameters=[_cells(table) for table in hyperparameters.of_runs(runs)],
        curves=curves,
        profiles=profiles,
        runs=[_run(row, runs) for _, row in runs.frame.iterrows()],
        provenance=_provenance(runs),
    )


def _cells(table: writers.Table) -> dict[str, Any]:
    shown = {"title": table.title, "header": table.header, "rows": table.rows, "notes": table.notes}
    return shown | {"words": writers.worded(table)}


@house_style()
def _curves(runs: Runs) -> str:
    """Figure 3 with a number behind each mark."""
    frame = figure3.compute(runs)
    figure, size = figure3.draw(frame), figure3.unit(frame)[0]
    titles = {}
    for axis, env in zip(figure.axes, frame.env.unique(), strict=False):
        for i, label in enumerate(frame.label.unique()):
            part = frame[(frame.env == env) & (frame.label == label)]
            part = part.iloc[:: max(1, len(part) // HOVER_POINTS)]
            name = f"hover-{env}-{i}"
            axis.scatter(part.step / size, part["mean"], s=30, alpha=0, zorder=10, gid=name)  # above the lines
            titles[name] = [
                f"{env}, {label}, step {row.step:,}: {writers.score(row['mean'])} "
                f"({writers.score(row.low)} to {writers.score(row.high)}, {row.seeds} seeds)"
                for _, row in part.iterrows()
            ]
    return hover.to_svg(figure, titles)


def _run(row: pd.Series, runs: Runs) -> dict[str, Any]:
    """A run as a row of the report; its config as yaml."""
    config = runs.read(row.run).config if row.state == State.DONE else None
    shown = {key: None if pd.isna(row[key]) else row[key] for key in COLUMNS}
    return shown | {
        "score": writers.score(row.score),
        "config": "not finished" if config is None else yaml.safe_dump(config, sort_keys=False),
    }


def _provenance(runs: Runs) -> list[str]:
    """Code, versions and machines of the finished runs, each with its number of runs."""
    counts: dict[str, int] = {}
    for record in runs.records():
        result = record.result
        versions = ", ".join(f"{name} {number}" for name, number in (result.get("versions") or {}).items())
        parts = result.get("code") or {}
        code = parts if isinstance(parts, str) else ", ".join(f"{part} {digest}" for part, digest in parts.items())
        line = f"code {code or 'unknown'}; commit {result.get('commit')}; {result.get('processor')}; {versions}"
        counts[line] = counts.get(line, 0) + 1
    return [f"{count} runs: {line}" for line, count in counts.items()]


COMMAND = Command(
    "report",
    "one HTML file with tables, figures and every run",
    "table1",
    (Argument("--out", {"type": Path, "metavar": "FILE", "dest": "file", "help": "default: report-SWEEP.html"}),),
    run,
)
