"""Figures 1 and 3: computed as DataFrames, then drawn; readable in print and by the colour-blind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.errors import UserError
from analysis.results.ends import paper_end, paper_scores
from analysis.store import Runs, read_record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
# Okabe and Ito's colours, told apart by every kind of sight, with line styles for print without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LEGEND_COLUMNS = 3
STYLES = ("-", "--", "-.", ":")


def figure1(epsilon: float = 0.2) -> pd.DataFrame:
    """One term of L^CLIP as a function of the ratio, for a positive and a negative advantage of size 1."""
    ratio = np.linspace(0, 2, 201)
    clipped = np.clip(ratio, 1 - epsilon, 1 + epsilon)
    return pd.DataFrame({"ratio": ratio, "A > 0": np.minimum(ratio, clipped), "A < 0": np.minimum(-ratio, -clipped)})


def draw_figure1(frame: pd.DataFrame, epsilon: float = 0.2) -> Figure:
    """Two panels, as in the paper; the dot is where optimisation starts."""
    figure, axes = subplots(1, 2, (6.5, 2.6))
    for axis, name, edge in zip(axes.flat, ("A > 0", "A < 0"), (1 + epsilon, 1 - epsilon), strict=True):
        axis.plot(frame.ratio, frame[name], color=COLOURS[0])
        axis.plot(1, 1 if name == "A > 0" else -1, "o", color=COLOURS[1])
        axis.axvline(edge, color="0.5", linestyle=":")
        axis.set(title=name, xlabel="probability ratio r", ylabel="one term of $L^{CLIP}$")
    return figure


def figure2(runs: Runs) -> pd.DataFrame:
    """Surrogates and KL along the line from the old to the new policy, as the trainer recorded them."""
    done = runs.frame[runs.frame.state == "done"]
    for path in done.path:
        if rows := read_record(path).interpolation:
            return pd.DataFrame(rows, columns=["scale", "kl", "cpi", "clipped", "clip"])
    raise UserError(f"no run of sweep {runs.sweep} recorded a line: train one with interpolation=true (sweep figure2).")


def draw_figure2(frame: pd.DataFrame) -> Figure:
    """The three surrogates and the KL over the linear interpolation factor, as in the paper."""
    figure, axes = subplots(1, 1, (5.0, 3.2))
    names = {
        "kl": r"mean KL[$\pi_{old}$, $\pi$] (nats)",
        "cpi": "$L^{CPI}$: mean r A",
        "clipped": "mean clip(r, 1 - ε, 1 + ε) A",
        "clip": "$L^{CLIP}$: mean of the smaller",
    }
    for (column, name), colour, style in zip(names.items(), COLOURS, STYLES, strict=False):
        axes[0, 0].plot(frame.scale, frame[column], style, color=colour, label=name)
    for scale in (0, 1):
        axes[0, 0].axvline(scale, color="0.8", linewidth=0.8, zorder=0)
    axes[0, 0].set(xlabel="linear interpolation factor: 0 is the old policy, 1 the new one", ylabel="value")
    axes[0, 0].legend(frameon=False)
    return figure


def draw_profiles(frame: pd.DataFrame) -> Figure:
    """Performance profiles: higher is better everywhere."""
    figure, axes = subplots(1, 1, (5.0, 3.2))
    for i, (label, part) in enumerate(frame.groupby("label", sort=False)):
        style = {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i // len(COLOURS) % len(STYLES)]}
        axes[0, 0].step(part.tau, part.share, where="post", label=label, **style)
    axes[0, 0].set(xlabel="normalised score tau", ylabel="share of runs above tau", ylim=(-0.02, 1.02))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def figure3(runs: Runs) -> pd.DataFrame:
    """Learning curves: env, label, step, and mean, low and high over seeds of the mean return of recent episodes."""
    done = runs.frame[runs.frame.state == "done"]
    if done.empty:
        raise UserError(f"no run of sweep {runs.sweep} is done: there is no curve to draw.")
    frames = []
    for (env, label), group in done.groupby(["env", "label"], sort=False):
        curves = pd.concat([_curve(path) for path in group.path], axis=1).sort_index().ffill()
        summary = pd.DataFrame({"mean": curves.mean(axis=1), "low": curves.min(axis=1), "high": curves.max(axis=1)})
        frames.append(summary.assign(env=env, label=label, seeds=len(group)).rename_axis("step").reset_index())
    frame = pd.concat(frames, ignore_index=True)
    if frame.empty:
        raise UserError(f"no run of sweep {runs.sweep} completed an episode: there is no curve to draw.")
    return frame


def _curve(path: Path) -> pd.Series:
    record = read_record(path)
    return pd.Series({point.step: point.ret for point in record.curve}, dtype=float)


def draw_figure3(frame: pd.DataFrame) -> Figure:
    """One panel per task: mean over seeds, band from the lowest to the highest, the paper's end values as marks."""
    envs, labels = list(frame.env.unique()), list(frame.label.unique())
    columns = min(4, len(envs))
    rows, legend = -(-len(envs) // columns), 0.17 * -(-len(labels) // LEGEND_COLUMNS)
    figure, axes = subplots(rows, columns, (max(7.0, 2.7 * columns), max(2.6, 2.1 * rows) + legend))
    paper = paper_scores()
    for axis, env in zip(axes.flat, envs, strict=False):
        for i, label in enumerate(labels):
            part = frame[(frame.env == env) & (frame.label == label)]
            line = {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i // len(COLOURS) % len(STYLES)]}
            axis.plot(part.step / 1e6, part["mean"], label=label, **line)
            axis.fill_between(part.step / 1e6, part.low, part.high, color=line["color"], alpha=0.2, linewidth=0)
            _mark_paper(axis, paper_end(paper, label, env), part, line["color"])
        axis.set(title=env, xlabel="million steps", ylabel="return")
        _squeeze(axis, frame[frame.env == env])
    for axis in list(axes.flat)[len(envs) :]:
        axis.set_visible(False)
    known = {name: handle for axis in axes.flat for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    handles, names = list(known.values()), list(known)
    figure.legend(handles, names, loc="outside lower center", ncols=min(LEGEND_COLUMNS, len(names)), frameon=False)
    return figure


def _squeeze(axis: Axes, part: pd.DataFrame) -> None:
    """Logarithmic where one setting has fallen so far that all others would be one line."""
    usual = part["mean"].abs().median()
    if 0 < usual < -part["mean"].min() / 100:
        linear = 10.0 ** np.ceil(np.log10(usual))
        axis.set_yscale("symlog", linthresh=linear)
        axis.set_yticks([tick for tick in axis.get_yticks() if tick == 0 or abs(tick) >= linear])
        axis.set_ylabel("return, log where far from 0")


def _mark_paper(axis: Axes, end: float, part: pd.DataFrame, colour: str) -> None:
    """The paper's value after 1M steps, where it has one and our curve goes about as far."""
    if np.isfinite(end) and len(part) and part.step.max() >= 900_000:
        style: dict[str, Any] = {"color": colour, "markeredgecolor": "black", "markeredgewidth": 0.5, "markersize": 8}
        axis.plot(1.0, end, "*", clip_on=False, linestyle="none", label="the paper's, same colour", **style)


def save(figure: Figure, out: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a figure in every format."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{kind}" for kind in formats]
    no_date = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}  # the same numbers give the same files
    for path in paths:
        figure.savefig(path, dpi=200, metadata=no_date.get(path.suffix[1:]))
    return paths


def subplots(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, Any]:
    """A figure and its axes [rows, columns], without a display."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "0"})
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)
