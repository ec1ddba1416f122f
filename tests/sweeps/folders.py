"""Run folders written by hand, SLURM as shell scripts, and the command line: what tests that train nothing share."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ppo.config.run import to_mapping
from ppo.runs.files import write_atomically
from sweeps.__main__ import main
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load
from tests.sealed import write_sealed
from tests.sweeps.small import TINY, write_sweep

GOAL = 256  # steps of a run of the tiny sweep
ELSEWHERE = "another-machine"


def tiny_runs(folder: Path, *, seeds: int = 1, envs: tuple[str, ...] = ("inverted_pendulum",)) -> list[Run]:
    """The runs of a sweep file written into `folder`: Clip, None and KL on every task, 256 steps each."""
    return sweep_runs(load(write_sweep(folder, seeds=seeds, envs=envs)), [*TINY, f"outputs={folder}"])


def write_status(folder: Path, state: str, **keys: Any) -> None:
    """A run that this very process marked, a moment ago, unless `keys` say otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    status = {"state": state, "attempts": 1, "host": socket.gethostname(), "pid": os.getpid(), "step": 0}
    status |= {"total_steps": GOAL, "error": None, "slurm": None, "heartbeat": time.time(), "compiled": False}
    write_atomically(folder / "status.json", json.dumps(status | keys).encode())


def write_done(folder: Path, score: float | None = 1.0, **keys: Any) -> None:
    """A run that is done."""
    write_status(folder, "done", step=GOAL)
    result = {"score": score, "episodes": 10, "steps": GOAL, "seconds": 5.0, "code": {"core": "0" * 8}, "commit": None}
    write_sealed(folder, result | keys)


def write_run(run: Run, score: float | None = 1.0, **keys: Any) -> None:
    """A run of a sweep that is done, with what its result says of itself."""
    row = run.row
    write_done(run.folder, score, env=row.env, setting=row.setting, seed=row.seed, run=row.run, **keys)


def write_config(run: Run) -> None:
    """The config.yaml of a run."""
    run.folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(to_mapping(run.config), sort_keys=False)
    (run.folder / "config.yaml").write_text(f"# Run {run.hash}. To train it again: ...\n{text}")


def some_runs(store: Path) -> list[Run]:
    """On two tasks, two seeds each: Clip is done, None failed, KL was interrupted."""
    runs = tiny_runs(store, seeds=2, envs=("inverted_pendulum", "reacher"))
    for run in runs:
        write_config(run)
        if run.label == "Clip":
            write_run(run, score=100.0 + run.config.seed)
        elif run.label == "None":
            write_status(run.folder, "failed", step=128, error="ValueError: no, never\nagain")
        else:
            write_status(run.folder, "planned", step=64)
    return runs


def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


def write_command(folder: Path, name: str, script: str) -> None:
    """A shell script that stands for a command of SLURM."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class Sweeps:
    """`ppo-sweeps WORD ... outputs=STORE`; SWEEP stands for the tiny sweep (two seeds) and its overrides."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.store, self.capsys = folder / "store", capsys  # a store that is not there yet
        self.sweep = [write_sweep(folder, seeds=2), *TINY]

    def __call__(self, *words: str) -> Ended:
        arguments = [argument for word in words for argument in (self.sweep if word == "SWEEP" else [word])]
        status = main([*arguments, f"outputs={self.store}"])
        captured = self.capsys.readouterr()
        return Ended(status, captured.out, captured.err)

    @property
    def name(self) -> str:
        """What the tiny sweep is called in its store."""
        return load(self.sweep[0]).name

    @property
    def runs(self) -> list[Run]:
        """Clip, None and KL, two seeds each, in the store."""
        return sweep_runs(load(self.sweep[0]), [*TINY, f"outputs={self.store}"])
