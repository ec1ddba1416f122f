"""What a person sees while a sweep runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ppo.console import clock
from ppo.runs.words import counted
from sweeps.showing.watch import PackLine

PLAIN_SECONDS = 60.0  # between plain lines of progress


class Summary(NamedTuple):
    """The whole sweep, as shown."""

    name: str
    runs: int
    done: int
    failed: int
    waiting: int  # packs not yet started
    left: float  # seconds


class View(Protocol):
    """Shows a sweep in progress."""

    def event(self, text: str) -> None:
        """Print something that should stay."""
        ...

    def show(self, summary: Summary, lines: Sequence[PackLine]) -> None:
        """Show the progress."""
        ...

    def close(self) -> None:
        """End, with the last picture left on screen."""
        ...


class _Results(Console):
    """A console whose closed reader ends the command, as elsewhere, and not with rich's exit status 1."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command."""
        raise BrokenPipeError


def results_console() -> Console:
    """Stdout, for results; in a file or a pipe so wide that no line is folded."""
    return _Results(highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 400)


def make_view(console: Console | None = None) -> View:
    """A live view on a terminal, else plain lines; both on stderr."""
    console = console or Console(stderr=True, highlight=False, markup=False)
    return LiveView(console) if console.is_terminal else PlainView(console)


class PlainView:
    """Lines for a log file: every event, and the progress once a minute."""

    def __init__(self, console: Console) -> None:
        self.console, self.shown = console, time.monotonic()

    def event(self, text: str) -> None:
        self.console.print(f"{time.strftime('%H:%M:%S')}  {text}", markup=False, soft_wrap=True)

    def show(self, summary: Summary, lines: Sequence[PackLine]) -> None:
        if time.monotonic() - self.shown < PLAIN_SECONDS:
            return
        self.shown = time.monotonic()
        packs = "; ".join(f"{line.title} {line.share:.0%}" for line in lines)
        self.event(f"{headline(summary)}: {packs}")

    def close(self) -> None:
        """Nothing to end."""


class LiveView:
    """A table that is redrawn; events scroll above it."""

    def __init__(self, console: Console) -> None:
        self.live = Live(console=console, auto_refresh=False, transient=False)
        self.live.start()

    def event(self, text: str) -> None:
        self.live.console.print(Text(f"{time.strftime('%H:%M:%S')}  {text}"), soft_wrap=True)

    def show(self, summary: Summary, lines: Sequence[PackLine]) -> None:
        self.live.update(table(summary, lines), refresh=True)

    def close(self) -> None:
        self.live.stop()


def headline(summary: Summary) -> str:
    """The sweep in one line."""
    failed = f", {summary.failed} failed" if summary.failed else ""
    waiting = f", {counted(summary.waiting, 'pack')} waiting" if summary.waiting else ""
    return f"{summary.name}: {summary.done} of {summary.runs} runs done{failed}{waiting}, {clock(summary.left)} left"


def table(summary: Summary, lines: Sequence[PackLine]) -> Table:
    """One row per pack in training."""
    drawn = Table(title=Text(headline(summary)), title_justify="left", box=None, pad_edge=False)
    drawn.add_column("pack", no_wrap=True)
    for name in ("runs", "", "steps of each", "steps/s", "left", ""):
        drawn.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        speed = f"{line.speed:,.0f}" if line.speed else "starting"
        note = Text(f"{line.failed} failed" if line.failed else "", style="red")
        left = clock(line.left)
        drawn.add_row(Text(line.title), str(line.size), f"{line.share:.0%}", line.steps, speed, left, note)
    return drawn
