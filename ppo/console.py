"""The live line of a pack: how far, how fast, how long still, how good."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ppo.pack import Pack


class Progress:
    """One line on a terminal, redrawn after each iteration; silent where stderr is not a terminal."""

    def __init__(self, title: str, pack: Pack) -> None:
        self.title, self.pack = title, pack
        self.live = sys.stderr.isatty()
        self.started, self.from_step = time.time(), self._done()
        self.width = 0
        self._draw(f"{title}: preparing ...")

    def show(self) -> None:
        """Redraw the line."""
        if not self.live:
            return
        pack = self.pack
        done, goal = self._done(), int(pack.goals[: pack.size].sum())
        speed = (done - self.from_step) / max(time.time() - self.started, 1e-9)
        scores = [s for lane in range(pack.size) if not np.isnan(s := pack.score(lane))]
        score = f"score {np.mean(scores):.4g}" if scores else "no episode yet"
        if len(scores) > 1:
            score += f" ({min(scores):.4g} to {max(scores):.4g})"
        left = clock((goal - done) / max(speed, 1e-9))
        steps = f"{count(int(pack.steps[: pack.size].min()))} of {count(int(pack.goals[0]))} steps"
        self._draw(f"{self.title}: {done / goal:4.0%}  {steps}  {speed:,.0f} steps/s  {left} left  {score}")

    def close(self) -> None:
        """Leave the last line standing."""
        if self.live:
            sys.stderr.write("\n")

    def _done(self) -> int:
        """Steps of all lanes; whole episodes may take a lane beyond its goal."""
        pack = self.pack
        return int(np.minimum(pack.steps, pack.goals)[: pack.size].sum())

    def _draw(self, line: str) -> None:
        if self.live:
            sys.stderr.write("\r" + line.ljust(self.width))
            sys.stderr.flush()
            self.width = len(line)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(steps: int) -> str:
    """A number of steps, short: 410k, 1.02M."""
    if steps >= 1_000_000:
        return f"{steps / 1e6:.3g}M"
    return f"{steps / 1e3:.3g}k" if steps >= 1000 else str(steps)
