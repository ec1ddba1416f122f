"""One pack in a process of its own, started by a launcher (`sweeps.launching.start`)."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ppo.config.run import Config
from ppo.console import StderrHandler
from ppo.errors import Busy, UserError, printable
from ppo.runs.exits import Exit
from ppo.runs.files import is_full
from ppo.runs.machine import append_working_directory
from sweeps.home import PackFile

# For NumPy, whose products are too small to share; to be set before it loads. What torch uses is `threads` of the runs.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
DRIVER = "SWEEPS_DRIVER"  # environment variable: the process that started a worker


def train_pack_file(file: PackFile, stop: Callable[[], bool]) -> Exit:
    """Train a pack to its end, or until `stop` or a signal asks to save; returns the exit status."""
    os.chdir(file.working_directory())
    append_working_directory()
    runs = file.runs()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s  %(message)s", handlers=[StderrHandler()])
    from ppo.console import show_progress
    from ppo.train import Interrupted

    show_progress()
    try:
        return _train_those_that_fit(runs, stop, file.marker)
    except Interrupted:
        return Exit.INTERRUPTED


def _train_those_that_fit(runs: Sequence[tuple[Config, Path]], stop: Callable[[], bool], marker: Path) -> Exit:
    """Train runs; those that cannot be trained in their folders, UserError once their mates have ended (law 8)."""
    try:
        return _train(runs, stop, marker)
    except Busy:
        raise
    except UserError:
        fit = [run for run in runs if _fits(*run)]
        if 0 < len(fit) < len(runs):
            _train(fit, stop, marker)
        raise


def _train(runs: Sequence[tuple[Config, Path]], stop: Callable[[], bool], marker: Path) -> Exit:
    from ppo.train import train

    configs, folders = zip(*runs, strict=True)
    outcomes = train(configs, folders=folders, stop=stop, marker=marker)
    if any(o.paused for o in outcomes):
        return Exit.FULL
    return Exit.FAILED if any(o.result is None for o in outcomes) else Exit.DONE


def _fits(config: Config, folder: Path) -> bool:
    """Whether a run can be trained in its folder."""
    from ppo.train import check

    try:
        check(config, folder)
    except UserError:
        return False
    return True


def end(status: Exit) -> NoReturn:
    """End this process at once: threads that environments have started, and their last words, may take for ever."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


def main(path: str) -> Exit:
    """Train the pack in a file; saves and stops when the process that started us is gone."""
    driver = int(os.environ.get(DRIVER, os.getppid()))  # passed in, because our parent may have died already
    try:
        return train_pack_file(PackFile(Path(path).absolute()), lambda: os.getppid() != driver)
    except UserError as error:
        sys.stderr.write(f"{printable(error)}\n")
        return Exit.BUSY if isinstance(error, Busy) else Exit.MISTAKE
    except OSError as error:
        if not is_full(error):
            raise
        return Exit.FULL
