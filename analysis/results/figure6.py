"""Figure 6: learning curves of all Atari games of a sweep, on one page (appendix B)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from analysis.command import OUT, Call, Command
from analysis.drawing import house_style, legend, line_style, subplots, title
from analysis.results.figure3 import compute, unit
from analysis.results.table6 import atari_runs, budget
from analysis.store import Runs
from ppo.runs.words import counted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 7  # of the paper's page of 49 games


def run(call: Call) -> None:
    """Draw Figure 6."""
    runs = atari_runs(call.runs())
    call.output.figure(draw(compute(runs), heading(runs)), "figure6", call.figures)


def heading(runs: Runs) -> str:
    """What the page shows, its budget included; a step of an agent is four frames."""
    seeds = runs.done.seed.nunique()
    return f"{runs.sweep}: {budget(runs.done.steps)}, {counted(seeds, 'seed')}, 4 frames a step"


@house_style()
def draw(frame: pd.DataFrame, text: str) -> Figure:
    """One small panel per game: mean over seeds, band from the lowest to the highest."""
    games, labels = sorted(frame.env.unique()), list(frame.label.unique())
    columns = min(MOST_COLUMNS, math.ceil(math.sqrt(len(games))))
    rows = -(-len(games) // columns)
    figure, axes = subplots(rows, columns, (1.75 * columns, 1.45 * rows + 0.6))
    size, name = unit(frame)
    entries: dict[str, Artist] = {}
    for axis, game in zip(axes.flat, games, strict=False):
        part = frame[frame.env == game]
        for i, label in enumerate(labels):
            curve, style = part[part.label == label], line_style(i)
            (line,) = axis.plot(curve.step / size, curve["mean"], linewidth=0.9, **style)
            axis.fill_between(curve.step / size, curve.low, curve.high, color=style["color"], alpha=0.2, linewidth=0)
            entries.setdefault(label, line)
        _small(axis, game)
    for axis in list(axes.flat)[len(games) :]:
        axis.set_visible(False)
    for number in range(max(0, len(games) - columns), len(games)):  # the lowest panel of each column
        axes.flat[number].set_xlabel(name, fontsize=7)
    figure.supylabel("score of a game", fontsize=8)
    figure.suptitle(text, fontsize=9, parse_math=False)
    legend(figure, entries, loc="outside lower center", ncols=max(1, len(entries)))
    return figure


def _small(axis: Axes, game: str) -> None:
    """Titles and numbers that fit 49 panels on a page."""
    title(axis, game, fontsize=7, pad=2)
    axis.tick_params(labelsize=6, pad=1, length=2)
    axis.locator_params(nbins=4)
    axis.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    axis.yaxis.get_offset_text().set_fontsize(6)


COMMAND = Command("figure6", "draw learning curves of Atari games on one page", "table6", (OUT,), run)
