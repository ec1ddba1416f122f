"""Figure 3: learning curves per task, and the scores at their ends beside those of the paper's curves (section 6.2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.command import OUT, Call, Command
from analysis.drawing import house_style, legend, line_style, subplots, title
from analysis.grouping import by_cell
from analysis.store import Runs
from analysis.writers import Table, score, spread
from ppo.errors import UserError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "figure3.csv"
IN_THE_PAPER = {  # label of a setting -> its curve in Figure 3, where the names differ
    "Clipping, epsilon = 0.2": "PPO (Clip)",
    "TRPO of 2017": "TRPO",
}
LEGEND_COLUMNS = 3
FULL_LENGTH = 900_000  # steps: curves this long are comparable with the paper's


def run(call: Call) -> None:
    """Draw Figure 3 and print the scores at the end."""
    runs = call.runs()
    call.output.figure(draw(compute(runs)), "figure3", call.figures)
    call.output.table(to_table(compute_ends(runs), runs), "figure3_ends")


# -- curves ------------------------------------------------------------------------------------------------------------


def compute(runs: Runs) -> pd.DataFrame:
    """Learning curves: env, label, step, and mean, low and high over seeds of the mean return of recent episodes."""
    frames = []
    for (label, env), group in by_cell(runs.done):
        curves = pd.concat([_curve(runs, run) for run in group.run], axis=1).sort_index().ffill()
        summary = pd.DataFrame({"mean": curves.mean(axis=1), "low": curves.min(axis=1), "high": curves.max(axis=1)})
        frames.append(summary.assign(env=env, label=label, seeds=len(group)).rename_axis("step").reset_index())
    frame = pd.concat(frames, ignore_index=True)
    if frame.empty:
        raise UserError(f"no run of sweep {runs.sweep} completed an episode: there is no curve to draw.")
    return frame


def _curve(runs: Runs, run: str) -> pd.Series:
    return pd.Series({point.step: point.ret for point in runs.read(run).curve}, dtype=float)


def unit(frame: pd.DataFrame) -> tuple[float, str]:
    """How many steps are 1 on the horizontal axis, and what that is called; millions where the paper's marks can be."""
    return (1e6, "million steps") if frame.step.max() >= FULL_LENGTH / 10 else (1e3, "thousand steps")


@house_style()
def draw(frame: pd.DataFrame) -> Figure:
    """One panel per task: mean over seeds, band from the lowest to the highest, the paper's end values as marks."""
    envs, labels = list(frame.env.unique()), list(frame.label.unique())
    columns = min(4, len(envs))
    rows, below = -(-len(envs) // columns), 0.17 * -(-len(labels) // LEGEND_COLUMNS)
    figure, axes = subplots(rows, columns, (max(7.0, 2.7 * columns), max(2.6, 2.1 * rows) + below))
    paper, (size, name) = paper_scores(), unit(frame)
    entries: dict[str, Artist] = {}
    for axis, env in zip(axes.flat, envs, strict=False):
        for i, label in enumerate(labels):
            part, style = frame[(frame.env == env) & (frame.label == label)], line_style(i)
            (line,) = axis.plot(part.step / size, part["mean"], **style)
            entries.setdefault(label, line)
            axis.fill_between(part.step / size, part.low, part.high, color=style["color"], alpha=0.2, linewidth=0)
            for mark in _mark_paper(axis, paper_end(paper, label, env), part, style["color"]):
                entries.setdefault("the paper's, same colour", mark)
        axis.set(xlabel=name, ylabel="return")
        title(axis, env)
        _squeeze(axis, frame[frame.env == env])
    for axis in list(axes.flat)[len(envs) :]:
        axis.set_visible(False)
    legend(figure, entries, loc="outside lower center", ncols=min(LEGEND_COLUMNS, len(entries)))
    return figure


def _squeeze(axis: Axes, part: pd.DataFrame) -> None:
    """Logarithmic where one setting has fallen so far that all others would be one line."""
    usual = part["mean"].abs().median()
    if 0 < usual < -part["mean"].min() / 100:
        linear = 10.0 ** np.ceil(np.log10(usual))
        axis.set_yscale("symlog", linthresh=linear)
        axis.set_yticks([tick for tick in axis.get_yticks() if tick == 0 or abs(tick) >= linear])
        axis.set_ylabel("return, log where far from 0")


def _mark_paper(axis: Axes, end: float, part: pd.DataFrame, colour: str) -> list[Artist]:
    """The paper's value after 1M steps, where it has one and our curve goes about as far."""
    if not (np.isfinite(end) and len(part) and part.step.max() >= FULL_LENGTH):
        return []
    style: dict[str, Any] = {"color": colour, "markeredgecolor": "black", "markeredgewidth": 0.5, "markersize": 8}
    return list(axis.plot(1.0, end, "*", clip_on=False, linestyle="none", **style))


# -- ends --------------------------------------------------------------------------------------------------------------


def paper_scores() -> pd.Series:
    """End of each digitised curve, by algorithm and task (without version)."""
    return pd.read_csv(REFERENCE).set_index(["algorithm", "env"]).score


def paper_end(paper: pd.Series, label: str, env: str) -> float:
    """The end of the paper's curve of a setting; NaN where no digitised value exists."""
    return float(paper.get((IN_THE_PAPER.get(label, label), env.rpartition("-v")[0]), np.nan))


def compute_ends(runs: Runs) -> pd.DataFrame:
    """One row per setting and task: mean and sample deviation of the score over seeds, runs behind it, the paper's."""
    paper, rows = paper_scores(), []
    for (label, env), group in by_cell(runs.frame):
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
        notes.append("Paper: digitised ends of Figure 3's curves; there are none of CEM and vanilla PG.")
    return Table(f"Scores at the end ({runs.sweep})", ["setting", *envs], rows, [*notes, *runs.notes], frame)


def _ours(cells: pd.DataFrame, env: str) -> str:
    if env not in cells.index:
        return "-"
    cell = cells.loc[env]
    return spread(cell["mean"], cell["std"], cell.done, cell.declared)


def _theirs(cells: pd.DataFrame, env: str) -> str:
    return score(cells.paper.get(env)) if env in cells.index else "-"


COMMAND = Command("figure3", "draw learning curves per task; print the scores at their ends", "figure3", (OUT,), run)
