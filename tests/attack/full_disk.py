"""A small disk filled to its last byte at varied moments of a pack: paused, not failed, and later the same bytes.

The disk is a tmpfs where we may mount one; elsewhere every write of run folders fails from some moment on as it does on
a full disk. One run of the pack is on another disk, and must go on.
"""

from __future__ import annotations

import errno
import os
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

from ppo.config.run import Config
from ppo.runs import files, tables
from ppo.runs.states import TO_TRAIN, standing
from ppo.runs.store import folder_of
from ppo.train import Interrupted, train
from tests.attack._small import Bytes, bytes_of, complaint, config, quiet, train_on
from tests.attack.result import Result

SIZE = "4m"  # of the tmpfs
ITERATIONS = 8  # of a run
Fill = Callable[[], object]


def attack(full: bool) -> Result:
    """Fill the disk, train, make space, train on; 40 times if `full`."""
    tried, broke, moments = 40 if full else 8, [], random.Random(0)
    with tempfile.TemporaryDirectory() as scratch, quiet(), _small_disk(Path(scratch) / "small") as (small, real):
        there, elsewhere = config(small, "seed=0"), config(Path(scratch) / "large", "seed=1")
        expected = _undisturbed(Path(scratch) / "undisturbed")
        for number in range(tried):
            moment, left = moments.randrange(ITERATIONS + 1), moments.randrange(0, 12000)
            for wrong in _survived([there, elsewhere], expected, moment, left if real else None):
                broke.append(f"{number}: full before iteration {moment}, {left} bytes left: {wrong}")
            _empty(small, Path(scratch) / "large")
    note = "a tmpfs" if real else "no tmpfs could be mounted: errors of writes instead"
    return Result("full disks in the middle of a training", tried, broke, note)


def _undisturbed(store: Path) -> list[Bytes]:
    return [bytes_of(outcome.folder) for outcome in train_on([config(store, f"seed={seed}") for seed in (0, 1)])]


def _survived(runs: list[Config], expected: list[Bytes], moment: int, left: int | None) -> list[str]:
    """What is wrong after a disk was full and has space again."""
    small = Path(runs[0].execution.outputs)
    with _full_from(moment, small, left) as asked:
        try:
            outcomes = train(runs, stop=asked)
        except Interrupted:
            return ["interrupted"]
        except OSError as error:
            return [] if files.is_full(error) and moment == 0 else [f"raised {error}"]
    wrong = [f"the run elsewhere: {text}" for text in [complaint(folder_of(runs[1]), expected[1])] if text]
    found = standing(folder_of(runs[0])) if outcomes[0].result is None else None
    if found is not None and (not outcomes[0].paused or found.state not in (*TO_TRAIN, "running")):
        wrong.append(f"is {found.state}: {found.error or outcomes[0].error}")
    train_on(runs)
    ends = [complaint(folder_of(run), wanted) for run, wanted in zip(runs, expected, strict=True)]
    return wrong + [text for text in ends if text]


@contextmanager
def _full_from(moment: int, small: Path, left: int | None) -> Iterator[Callable[[], bool]]:
    """While open, the disk is full from an iteration on; what is given is to be asked before each one."""
    asked, ballast = 0, small / "ballast"

    def fill() -> None:
        if left is not None:
            _fill(ballast, left)

    def stop() -> bool:
        nonlocal asked
        asked += 1
        if asked == moment + 1:
            fill()
        return False

    def broken(original: Callable[..., object]) -> Callable[..., object]:
        def write(path: Path, content: bytes) -> object:
            if left is None and asked > moment and path.is_relative_to(small):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(path, content)

        return write

    aside, append = broken(files.write_aside), broken(tables.append)
    with patch.object(files, "write_aside", aside), patch.object(tables, "append", append):
        yield stop
    ballast.unlink(missing_ok=True)


def _fill(ballast: Path, left: int) -> None:
    """Take all of a disk but some bytes."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    with suppress(OSError):
        os.truncate(ballast, max(0, ballast.stat().st_size - left))


@contextmanager
def _small_disk(place: Path) -> Iterator[tuple[Path, bool]]:
    """A folder on a disk of its own, if we may mount one, and whether it is."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        real = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        real = False
    try:
        yield place, real
    finally:
        if real:
            subprocess.run(["umount", str(place)], check=True)


def _empty(*stores: Path) -> None:
    for store in stores:
        subprocess.run(["rm", "-rf", str(store / "runs")], check=True)
