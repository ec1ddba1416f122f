"""Scores per task beside what others published: runs -> rows, and a Markdown writer."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from analysis.records import Record

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "mujoco.csv"
# Comparable with our score: returns of training episodes (the policy still exploring) around 1M steps. Deterministic
# evaluations and maxima over evaluations are another quantity, and higher.
TRAINING_METRICS = ("last 100 training episodes", "mean over last ~10% of steps", "average episodic return")
PAPER = "PPO paper Fig.3"
BASELINES = "openai/baselines"


ALGORITHMS = {  # first word of a setting -> what the reference calls it
    "a2c": "A2C",
    "a2c_trust_region": "A2C+TR",
    "cem": "CEM",
    "trpo": "TRPO",
    "trpo_2017": "TRPO",
    "vpg": "VPG",
}


class Published(NamedTuple):
    """One published score."""

    env: str  # without version, as the sources name it
    source: str
    metric: str
    score: float
    algorithm: str = "PPO"


class Row(NamedTuple):
    """One setting on one task."""

    env: str
    setting: str
    mean: float
    deviation: float | None  # sample standard deviation over seeds; None of a single run
    late: float  # mean return of the last 10 % of the steps, over seeds: steadier than the score's 100 episodes
    runs: int
    seconds: float  # wall time of the slowest run; runs of a pack share it
    paper: float | None
    baselines: float | None
    others: list[float]  # every comparable source


def score_rows(records: Iterable[Record], published: Sequence[Published]) -> list[Row]:
    """One row per task and setting, in alphabetical order."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.env, record.setting), []).append(record)
    return [_row(env, setting, group, published) for (env, setting), group in sorted(groups.items())]


def _row(env: str, setting: str, group: Sequence[Record], published: Sequence[Published]) -> Row:
    scores = [r.result["score"] for r in group if r.result["score"] is not None]
    algorithm = ALGORITHMS.get(setting.partition("-")[0], "PPO")
    known = [p for p in published if p.env == env.rpartition("-v")[0] and p.algorithm == algorithm]
    first = {name: next((p.score for p in known if p.source.startswith(name)), None) for name in (PAPER, BASELINES)}
    return Row(
        env=env,
        setting=setting,
        mean=_mean(scores),
        deviation=stdev(scores) if len(scores) > 1 else None,
        late=_mean([late for r in group if (late := late_return(r)) is not None]),
        runs=len(group),
        seconds=max(r.seconds for r in group),
        paper=first[PAPER],
        baselines=first[BASELINES],
        others=[p.score for p in known if p.metric in TRAINING_METRICS],
    )


def late_return(record: Record) -> float | None:
    """Mean return of the episodes that ended in the last 10 % of a run's steps, to the nearest point, if any."""
    points = [p for p in record.curve if p.step > 0.9 * record.result["steps"]]
    return sum(p.ret * p.episodes for p in points) / sum(p.episodes for p in points) if points else None


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def read_published_scores(path: Path = REFERENCE) -> list[Published]:
    """Published scores at 1M steps."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["steps"] == "1M"]
    return [Published(r["env"], r["source"], r["metric"], float(r["score"]), r["algo"]) for r in rows]


def to_markdown(rows: Iterable[Row]) -> str:
    """A table for the README."""
    titles = ["task", "setting", "runs", "seconds", "score, mean ± std", "last 10 % of steps"]
    titles += ["paper, Fig. 3", "baselines", "others"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        spread = "" if row.deviation is None else f" ± {_number(row.deviation)}"
        low, high = (_number(f(row.others, default=None)) for f in (min, max))
        others = f"{low} to {high} (n={len(row.others)})" if row.others else "-"
        cells = [row.env, row.setting, str(row.runs), f"{row.seconds:.0f}", f"{_number(row.mean)}{spread}"]
        cells += [_number(row.late), _number(row.paper), _number(row.baselines), others]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
