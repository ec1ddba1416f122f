"""End scores of a sweep's settings, task by task, beside the ends of Figure 3's curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.store import Runs
from analysis.writers import Table, score, spread

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "figure3.csv"
IN_THE_PAPER = {  # label of a setting -> the curve of Figure 3 that it stands beside, where the names differ
    "Clipping, epsilon = 0.2": "PPO (Clip)",
    "TRPO of 2017": "TRPO",
}


def paper_scores() -> pd.Series:
    """End of each digitised curve, by algorithm and task (without version)."""
    return pd.read_csv(REFERENCE).set_index(["algorithm", "env"]).score


def paper_end(paper: pd.Series, label: str, env: str) -> float:
    """The end of the curve that a setting stands beside; NaN where nobody has read it off."""
    return float(paper.get((IN_THE_PAPER.get(label, label), env.rpartition("-v")[0]), np.nan))


def compute(runs: Runs) -> pd.DataFrame:
    """One row per setting and task: mean and sample deviation of the score over seeds, runs behind it, the paper's."""
    paper, rows = paper_scores(), []
    for (label, env), group in runs.frame.groupby(["label", "env"], sort=False):
        done = group[(group.state == "done") & group.score.notna()].score.astype(float)
        row = {"label": label, "env": env, "done": len(done), "declared": len(group)}
        rows.append(row | {"mean": done.mean(), "std": done.std(), "paper": paper_end(paper, str(label), str(env))})
    return pd.DataFrame(rows)


def to_table(frame: pd.DataFrame, runs: Runs) -> Table:
    """A row per setting, a column per task; below each of ours the paper's, where it has one."""
    envs, rows = list(frame.env.unique()), []
    for label, part in frame.groupby("label", sort=False):
        cells = part.set_index("env")
        rows.append([str(label), *(_ours(cells, env) for env in envs)])
        if cells.paper.notna().any():
            name = IN_THE_PAPER.get(str(label), str(label))
            rows.append([f"    paper: {name}", *(_theirs(cells, env) for env in envs)])
    notes = ["Score: mean raw return of the last 100 training episodes; mean ± sample deviation over seeds."]
    if frame.paper.notna().any():
        notes.append(
            "Paper: ends of Figure 3's curves, read off the page; no one has read those of CEM and vanilla PG."
        )
    return Table(f"Scores at the end ({runs.sweep})", ["setting", *envs], rows, [*notes, *runs.notes], frame)


def _ours(cells: pd.DataFrame, env: str) -> str:
    if env not in cells.index:
        return "-"
    cell = cells.loc[env]
    return spread(cell["mean"], cell["std"], cell.done, cell.declared)


def _theirs(cells: pd.DataFrame, env: str) -> str:
    return score(cells.paper.get(env)) if env in cells.index else "-"
