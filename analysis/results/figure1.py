"""Figure 1: one term of the clipped surrogate, as a function of the probability ratio (section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.command import OUT, Call, Command
from analysis.drawing import COLOURS, house_style, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = {"A > 0": 1.0, "A < 0": -1.0}  # title -> advantage


def run(call: Call) -> None:
    """Draw Figure 1."""
    call.output.figure(draw(compute()), "figure1", call.figures)


def compute(epsilon: float = 0.2) -> pd.DataFrame:
    """One term of L^CLIP for a positive and a negative advantage of size 1, by the objective that is trained."""
    import torch  # takes a second to load, and no other table or figure needs it

    from ppo.config.compose import compose
    from ppo.learning.surrogates.base import Terms

    surrogate = compose(["surrogate=clip", f"surrogate.epsilon={epsilon}"]).surrogate
    assert surrogate is not None
    ratio = torch.linspace(0, 2, 201, dtype=torch.float64)
    columns = {"ratio": ratio.numpy()}
    for name, adv in PANELS.items():
        terms = Terms(log_ratio=ratio.log(), ratio=ratio, kl=torch.zeros_like(ratio), adv=torch.full_like(ratio, adv))
        columns[name] = surrogate.objective(terms).numpy()
    return pd.DataFrame(columns)


@house_style()
def draw(frame: pd.DataFrame, epsilon: float = 0.2) -> Figure:
    """Two panels, as in the paper; the dot is where optimisation starts."""
    figure, axes = subplots(1, 2, (6.5, 2.6))
    for axis, (name, adv) in zip(axes.flat, PANELS.items(), strict=True):
        axis.plot(frame.ratio, frame[name], color=COLOURS[0])
        axis.plot(1, adv, "o", color=COLOURS[1])
        axis.axvline(1 + np.sign(adv) * epsilon, color="0.5", linestyle=":")
        axis.set(title=name, xlabel="probability ratio r", ylabel="one term of $L^{CLIP}$")
    return figure


COMMAND = Command("figure1", "draw one term of the clipped surrogate", None, (OUT,), run)
