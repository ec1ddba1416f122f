"""From figures to rows, of PPO's packs, and from rows to what is printed and written."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.schedule import Figures
from tests.bench.turns import Reply

Row = dict[str, Any]

SPEEDS = {
    "peer": "SB3",
    "1": "alone",
    "3": "pack of 3",
    "33": "pack of 33",
    "two peers": "2 x SB3",
    "two 33": "2 x 33",
}
RATIOS = {
    ("1", "peer"): "alone / SB3",
    ("3", "peer"): "3 / SB3",
    ("33", "peer"): "33 / SB3",
    ("two 33", "two peers"): "2x33 / 2xSB3",
}
BARE, MEMORY, START = "total / bare", "33: GiB", "33: first step s"


class Target(NamedTuple):
    """What is asked for of a figure."""

    bound: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}"

    def verdict(self, value: float) -> str:
        """Whether a figure is good enough."""
        return "yes" if (value >= self.bound if self.at_least else value <= self.bound) else "NO"


TARGETS = {
    RATIOS["1", "peer"]: Target(3, True),
    RATIOS["3", "peer"]: Target(7, True),
    RATIOS["33", "peer"]: Target(10, True),
    BARE: Target(1.8, False),
    MEMORY: Target(1.5, False),
    START: Target(10, False),
}


def speed_row(task: str, figures: Figures) -> Row:
    """Environment steps per second and ratios of one task: medians over the repeats."""
    row: Row = {"task": task}
    row |= {name: median(figures.speeds.get(key)) for key, name in SPEEDS.items()}
    row |= {name: median(figures.ratios.get(key)) for key, name in RATIOS.items()}
    start = figures.start
    return row | {
        BARE: statistics.median(total_over_bare(reply) for reply in figures.replies["33"]),
        MEMORY: figures.memory / 2**30,
        START: start["first_step"],
        "33: first update s": start["first_update"],
        "33: compiling s": max(0.0, start["first_iteration"] - start["first_steps"] / row[SPEEDS["33"]]),
    }


def breakdown_rows(task: str, figures: Figures) -> list[Row]:
    """Where each microsecond of an environment step goes, per pack size."""
    return [
        {"task": task, "pack": size, **breakdown(replies), "save s": figures.checkpoint[size]}
        for size, replies in sorted(figures.replies.items(), key=lambda item: int(item[0]))
    ]


def breakdown(replies: Sequence[Reply]) -> Row:
    """Microseconds per environment step: parts, which add up to `total`, and bare physics beside it."""
    steps = sum(sum(reply["steps"]) for reply in replies)
    row: Row = {part: sum(reply["parts"][part] for reply in replies) / steps * 1e6 for part in replies[0]["parts"]}
    row["total"] = sum(sum(reply["seconds"]) for reply in replies) / steps * 1e6
    played = sum(reply["bare"]["steps"] for reply in replies)
    row["bare"] = sum(reply["bare"]["seconds"] for reply in replies) / played * 1e6
    row["bare_resets"] = sum(reply["bare"]["resets"] for reply in replies) / played * 1e6
    row["total/bare"] = statistics.median(total_over_bare(reply) for reply in replies)
    return row


def total_over_bare(reply: Reply) -> float:
    """Time of an environment step over that of its `mj_step` alone, played again right after."""
    bare = reply["bare"]
    return (sum(reply["seconds"]) / sum(reply["steps"])) / (bare["seconds"] / bare["steps"])


def median(values: Sequence[float] | None) -> float:
    """Of the repeats; NaN if there are none."""
    return statistics.median(values) if values else math.nan


def overall_row(rows: Sequence[Row]) -> Row:
    """Geometric means over the tasks; of memory and start, the worst."""
    overall: Row = {"task": "all"}
    for name in list(rows[0])[1:]:
        pool = max if name.startswith("33: ") else statistics.geometric_mean
        overall[name] = pooled([row[name] for row in rows], pool)
    return overall


def pooled(values: Sequence[float], pool: Callable[[Sequence[float]], float] = statistics.geometric_mean) -> float:
    """One figure of all tasks; NaN if any is missing."""
    return math.nan if any(math.isnan(v) for v in values) else pool(values)


def verdict_rows(overall: Row) -> list[Row]:
    """The targets, and whether they are reached."""
    bounds = {name: str(target) for name, target in TARGETS.items()}
    verdicts = {name: target.verdict(overall[name]) for name, target in TARGETS.items()}
    return [{"task": "target", **bounds}, {"task": "reached", **verdicts}]


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


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
