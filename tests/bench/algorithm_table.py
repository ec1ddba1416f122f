"""From what was measured of the algorithms to rows: one per algorithm and task, then one per algorithm."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.algorithms import DEFAULT, SAME, SIZE
from tests.bench.table import BARE, Row, Target, breakdown, median, pooled, total_over_bare
from tests.bench.turns import Comparison

PACK = f"pack of {SIZE}"
SPEEDS = {SAME: f"SB3, {SAME}", DEFAULT: f"SB3, {DEFAULT}"}
RATIOS = {SAME: f"{SIZE} / SB3, {SAME}", DEFAULT: f"{SIZE} / SB3, {DEFAULT}"}
FASTER, LEAN = Target(5, at_least=True), Target(2.5, at_least=False)
TARGETS = {
    ("trpo", RATIOS[SAME]): FASTER,
    ("a2c", RATIOS[SAME]): FASTER,
    **{(algorithm, BARE): LEAN for algorithm in ("trpo", "vpg", "a2c", "a2c_trust_region", "cem")},
}


def speed_row(task: str, algorithm: str, comparison: Comparison) -> Row:
    """Environment steps per second and ratios: medians over the repeats."""
    row: Row = {"algorithm": algorithm, "task": task, PACK: median(comparison.speeds[algorithm])}
    row |= {name: median(comparison.speeds.get(peer)) for peer, name in SPEEDS.items()}
    row |= {name: median(comparison.ratios.get((algorithm, peer))) for peer, name in RATIOS.items()}
    return row | {BARE: median([total_over_bare(reply) for reply in comparison.replies[algorithm]])}


def breakdown_row(task: str, algorithm: str, comparison: Comparison) -> Row:
    """Where each microsecond of an environment step goes."""
    return {"algorithm": algorithm, "task": task, **breakdown(comparison.replies[algorithm])}


def overall_rows(rows: Sequence[Row]) -> list[Row]:
    """Geometric means over the tasks, by algorithm."""
    overall: list[Row] = []
    for algorithm in dict.fromkeys(row["algorithm"] for row in rows):
        own = [row for row in rows if row["algorithm"] == algorithm]
        means = {name: pooled([row[name] for row in own]) for name in list(rows[0])[2:]}
        overall.append({"algorithm": algorithm, "task": "all", **means})
    return overall


def verdict_rows(overall: Sequence[Row]) -> list[Row]:
    """The targets of the algorithms measured, and whether they are reached."""
    figures = {(row["algorithm"], name): row[name] for row in overall for name in row}
    return [
        {
            "algorithm": algorithm,
            "figure": name,
            "target": str(target),
            "is": figures[algorithm, name],
            "reached": target.verdict(figures[algorithm, name]),
        }
        for (algorithm, name), target in TARGETS.items()
        if (algorithm, name) in figures
    ]
