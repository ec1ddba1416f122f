"""How far policies moved in training: the KL of their iterations, their entropy, and how low the return fell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.command import OUT, Call, Command
from analysis.drawing import COLOURS, house_style, subplots, title
from analysis.grouping import by_cell
from analysis.store import Runs
from analysis.writers import Table, number, score, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTES = [
    "Worst stretch: the lowest mean return in any 1/200 of training.",
    "KL: nats between the policies before and after an iteration (A2C: an update); median of a run, largest of all.",
    "Entropy: nats, summed over actions, after the first and the last iteration; a standard normal action has 1.42.",
    "Skipped: gradient steps that were skipped (PPO: because the gradient was not finite). Ranges are over seeds.",
]
FAR, LINEAR = -10_000, 1000  # a score so low makes its axis logarithmic beyond ±1000
MARKS = (-1e6, -1e4, 0)
PANELS = {  # column -> what its axis says
    "score": "score of each run",
    "kl": "median KL of an iteration, nats",
    "entropy_end": "entropy at the end, nats",
}


def run(call: Call) -> None:
    """Print and draw how far the policies moved."""
    runs = call.runs()
    frame = compute(runs)
    call.output.table(to_table(frame, runs), "drift")
    if call.output.out is not None:
        call.output.figure(draw(frame), "drift")


def compute(runs: Runs) -> pd.DataFrame:
    """One row per finished run: what it is, its score, worst stretch, and the columns of `Drift`."""
    rows = []
    for run, record in zip(runs.done.itertuples(), runs.records(), strict=True):
        row = {key: getattr(run, key) for key in ("label", "env", "suite", "setting_hash", "seed", "score")}
        row["worst"] = min((point.ret for point in record.curve), default=float("nan"))
        rows.append(row | record.drift._asdict())
    return pd.DataFrame(rows)


def to_table(frame: pd.DataFrame, runs: Runs) -> Table:
    """A row per setting and task."""
    header = ["setting", "task", "score", "worst stretch", "KL", "largest KL", "entropy, first", "last", "skipped"]
    declared = by_cell(runs.frame).size()
    rows = []
    for (label, env), part in by_cell(frame):
        scores = part.score.dropna().astype(float)
        cells = [spread(scores.mean(), scores.std(), len(scores), int(declared[label, env])), score(part.worst.min())]
        cells += [_range(part.kl), _digits(part.kl_max.max()), _range(part.entropy), _range(part.entropy_end)]
        rows.append([str(label), str(env), *cells, number(part.skipped.sum(min_count=1), 0)])
    return Table(f"How far the policy moved ({runs.sweep})", header, rows, [*NOTES, *runs.notes], frame)


@house_style()
def draw(frame: pd.DataFrame) -> Figure:
    """A line per setting, a dot per run; a row of panels for each task."""
    envs, labels = list(frame.env.unique()), list(frame.label.unique())
    figure, axes = subplots(len(envs), len(PANELS), (7.5, (0.8 + 0.2 * len(labels)) * len(envs)))
    for row, env in zip(axes, envs, strict=True):
        part = frame[frame.env == env]
        for axis, (column, name) in zip(row, PANELS.items(), strict=True):
            for i, label in enumerate(labels):
                values = part[part.label == label][column].astype(float)
                axis.plot(values, [i] * len(values), "o", color=COLOURS[i % len(COLOURS)], markersize=4, alpha=0.8)
            axis.set(xlabel=name, yticks=range(len(labels)))
            axis.set_yticklabels(labels if axis is row[0] else [""] * len(labels), parse_math=False)
            axis.set_ylim(len(labels) - 0.5, -0.5)
            axis.grid(axis="y", linewidth=0.4, alpha=0.5)
        title(row[0], env, loc="left")
        row[1].set_xscale("log")
        if part.score.min() < FAR:
            _spread_out(row[0], part.score.min())
    return figure


def _spread_out(axis: Axes, lowest: float) -> None:
    """Scores of several orders of magnitude."""
    from matplotlib.ticker import EngFormatter

    axis.set_xscale("symlog", linthresh=LINEAR)
    axis.autoscale(axis="x")
    axis.set_xticks([mark for mark in MARKS if mark >= lowest])
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.set_xlabel(f"{PANELS['score']}, log beyond ±{LINEAR}")


def _range(values: pd.Series) -> str:
    low, high = _digits(values.min()), _digits(values.max())
    return low if low == high else f"{low} to {high}"


def _digits(value: float) -> str:
    """Two significant digits: KL spans six orders of magnitude."""
    if pd.isna(value):
        return "-"
    return f"{value:.2g}" if abs(value) < 99.5 else f"{value:.0f}"


COMMAND = Command("drift", "how far policies moved: KL, entropy, worst returns", "first_row", (OUT,), run)
