"""A run that lasts a fraction of a second, trained in this process, and what it comes to."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ppo.config.compose import compose
from ppo.config.run import Config
from ppo.runs.files import ASIDE
from ppo.runs.results import verify
from ppo.runs.states import State, standing
from ppo.train import Interrupted, Outcome, train

RUN = ("env=inverted_pendulum", "algorithm.horizon=128", "algorithm.epochs=1", "network.hidden=[4]", "total_steps=1024")
SAVED = ("compile=false", "checkpoint_seconds=0")  # a checkpoint after every iteration, eight of them
Bytes = tuple[bytes, bytes, float]  # episodes.csv, updates.csv without speeds, score


def config(store: Path, *overrides: str) -> Config:
    """The run, in a store."""
    return compose([*RUN, *SAVED, f"outputs={store}", *overrides])


def train_some(configs: list[Config], iterations: int) -> None:
    """Train runs and interrupt them after some iterations."""
    asked = iter(range(iterations))
    with suppress(Interrupted):
        train(configs, stop=lambda: next(asked, None) is None)


def train_on(configs: list[Config]) -> list[Outcome]:
    """Train runs to their end, whatever is there."""
    return train(configs)


def bytes_of(folder: Path) -> Bytes:
    """What must be equal, whatever happened on the way."""
    rows = (folder / "updates.csv").read_bytes().splitlines()
    score = json.loads((folder / "result.json").read_bytes())["score"]
    return (folder / "episodes.csv").read_bytes(), b"\n".join(row.rpartition(b",")[0] for row in rows), score


def complaint(folder: Path, expected: Bytes) -> str:
    """What is wrong with a run that should be done; empty if nothing is."""
    found = standing(folder)
    if found.state != State.DONE:
        return f"{found.state}: {found.error}"
    if damage := verify(folder, thorough=True):
        return "; ".join(damage)
    if left := sorted(path.name for path in folder.glob(f".*{ASIDE}")):
        return f"{left[0]} was left"
    return "" if bytes_of(folder) == expected else "other bytes"


@contextmanager
def quiet() -> Iterator[None]:
    """While open, nothing is logged below an error that nobody expects."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
