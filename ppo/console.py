"""What a person sees on stderr while a pack trains: a live line on a terminal, a plain line a minute elsewhere."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ppo.pack import Pack

PLAIN_SECONDS = 60.0  # between plain lines

log = logging.getLogger(__name__)


class Progress:
    """How far a pack is, how fast, how long it takes still, how good it is."""

    def __init__(self, title: str, pack: Pack, clock: Callable[[], float] = time.monotonic) -> None:
        self.pack, self.clock = pack, clock
        self.started, self.from_step = clock(), self._done()
        self.line: Line = LiveLine(title) if _is_terminal() else PlainLine(title, clock)
        self.line.draw(0.0, f"starting at {self._steps()}")

    def show(self) -> None:
        """After an iteration."""
        done, goal = self._done(), int(sum(self._goals()))
        seconds = max(self.clock() - self.started, 1e-9)
        speed = (done - self.from_step) / seconds
        left = f"{clock((goal - done) / max(speed, 1e-9))} left" if done < goal else f"in {clock(seconds)}"
        status = f"{done / goal:4.0%}  {self._steps()}  {speed:,.0f} steps/s  {left}  {self._score()}"
        self.line.draw(done / goal, status)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self.line.close()

    def _goals(self) -> list[int]:
        return [int(goal) for goal in self.pack.goals[: self.pack.size]]

    def _done(self) -> int:
        """Steps of all lanes; whole episodes may take a lane beyond its goal."""
        return sum(min(int(step), goal) for step, goal in zip(self.pack.steps, self._goals(), strict=False))

    def _steps(self) -> str:
        pack = self.pack
        return f"{count(min(int(step) for step in pack.steps[: pack.size]))} of {count(self._goals()[0])} steps"

    def _score(self) -> str:
        scores = [s for lane in range(self.pack.size) if not math.isnan(s := float(self.pack.score(lane)))]
        if not scores:
            return "no episode yet"
        low, high = f"{min(scores):.4g}", f"{max(scores):.4g}"  # no mean: lanes may differ in their settings (law 9)
        return f"score {low}" if low == high else f"scores {low} to {high}"


class Line(Protocol):
    """A line that says how far something is."""

    def draw(self, share: float, status: str) -> None:
        """Show the share that is done, and the status."""
        ...

    def close(self) -> None:
        """End, with the last status left to be read."""
        ...


class LiveLine:
    """A line of a terminal under its title, redrawn by rich; what else is written to stderr appears above them."""

    def __init__(self, title: str) -> None:
        from rich.console import Console  # 70 ms to import: not for --help or a mistake
        from rich.live import Live

        self.title = title
        self.live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=False)
        self.live.start()

    def draw(self, share: float, status: str) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        line.add_row(ProgressBar(total=1.0, completed=share, width=10), Text(status))
        title = Text(self.title, no_wrap=True, overflow="ellipsis")
        self.live.update(Group(title, line), refresh=True)

    def close(self) -> None:
        self.live.stop()


class PlainLine:
    """Log records, level info: the first status, one about every minute, and the last.

    The command line shows them, and a worker's log has them.
    """

    def __init__(self, title: str, clock: Callable[[], float]) -> None:
        self.title, self.clock = title, clock
        self.next, self.unprinted = clock(), ""

    def draw(self, share: float, status: str) -> None:  # noqa: ARG002
        self.unprinted = status
        if self.clock() >= self.next:
            self.next = self.clock() + PLAIN_SECONDS
            self.close()

    def close(self) -> None:
        if self.unprinted:
            log.info("%s: %s", self.title, self.unprinted.strip())
        self.unprinted = ""


def _is_terminal() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class StderrHandler(logging.Handler):
    """Writes log records to whatever stderr is at the time: above the live line while there is one.

    Lines of progress begin with the time. Our own go past what an environment's output is kept in, should one be at
    work: a person who presses Ctrl-C wants to see that it was heard.
    """

    def emit(self, record: logging.LogRecord) -> None:
        when = time.strftime("%H:%M:%S  ") if record.levelno == logging.INFO else ""
        ours = str(record.name).partition(".")[0] in ("ppo", "sweeps")
        stream = getattr(sys.stderr, "behind", sys.stderr) if ours else sys.stderr
        stream.write(f"{when}{self.format(record)}\n")
        stream.flush()


def log_to_stderr() -> None:
    """Show warnings, and the plain lines of progress."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[StderrHandler()])
    show_progress()


def show_progress() -> None:
    """Let the plain lines of progress through to wherever this process logs."""
    log.setLevel(logging.INFO)


def score_line(score: float | None) -> str:
    """The score of a finished run."""
    return "score none: no episode was completed" if score is None else f"score {score:.2f}"


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
