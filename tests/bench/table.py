"""From figures to rows, and from rows to what is printed and written."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.schedule import HORIZON, Figures

Row = dict[str, Any]

SPEEDS = {
    "peer": "SB3",
    "1": "alone",
    "3": "pack of 3",
    "33": "pack of 33",
    "two peers": "2 x SB3",
    "two 33": "2 x 33",
}
RATIOS = {"1": "alone / SB3", "3": "3 / SB3", "33": "33 / SB3", "two 33": "2x33 / 2xSB3"}
BARE, MEMORY, START = "total / bare", "33: GiB", "33: first step s"


class Target(NamedTuple):
    """What the issue asks for of a column, and how its tasks become one figure."""

    bound: float
    at_least: bool
    overall: Callable[[Sequence[float]], float]

    def reached(self, value: float) -> bool:
        """Whether a figure is good enough."""
        return value >= self.bound if self.at_least else value <= self.bound


TARGETS = {
    RATIOS["1"]: Target(3, True, statistics.geometric_mean),
    RATIOS["3"]: Target(7, True, statistics.geometric_mean),
    RATIOS["33"]: Target(10, True, statistics.geometric_mean),
    BARE: Target(1.8, False, statistics.geometric_mean),
    MEMORY: Target(1.5, False, max),
    START: Target(10, False, max),
}


def speed_row(task: str, figures: Figures) -> Row:
    """Environment steps per second and ratios of one task: medians over the repeats."""
    row: Row = {"task": task}
    row |= {name: _median(figures.speeds.get(key)) for key, name in SPEEDS.items()}
    row |= {name: _median(figures.ratios.get(key)) for key, name in RATIOS.items()}
    return row | {
        BARE: statistics.median(_total_over_bare(reply) for reply in figures.replies[33]),
        MEMORY: figures.memory / 2**30,
        START: figures.start["first_step"],
        "33: first update s": figures.start["first_update"],
        "33: compiling s": max(0.0, figures.start["first_iteration"] - 33 * HORIZON / row[SPEEDS["33"]]),
    }


def breakdown_rows(task: str, figures: Figures) -> list[Row]:
    """Where each microsecond of an environment step goes, per pack size; parts add up to `total`."""
    rows = []
    for size, replies in sorted(figures.replies.items()):
        steps = size * HORIZON
        iterations = sum(len(reply["seconds"]) for reply in replies)
        row: Row = {"task": task, "pack": size}
        for part in replies[0]["parts"]:
            row[part] = sum(reply["parts"][part] for reply in replies) / iterations / steps * 1e6
        row["total"] = sum(sum(reply["seconds"]) for reply in replies) / iterations / steps * 1e6
        row["bare"] = statistics.mean(reply["bare"] for reply in replies) / steps * 1e6
        row["bare_resets"] = statistics.mean(reply["bare_resets"] for reply in replies) / steps * 1e6
        row["total/bare"] = statistics.median(_total_over_bare(reply) for reply in replies)
        row["save s"] = figures.checkpoint[size]
        rows.append(row)
    return rows


def _total_over_bare(reply: Row) -> float:
    """Time of an iteration over that of its `mj_step` alone, played again right after."""
    return statistics.mean(reply["seconds"]) / reply["bare"]


def overall_row(rows: Sequence[Row]) -> Row:
    """Geometric means over the tasks; of memory and start, the worst."""
    overall: Row = {"task": "all"}
    for name in list(rows[0])[1:]:
        values = [row[name] for row in rows]
        pool = TARGETS[name].overall if name in TARGETS else statistics.geometric_mean
        if name.startswith("33: "):
            pool = max
        overall[name] = math.nan if any(math.isnan(v) for v in values) else pool(values)
    return overall


def verdict_rows(overall: Row) -> list[Row]:
    """The targets, and whether they are reached."""
    bounds, reached = {"task": "target"}, {"task": "reached"}
    for name, target in TARGETS.items():
        bounds[name] = f"{'>=' if target.at_least else '<='} {target.bound:g}"
        reached[name] = "yes" if target.reached(overall[name]) else "NO"
    return [bounds, reached]


def text(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """A plain table."""
    lines = [list(columns), *([_shown(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )


def write(path: Path, rows: Sequence[Row]) -> None:
    """A csv file, with four digits of each figure."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([f"{v:.4g}" if isinstance(v, float) else v for v in row.values()] for row in rows)


def _median(values: Sequence[float] | None) -> float:
    return statistics.median(values) if values else math.nan


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
