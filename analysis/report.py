"""The report: one self-contained HTML file with tables, figures and every run behind them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from analysis import hover, writers
from analysis.normalise import Reference
from analysis.records import read_json
from analysis.results import figures, hyperparameters, robust, table1
from analysis.store import Runs

HOVER_POINTS = 25  # marks per curve
TEMPLATE = Path(__file__).parent / "report.html.j2"


def write(runs: Runs, reference: Reference, path: Path) -> None:
    """Write the report of a sweep."""
    tables = [
        table1.to_table(table1.compute(runs, reference), runs),
        table1.by_task(runs),
        robust.to_table(robust.compute(runs, reference), runs),
    ]
    page = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    content = page.render(
        sweep=runs.sweep,
        made=time.strftime("%Y-%m-%d %H:%M"),
        store=str(runs.store),
        notes=runs.notes,
        tables=[_html(table) for table in tables],
        hyperparameters=[_html(hyperparameters.to_table(name)) for name in hyperparameters.TABLES],
        curves=_curves(runs),
        profiles=hover.to_svg(figures.draw_profiles(robust.profiles(runs, reference)), {}),
        runs=[_run(row) for _, row in runs.frame.iterrows()],
        provenance=_provenance(runs),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _html(table: writers.Table) -> dict[str, Any]:
    return {"title": table.title, "header": table.header, "rows": table.rows, "notes": table.notes}


def _curves(runs: Runs) -> str:
    """Figure 3 with a number behind each mark."""
    frame = figures.figure3(runs)
    figure = figures.draw_figure3(frame)
    titles = {}
    for axis, env in zip(figure.axes, frame.env.unique(), strict=False):
        for i, label in enumerate(frame.label.unique()):
            part = frame[(frame.env == env) & (frame.label == label)]
            part = part.iloc[:: max(1, len(part) // HOVER_POINTS)]
            name = f"hover-{env}-{i}"
            axis.scatter(part.step / 1e6, part["mean"], s=30, alpha=0, zorder=10, gid=name)  # above the lines
            titles[name] = [
                f"{env}, {label}, step {row.step:,}: {writers.score(row['mean'])} "
                f"({writers.score(row.low)} to {writers.score(row.high)}, {row.seeds} seeds)"
                for _, row in part.iterrows()
            ]
    return hover.to_svg(figure, titles)


def _run(row: pd.Series) -> dict[str, Any]:
    """A run as a row of the report; its config as yaml."""
    held = read_json(row.path) if row.path.suffix == ".json" else None
    if held is not None:
        config = yaml.safe_dump(held["config"], sort_keys=False)
    else:
        file = row.path / "config.yaml"
        config = file.read_text(encoding="utf-8") if file.exists() else "not begun"
    shown = {key: row[key] for key in ("label", "env", "seed", "run", "state")}
    shown |= {key: None if pd.isna(row[key]) else row[key] for key in ("episodes", "steps", "seconds", "code")}
    return shown | {"score": writers.score(row.score), "path": str(row.path), "config": config}


def _provenance(runs: Runs) -> list[str]:
    """Code, versions and machines of the finished runs, each said once."""
    told: dict[str, int] = {}
    for path in runs.frame[runs.frame.state == "done"].path:
        held = read_json(path) or {} if path.suffix == ".json" else {"result": read_json(path / "result.json") or {}}
        result = held.get("result", {})
        versions = ", ".join(f"{name} {number}" for name, number in result.get("versions", {}).items())
        code, commit = result.get("code", "unknown"), result.get("commit")
        line = f"code {code}, commit {commit}, {result.get('processor')}; {versions}"
        told[line] = told.get(line, 0) + 1
    return [f"{count} runs: {line}" for line, count in told.items()]
