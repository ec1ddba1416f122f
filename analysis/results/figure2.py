"""Figure 2: surrogates along the line from the old policy to the one after its first update (section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.command import OUT, Call, Command
from analysis.drawing import COLOURS, STYLES, house_style, subplots
from analysis.records import LINE
from analysis.store import Runs
from ppo.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "kl": r"mean KL[$\pi_{old}$, $\pi$] (nats)",
    "cpi": "$L^{CPI}$: mean r A",
    "clipped": "mean clip(r, 1 - ε, 1 + ε) A",
    "clip": "$L^{CLIP}$: mean of the smaller",
}


def run(call: Call) -> None:
    """Draw Figure 2."""
    runs = call.runs()
    shown = find(runs)
    call.output.figure(draw(compute(runs)), "figure2", call.figures)
    sentence = f"drawn: {shown.label}, {shown.env}, seed {shown.seed}, the first run that recorded its first update"
    call.output.fact("run", shown.run, sentence)


def compute(runs: Runs) -> pd.DataFrame:
    """Surrogates and KL along the line, as the first finished run recorded them."""
    return pd.DataFrame(runs.read(find(runs).run).interpolation, columns=list(LINE))


def find(runs: Runs) -> Any:
    """The row of the first finished run that recorded its first update; UserError if there is none."""
    for row in runs.done.itertuples():
        if runs.read(str(row.run)).interpolation:
            return row
    how = "train one with algorithm.record=[interpolation]"
    raise UserError(f"no run of sweep {runs.sweep} recorded its first update: {how} (ppo-sweeps run figure2).")


@house_style()
def draw(frame: pd.DataFrame) -> Figure:
    """The three surrogates and the KL over the linear interpolation factor, as in the paper."""
    figure, axes = subplots(1, 1, (5.0, 3.2))
    for (column, name), colour, style in zip(NAMES.items(), COLOURS, STYLES, strict=False):
        axes[0, 0].plot(frame.scale, frame[column], style, color=colour, label=name)
    for scale in (0, 1):
        axes[0, 0].axvline(scale, color="0.8", linewidth=0.8, zorder=0)
    axes[0, 0].set(xlabel="linear interpolation factor: 0 is the old policy, 1 the new one", ylabel="value")
    axes[0, 0].legend(frameon=False)
    return figure


COMMAND = Command("figure2", "draw the surrogates along the line of the first update", "figure2", (OUT,), run)
