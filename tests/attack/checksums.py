"""What the checksums cost: a share of a training's processor time, and seconds for a table of 10,000 finished runs."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from analysis.store import load_sweep
from ppo.config.compose import compose
from ppo.runs import checkpoints, files, folder, results, tables, verified
from ppo.runs.states import State
from ppo.train import train
from tests.attack._small import quiet
from tests.attack.result import Result
from tests.large_store import write_store

MOST_OF_A_TRAINING = 0.01  # of its processor time
MOST_SECONDS = 10.0  # of one core, for a table of `RUNS` runs that nobody has looked at before
RUNS = 10_000
RUN = ["env=hopper", "total_steps=40960", "compile=false", "checkpoint_seconds=0"]  # one checkpoint per iteration


class Clock:
    """Processor seconds spent in what it has wrapped."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A function that does the same."""

        def run(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds += time.process_time() - started

        return run

    def sha256(self, content: Any = b"") -> Any:
        """`hashlib.sha256`, timed, and so are its methods."""
        made = self.timed(hashlib.sha256)(content)
        return SimpleNamespace(update=self.timed(made.update), hexdigest=self.timed(made.hexdigest))


def attack(full: bool) -> Result:
    """Two bounds: broken if either is exceeded."""
    with tempfile.TemporaryDirectory() as scratch, quiet():
        share = share_of_training(Path(scratch) / "a", RUN if full else [*RUN, "total_steps=20480"])
        runs = RUNS if full else RUNS // 10
        cold, warm = seconds_of_table(Path(scratch) / "b", runs)
    broke = [f"{share:.2%} of a training"] if share > MOST_OF_A_TRAINING else []
    broke += [f"{cold:.1f} s for {runs} runs"] if cold * RUNS / runs > MOST_SECONDS else []
    note = f"{share:.2%} of a training; {runs} runs in {cold:.1f} s of one core, {warm:.1f} s the second time"
    return Result("cost of the checksums", 2, broke, note)


def share_of_training(store: Path, overrides: list[str]) -> float:
    """Processor time in checksums and in reading what they cover, per processor time of a training."""
    clock, started = Clock(), time.process_time()
    library = SimpleNamespace(sha256=clock.sha256, file_digest=clock.timed(hashlib.file_digest))
    with (
        patch.object(tables, "hashlib", library), patch.object(checkpoints, "hashlib", library),
        patch.object(folder, "hashlib", library), patch.object(results, "hashlib", library),
        patch.object(files, "hashlib", library),
    ):  # fmt: skip
        outcomes = train([compose([*overrides, f"outputs={store}"])])
    assert outcomes[0].result is not None, outcomes[0].error
    return clock.seconds / (time.process_time() - started)


def seconds_of_table(store: Path, runs: int) -> tuple[float, float]:
    """Processor seconds of loading a sweep, with nothing remembered and with everything."""
    write_store(store, runs)
    taken = []
    with patch.object(verified, "RACY_SECONDS", -1.0):
        for _ in range(2):
            verified._memory.cache_clear()
            started = time.process_time()
            loaded = load_sweep("large", store)
            taken.append(time.process_time() - started)
            assert loaded is not None
            assert list(loaded.frame.state) == [State.DONE] * runs
            verified.memory_of(store / "runs" / "a" / "b" / "c").write()
    shutil.rmtree(store)
    return taken[0], taken[1]
