"""Table 1: normalised scores of the surrogate objectives, averaged over tasks and seeds (section 6.1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import UserError
from analysis.normalise import BESTS, CHOSEN, RANDOMS, Reference
from analysis.statistics import Strata, bootstrap_mean
from analysis.store import Runs
from analysis.writers import Table, number, spread

PUBLISHED = Path(__file__).resolve().parents[1] / "reference" / "table1.csv"
SAME_LENGTH = 1.1  # algorithms that collect whole episodes end at slightly different steps
_INTERVAL = (
    "Interval: stratified bootstrap over the seeds of each task. It says how the mean would vary with other seeds, not "
    "with other tasks; {seeds} seeds resolve only large differences, and of so few it is somewhat too narrow."
)


def compute(runs: Runs, reference: Reference) -> pd.DataFrame:
    """One row per setting: normalised score with its 95 % interval, runs behind it, the paper's number.

    Columns `random/best` hold the score under each of the four readings of the normalisation.
    """
    check_configs(runs)
    done = runs.frame[(runs.frame.state == "done") & runs.frame.score.notna()]
    paper = pd.read_csv(PUBLISHED).set_index("label").score
    rows = [_row(label, done, runs.frame, reference) for label in runs.frame.label.unique()]
    frame = pd.DataFrame(rows)
    frame["paper"] = frame.label.map(paper)
    frame["difference"] = frame.score - frame.paper
    return frame


def _row(label: str, done: pd.DataFrame, declared: pd.DataFrame, reference: Reference) -> dict[str, object]:
    ours = done[done.label == label]
    row: dict[str, object] = {"label": label, "done": len(ours), "declared": int((declared.label == label).sum())}
    if len(ours):
        interval = bootstrap_mean(strata(ours, reference.normalise(ours, *CHOSEN)))
        row |= {"score": interval.value, "low": interval.low, "high": interval.high}
    else:
        row |= dict.fromkeys(("score", "low", "high"), np.nan)
    for random in RANDOMS:
        for best in BESTS:
            row[f"{random}/{best}"] = reference.normalise(ours, random, best).mean(skipna=False)  # of all tasks or none
    return row


def strata(frame: pd.DataFrame, values: pd.Series) -> Strata:
    """Values of runs by task."""
    return [group.to_numpy(float) for _, group in values.groupby(frame.env)]


def check_configs(runs: Runs) -> None:
    """UserError where runs that share a row and a task differ in their setting or their number of steps."""
    for (label, env), group in runs.frame[runs.frame.state == "done"].groupby(["label", "env"], sort=False):
        for key, unit in (("setting", ""), ("steps", " steps")):
            values = sorted(group[key].dropna().unique())
            if len(values) > 1 and (key == "setting" or values[-1] > SAME_LENGTH * values[0]):
                given = f"{values[0]} and {values[-1]}{unit}"
                raise UserError(f"{label!r} on {env} mixes runs of {given}: one config is needed.")


def to_table(frame: pd.DataFrame, runs: Runs) -> Table:
    """Table 1 beside the paper's."""
    seeds = runs.frame.groupby(["label", "env"]).seed.nunique().max()
    tasks = runs.frame.env.nunique()
    others = [f"{r}/{b}" for r in RANDOMS for b in BESTS if (r, b) != CHOSEN]
    header = ["setting", "score", "95 % interval", "runs", "paper", "difference", *others]
    rows = []
    for _, entry in frame.iterrows():
        cells = [entry.label, number(entry.score), _interval(entry.low, entry.high, entry.done)]
        cells += [f"{entry.done}/{entry.declared}", number(entry.paper), _signed(entry.difference)]
        rows.append([*cells, *(number(entry[name]) for name in others)])
    random, best = CHOSEN
    told = [
        f"Mean over {tasks} tasks x {seeds} seeds of the score (mean raw return of the last 100 training episodes), "
        f"0 being the {random} policy and 1 the best {best}; last columns: 0 and 1 read as they are called.",
        *([] if frame.low.isna().all() else [_INTERVAL.format(seeds=seeds)]),
        *_length(runs),
        *runs.notes,
    ]
    return Table(f"Table 1 ({runs.sweep})", header, rows, told, frame)


def _length(runs: Runs) -> list[str]:
    """That the runs were not as long as the paper's, if they were not."""
    longest = runs.frame.steps.max()
    return [f"The longest of these runs took {longest:,.0f} steps, the paper's 1,000,000."] if longest < 900_000 else []


def by_task(runs: Runs) -> Table:
    """Raw scores per setting and task: mean, and the runs behind it where some are missing."""
    frame, envs = runs.frame, list(runs.frame.env.unique())
    data = frame[frame.state == "done"].groupby(["label", "env"], sort=False).score.agg(["mean", "std", "count"])
    declared = frame.groupby(["label", "env"], sort=False).size()
    rows = []
    for label in frame.label.unique():
        rows.append([label, *(_cell(data, declared, label, env) for env in envs)])
    return Table(f"Scores by task ({runs.sweep})", ["setting", *envs], rows, list(runs.notes), data.reset_index())


def _cell(data: pd.DataFrame, declared: pd.Series, label: str, env: str) -> str:
    if (label, env) not in declared.index:
        return "-"
    mean, std, count = data.loc[(label, env)] if (label, env) in data.index else (np.nan, np.nan, 0)
    return spread(mean, std, int(count), int(declared[label, env]))


def _interval(low: float, high: float, done: int) -> str:
    if pd.isna(low):
        return "n=1, none" if done else "-"
    return f"{low:.2f} to {high:.2f}"


def _signed(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:+.2f}"
