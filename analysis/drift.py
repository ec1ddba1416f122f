"""How far policies moved in training: the KL of their iterations, their entropy, and how low the return fell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.figures import COLOURS, subplots
from analysis.store import Runs, read_record
from analysis.writers import Table, score, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTES = [
    "Worst stretch: the lowest mean return of a two-hundredth of a training.",
    "KL: nats between the policies before and after an iteration; a run's median, and the largest of all runs.",
    "Entropy: nats, all actions together, after the first and the last iteration; an action of deviation 1 has 1.42.",
    "Skipped: steps not taken, their gradient not being finite. From - to: over seeds.",
]
SCORES = (-1e6, -1e5, -1e4, -1e3, 0, 1e3, 1e4)  # marks of the axis
PANELS: dict[str, tuple[str, dict[str, Any]]] = {  # column -> what its axis says, scale
    "score": ("score of each run, log beyond ±1000", {"value": "symlog", "linthresh": 1000}),
    "kl": ("median KL of an iteration, nats", {"value": "log"}),
    "entropy_end": ("entropy at the end, nats", {"value": "linear"}),
}


def compute(runs: Runs) -> pd.DataFrame:
    """One row per finished run: label, env, seed, score, worst, and the columns of `Drift`."""
    done = runs.frame[runs.frame.state == "done"]
    rows = []
    for run in done.itertuples():
        record = read_record(run.path)
        row = {"label": run.label, "env": run.env, "seed": run.seed, "score": run.score}
        row["worst"] = min((point.ret for point in record.curve), default=float("nan"))
        rows.append(row | record.drift._asdict())
    return pd.DataFrame(rows)


def to_table(frame: pd.DataFrame, runs: Runs) -> Table:
    """A row per setting and task."""
    header = ["setting", "task", "score", "worst stretch", "KL", "largest KL", "entropy, first", "last", "skipped"]
    declared = runs.frame.groupby(["label", "env"]).size()
    rows = []
    for (label, env), part in frame.groupby(["label", "env"], sort=False):
        scores = part.score.dropna().astype(float)
        cells = [spread(scores.mean(), scores.std(), len(scores), int(declared[label, env])), score(part.worst.min())]
        cells += [_range(part.kl), _digits(part.kl_max.max()), _range(part.entropy), _range(part.entropy_end)]
        rows.append([str(label), str(env), *cells, _digits(part.skipped.sum(min_count=1))])
    return Table(f"How far the policy moved ({runs.sweep})", header, rows, [*NOTES, *runs.notes], frame)


def draw(frame: pd.DataFrame) -> Figure:
    """A line per setting, a dot per run; a row of panels for each task."""
    from matplotlib.ticker import EngFormatter

    envs, labels = list(frame.env.unique()), list(frame.label.unique())
    figure, axes = subplots(len(envs), len(PANELS), (7.5, (0.8 + 0.2 * len(labels)) * len(envs)))
    for row, env in zip(axes, envs, strict=True):
        part = frame[frame.env == env]
        for axis, (column, (name, scale)) in zip(row, PANELS.items(), strict=True):
            for i, label in enumerate(labels):
                values = part[part.label == label][column].astype(float)
                axis.plot(values, [i] * len(values), "o", color=COLOURS[i % len(COLOURS)], markersize=4, alpha=0.8)
            axis.set_xscale(**scale)
            if column == "score":
                axis.set_xticks([tick for tick in SCORES if part.score.min() <= tick <= max(0, part.score.max())])
                axis.xaxis.set_major_formatter(EngFormatter(sep=""))
                axis.tick_params(axis="x", labelsize=7)
            axis.set(xlabel=name, yticks=range(len(labels)), yticklabels=labels if axis is row[0] else [])
            axis.set_ylim(len(labels) - 0.5, -0.5)
            axis.grid(axis="y", linewidth=0.4, alpha=0.5)
        row[0].set_title(env, loc="left")
    return figure


def _range(values: pd.Series) -> str:
    low, high = _digits(values.min()), _digits(values.max())
    return low if low == high else f"{low} to {high}"


def _digits(value: float) -> str:
    """Two significant digits: KL spans six orders of magnitude."""
    if pd.isna(value):
        return "-"
    return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
