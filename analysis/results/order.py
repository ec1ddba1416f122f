"""Which pairs of settings differ significantly: intervals of every difference of two mean normalised scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.command import OUT, REFERENCE, Call, Command
from analysis.grouping import by_cell, by_label
from analysis.normalise import CHOSEN, Reference
from analysis.statistics import SAMPLES, SEED, Scores
from analysis.store import Runs
from analysis.writers import Table, number
from ppo.errors import UserError

DRAWN = {"seeds": False, "tasks": True}  # what is resampled: the seeds of each task; the tasks too, for all settings


def run(call: Call) -> None:
    """Print which settings differ significantly."""
    runs = call.runs()
    reference = call.reference(runs)
    call.output.table(to_table(compute(runs, reference), runs, reference), "order")


def compute(runs: Runs, reference: Reference) -> pd.DataFrame:
    """One row per ordered pair of settings: difference of their normalised means, and both 95 % intervals."""
    done = runs.done[runs.done.score.notna()]
    done = done.assign(normalised=reference.normalise(done, *CHOSEN)).dropna(subset="normalised")
    common = done.groupby("env").label.nunique()
    done = done[done.env.isin(common[common == done.label.nunique()].index)]  # a difference is one on the same tasks
    if done.label.nunique() < 2 or by_cell(done).size().max() < 2:
        why = "; ".join(reference.reasons(runs.done.env)) or "expected two settings with two seeds each"
        raise UserError(f"sweep {runs.sweep} has too few normalised scores to compare: {why}.")
    means = by_label(done).normalised.mean()
    samples = {name: _resampled(done, tasks=tasks) for name, tasks in DRAWN.items()}
    rows = []
    for ours in means.index:
        for theirs in means.index.drop(ours):
            row = {"label": ours, "other": theirs, "score": means[ours], "difference": means[ours] - means[theirs]}
            for name, drawn in samples.items():
                low, high = np.percentile(drawn[ours] - drawn[theirs], [2.5, 97.5])
                row |= {f"{name} low": low, f"{name} high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def _resampled(done: pd.DataFrame, *, tasks: bool) -> dict[str, Scores]:
    """Bootstrap samples of each setting's mean over tasks [samples]; settings share the tasks that are drawn."""
    rng = np.random.default_rng(SEED)
    envs = list(done.env.unique())
    chosen = rng.integers(len(envs), size=(SAMPLES, len(envs))) if tasks else np.arange(len(envs))[None]
    drawn: dict[str, Scores] = {}
    for label, part in by_label(done):
        by_task = [part[part.env == env].normalised.to_numpy(float) for env in envs]
        means = [scores[rng.integers(len(scores), size=(SAMPLES, len(scores)))].mean(1) for scores in by_task]
        drawn[str(label)] = np.take_along_axis(np.stack(means, 1), chosen, 1).mean(1)
    return drawn


def to_table(frame: pd.DataFrame, runs: Runs, reference: Reference) -> Table:
    """Settings from the best down, each with the numbers of those that it is significantly above."""
    scores = frame.drop_duplicates("label").set_index("label").score.sort_values(ascending=False)
    rank = {label: str(i + 1) for i, label in enumerate(scores.index)}
    rows = []
    for label, value in scores.items():
        part = frame[frame.label == label]
        above = [[rank[o] for o in part[part[f"{name} low"] > 0].other] for name in DRAWN]
        rows.append([f"{rank[label]}. {label}", number(value), *(_listed(numbers) for numbers in above)])
    header = ["setting", "score", "above, over seeds", "above, over tasks and seeds"]
    notes = [
        "Above: the 95 % bootstrap interval of the difference is above 0. Over seeds: if the same tasks were trained "
        "with other seeds. Over tasks and seeds: if other tasks of this kind were chosen as well.",
        *_many(len(frame) // 2),
        *reference.explain(runs.done.env),
        *runs.notes,
    ]
    return Table(f"Significant differences ({runs.sweep})", header, rows, notes, frame)


def _many(pairs: int) -> list[str]:
    """What a reader of many tests has to know."""
    many = f"Each of the {pairs} pairs is tested by itself: of so many, a few may differ by chance."
    return [many] if pairs > 1 else []


def _listed(numbers: list[str]) -> str:
    return ", ".join(sorted(numbers, key=int)) or "none"


COMMAND = Command("order", "which pairs of settings differ significantly", "table1", (REFERENCE, OUT), run)
