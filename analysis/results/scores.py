"""Scores per task beside published ones of the same algorithm."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import pandas as pd

from analysis.command import OUT, Call, Command
from analysis.grouping import by_cell
from analysis.records import Record
from analysis.store import Runs
from analysis.writers import Table, score

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "mujoco.csv"
NAMES = REFERENCE.with_name("algorithms.csv")  # name there, our algorithm, and the key that must be set; special last
# Comparable with our score: returns of training episodes (the policy still exploring) around 1M steps. Deterministic
# evaluations and maxima over evaluations are another quantity, and higher.
TRAINING_METRICS = ("last 100 training episodes", "mean over last ~10% of steps", "average episodic return")
PAPER = "PPO paper Fig.3"
BASELINES = "openai/baselines"
TITLES = ["task", "setting", "runs", "seconds", "score, mean ± std", "last 10 % of steps", "paper, Fig. 3"]
TITLES += ["baselines", "others"]


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
    deviation: float | None  # sample standard deviation over seeds; None for a single run
    late: float  # mean return of the last 10 % of the steps, over seeds: steadier than the score's 100 episodes
    runs: int
    seconds: float  # wall time of the slowest run; runs of a pack share it
    paper: float | None
    baselines: float | None
    others: list[float]  # every comparable source


def run(call: Call) -> None:
    """Print scores beside published ones."""
    runs = call.runs()
    call.output.table(to_table(score_rows(runs, read_published_scores()), runs), "scores")


def score_rows(runs: Runs, published: Sequence[Published]) -> list[Row]:
    """One row per task and setting, in alphabetical order."""
    records = dict(zip(runs.done.run, runs.records(), strict=True))
    cells = sorted((env, label, part.run) for (label, env), part in by_cell(runs.done))
    return [_row(env, label, [records[run] for run in part], published) for env, label, part in cells]


def _row(env: str, label: str, group: Sequence[Record], published: Sequence[Published]) -> Row:
    scores = [r.result["score"] for r in group if r.result["score"] is not None]
    algorithm = name_in_reference(group[0].config.get("algorithm") or {})
    known = [p for p in published if p.env == env.rpartition("-v")[0] and p.algorithm == algorithm]
    first = {name: next((p.score for p in known if p.source.startswith(name)), None) for name in (PAPER, BASELINES)}
    return Row(
        env=env,
        setting=label,
        mean=_mean(scores),
        deviation=stdev(scores) if len(scores) > 1 else None,
        late=_mean([late for r in group if (late := late_return(r)) is not None]),
        runs=len(group),
        seconds=max(r.seconds for r in group),
        paper=first[PAPER],
        baselines=first[BASELINES],
        others=[p.score for p in known if p.metric in TRAINING_METRICS],
    )


def name_in_reference(algorithm: Mapping[str, object]) -> str:
    """What published scores call the algorithm of a config: the most special of the names that fit it."""
    with NAMES.open(newline="", encoding="utf-8") as file:
        fitting = [row["name"] for row in csv.DictReader(file) if row["algorithm"] == algorithm.get("name")
                   and (not row["key"] or algorithm.get(row["key"]) is not None)]  # fmt: skip
    return fitting[-1] if fitting else str(algorithm.get("name")).upper()


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


def to_table(rows: Iterable[Row], runs: Runs) -> Table:
    """A row per task and setting."""
    rows = list(rows)
    cells = []
    for row in rows:
        spread = "" if row.deviation is None else f" ± {score(row.deviation)}"
        others = f"{score(min(row.others))} to {score(max(row.others))} (n={len(row.others)})" if row.others else "-"
        ours = [str(row.runs), f"{row.seconds:.0f}", f"{score(row.mean)}{spread}", score(row.late)]
        cells.append([row.env, row.setting, *ours, score(row.paper), score(row.baselines), others])
    data = pd.DataFrame(rows, columns=list(Row._fields))
    return Table(f"Scores beside published ones ({runs.sweep})", TITLES, cells, list(runs.notes), data)


COMMAND = Command("scores", "scores per task beside published ones", "figure3", (OUT,), run)
