"""Small packs on their way through a session."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ppo.config.compose import compose
from ppo.config.identity import pack_key
from ppo.config.run import Config
from ppo.runs.folder import RunFolder
from ppo.runs.member import Member, Outcome
from ppo.runs.store import folder_of
from ppo.session import Interrupted, train_pack

SMALL = ["env=inverted_pendulum", "algorithm.horizon=128", "algorithm.epochs=1", "network.hidden=[4]"]
STEPS, ITERATIONS = 640, 5


def run(outputs: Path, seed: int = 0, *extra: str) -> Config:
    return compose([*SMALL, f"total_steps={STEPS}", "compile=false", f"seed={seed}", f"outputs={outputs}", *extra])


def members_of(configs: Sequence[Config]) -> list[Member]:
    assert len({pack_key(config) for config in configs}) == 1
    members = []
    for config in configs:
        folder = RunFolder(folder_of(config), config)
        folder.check()
        members.append(Member(Outcome(config, folder.path), folder, compiled=False))
    return members


def finish(configs: Sequence[Config], marker: Path | None = None) -> list[Outcome]:
    members = members_of(configs)
    train_pack(members, lambda: False, marker)
    return [member.outcome for member in members]


def stop_after(iterations: int, members: Sequence[Member], before: Callable[[int], None] = lambda number: None) -> str:
    """Train, interrupt after so many iterations, and return what is said then.

    `before` is called with the number of each iteration that begins.
    """
    begun = 0

    def stopping() -> bool:
        nonlocal begun
        before(begun)
        begun += 1
        return begun > iterations

    with pytest.raises(Interrupted) as interrupted:
        train_pack(members, stopping)
    return str(interrupted.value)


def status(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "status.json").read_text())


def updates(folder: Path) -> list[dict[str, str]]:
    with (folder / "updates.csv").open(newline="") as file:
        return list(csv.DictReader(file))
