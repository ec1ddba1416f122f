"""Table 1: normalised scores of the surrogate objectives, averaged over tasks and seeds (section 6.1)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.command import OUT, REFERENCE, Argument, Call, Command
from analysis.grouping import by_cell, by_label
from analysis.normalise import BESTS, CHOSEN, Reference
from analysis.randoms import POLICIES
from analysis.statistics import Strata, bootstrap_mean
from analysis.store import Runs
from analysis.writers import Table, number, spread
from ppo.runs.words import counted

PUBLISHED = Path(__file__).resolve().parents[1] / "reference" / "table1.csv"
FULL_LENGTH, PAPER_STEPS = 900_000, 1_000_000
INTERVAL = (
    "Interval: stratified bootstrap over the seeds of each task: how the mean would vary with other seeds, not with "
    "other tasks. {seeds} resolve only large differences, and with so few the interval is somewhat too narrow."
)


def run(call: Call) -> None:
    """Print Table 1, and raw scores by task if they were asked for or not all can be normalised."""
    runs = call.runs()
    reference = call.reference(runs)
    if call.options.freeze:
        reference.save(call.options.freeze)
    call.output.table(to_table(compute(runs, reference), runs, reference), "table1")
    if call.options.by_task or not all(map(reference.covers, runs.done.env)):
        call.output.table(by_task(runs), "table1_by_task")


def compute(runs: Runs, reference: Reference) -> pd.DataFrame:
    """One row per setting: normalised score with its 95 % interval, runs behind it, the paper's number.

    Columns `random/best` hold the score under each of the four readings of the normalisation. A setting with a task
    that cannot be normalised has no score.
    """
    done = runs.frame[(runs.frame.state == "done") & runs.frame.score.notna()]
    paper = pd.read_csv(PUBLISHED).set_index("label").score
    rows = [_row(str(label), part, done, reference) for label, part in by_label(runs.frame)]
    frame = pd.DataFrame(rows)
    frame["paper"] = frame.label.map(paper)
    frame["difference"] = frame.score - frame.paper
    return frame


def _row(label: str, declared: pd.DataFrame, done: pd.DataFrame, reference: Reference) -> dict[str, object]:
    ours = done[done.label == label]
    row: dict[str, object] = {"label": label, "done": len(ours), "declared": len(declared)}
    normalised = reference.normalise(ours, *CHOSEN)
    if len(ours) and normalised.notna().all():
        interval = bootstrap_mean(strata(ours, normalised))
        row |= {"score": interval.value, "low": interval.low, "high": interval.high}
    else:
        row |= dict.fromkeys(("score", "low", "high"), np.nan)
    for random in POLICIES:
        for best in BESTS:
            row[f"{random}/{best}"] = reference.normalise(ours, random, best).mean(skipna=False)  # of all tasks
    return row


def strata(frame: pd.DataFrame, values: pd.Series) -> Strata:
    """Values of runs by task."""
    return [group.to_numpy(float) for _, group in values.groupby(frame.env)]


def to_table(frame: pd.DataFrame, runs: Runs, reference: Reference) -> Table:
    """Table 1 beside the paper's."""
    others = [f"{r}/{b}" for r in POLICIES for b in BESTS if (r, b) != CHOSEN]
    header = ["setting", "score", "95 % interval", "runs", "paper", "difference", *others]
    rows = []
    for _, entry in frame.iterrows():
        cells = [entry.label, number(entry.score), _interval(entry.score, entry.low, entry.high)]
        cells += [f"{entry.done}/{entry.declared}", number(entry.paper), _signed(entry.difference)]
        rows.append([*cells, *(number(entry[name]) for name in others)])
    return Table(f"Table 1 ({runs.sweep})", header, rows, _notes(frame, runs, reference), frame)


def _notes(frame: pd.DataFrame, runs: Runs, reference: Reference) -> list[str]:
    seeds, (random, best) = by_cell(runs.frame).seed.nunique().max(), CHOSEN
    over = f"{counted(runs.frame.env.nunique(), 'task')} x {counted(seeds, 'seed')}"
    notes = [
        f"Mean over {over} of the score (mean raw return of the last 100 training episodes), normalised: 0 is the "
        f"{random} policy and 1 the best {best}; the last columns use the other readings of 0 and 1."
    ]
    if frame.low.notna().any():
        notes.append(INTERVAL.format(seeds=counted(seeds, "seed")))
    notes += [*_untrained(runs), *_blank(runs.done.env, frame, reference)]
    longest = runs.frame.steps.max()
    if longest < FULL_LENGTH and frame.paper.notna().any():
        notes.append(f"The longest of these runs took {longest:,.0f} steps, the paper's {PAPER_STEPS:,}.")
    return [*notes, *reference.explain(runs.done.env), *runs.notes]


def _untrained(runs: Runs) -> list[str]:
    """Which settings have no finished run on some of their tasks, so that their score is the mean of fewer tasks."""
    notes = []
    for label, group in by_label(runs.frame):
        tasks, trained = set(group.env), set(group[group.state == "done"].env)
        if trained and (missing := sorted(tasks - trained)):
            have = f"{len(trained)} of {len(tasks)} tasks"
            notes.append(f"{label}: the score is the mean of {have}, since no run is done on {', '.join(missing)}.")
    return notes


def _blank(envs: pd.Series, frame: pd.DataFrame, reference: Reference) -> list[str]:
    """Why a reading has no score of settings that have one in the chosen reading."""
    scored = frame[frame.score.notna()]
    reasons: dict[str, list[str]] = {}
    for random in POLICIES:
        for best in BESTS:
            if scored[f"{random}/{best}"].isna().any():
                tasks = ", ".join(env for env in envs.unique() if not reference.spans(env, random, best))
                reasons.setdefault(tasks, []).append(f"{random}/{best}")
    return [
        f"{', '.join(names)}: no score, since no result is above such a random policy, or there is none: {tasks}."
        for tasks, names in reasons.items()
    ]


def by_task(runs: Runs) -> Table:
    """Raw scores per setting and task: mean, and the runs behind it where some are missing."""
    frame, envs = runs.frame, list(runs.frame.env.unique())
    data = by_cell(frame[frame.state == "done"]).score.agg(["mean", "std", "count"])
    declared = by_cell(frame).size()
    rows = []
    for label in frame.label.unique():
        rows.append([label, *(_cell(data, declared, label, env) for env in envs)])
    return Table(f"Scores by task ({runs.sweep})", ["setting", *envs], rows, list(runs.notes), data.reset_index())


def _cell(data: pd.DataFrame, declared: pd.Series, label: str, env: str) -> str:
    if (label, env) not in declared.index:
        return "-"
    mean, std, count = data.loc[(label, env)] if (label, env) in data.index else (np.nan, np.nan, 0)
    return spread(mean, std, int(count), int(declared[label, env]))


def _interval(score: float, low: float, high: float) -> str:
    if pd.isna(score):
        return "-"
    return "n=1, none" if pd.isna(low) else f"{low:.2f} to {high:.2f}"


def _signed(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:+.2f}"


COMMAND = Command(
    "table1",
    "normalised score of each setting, with its interval, beside the paper's",
    "table1",
    (
        Argument("--by-task", {"action": "store_true", "help": "print raw scores per task too"}),
        Argument("--freeze", {"type": Path, "metavar": "FILE", "help": "write the 0 and 1 of these runs"}),
        REFERENCE,
        OUT,
    ),
    run,
)
