"""What a command is: each module of `analysis.results` declares its own `COMMAND`, which is found here by looking."""

from __future__ import annotations

import argparse
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from analysis import results
from analysis.normalise import Reference, load_reference, make_reference
from analysis.output import Output
from analysis.randoms import find_randoms
from analysis.store import Runs, find_runs

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Argument(NamedTuple):
    """An option or a positional argument, as argparse takes it."""

    name: str  # --by-task, or name
    options: Mapping[str, Any] = NOTHING


OUT = Argument("--out", {"type": Path, "metavar": "FOLDER", "help": "write files there, in every format"})
REFERENCE = Argument("--reference", {"type": Path, "metavar": "FILE", "help": "use the 0 and 1 that --freeze wrote"})


class Call(NamedTuple):
    """What a command is called with."""

    options: argparse.Namespace
    outputs: Path  # the store
    output: Output

    @property
    def figures(self) -> Path:
        """Where figures go if that is what the command is for."""
        return self.output.out or self.outputs / "figures"

    def runs(self) -> Runs:
        """The runs of the sweep that was asked for."""
        return find_runs(self.options.sweep, self.outputs)

    def reference(self, runs: Runs) -> Reference:
        """The 0 and 1 of normalised scores: the frozen ones if a file is given, else those of these runs."""
        if path := getattr(self.options, "reference", None):
            return load_reference(path)
        return make_reference(runs.done, find_randoms(runs, self.outputs))


class Command(NamedTuple):
    """A table, a figure or another thing to make of runs."""

    name: str
    help: str  # one line: what it prints or writes
    sweep: str | None  # the sweep that it shows by default; None: it takes no --sweep
    arguments: Sequence[Argument]
    run: Callable[[Call], None]


def commands() -> list[Command]:
    """Every command, in alphabetical order."""
    modules = [import_module(f"{results.__name__}.{info.name}") for info in pkgutil.iter_modules(results.__path__)]
    return sorted((m.COMMAND for m in modules if hasattr(m, "COMMAND")), key=lambda command: command.name)
