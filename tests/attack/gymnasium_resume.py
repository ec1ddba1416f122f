"""Trainings of env=gymnasium are killed in the middle of their episodes and resumed: the same bytes, by replay."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.attack.result import Result

ROOT = Path(__file__).parents[2]


class Task(NamedTuple):
    """A training with several actors that ends no episode at the end of every iteration."""

    env_id: str
    total_steps: int
    horizon: int


TASKS = [
    Task("CartPole-v1", 20_480, 64), Task("Humanoid-v5", 4096, 32), Task("Pendulum-v1", 16_384, 64),
    Task("Acrobot-v1", 16_384, 64), Task("MountainCarContinuous-v0", 16_384, 64), Task("Ant-v5", 4096, 32),
]  # fmt: skip
ACTORS, KILLS, FEW = 4, 3, 2
FIRST = 120.0  # seconds, at most, until a training has its first checkpoint


def attack(full: bool) -> Result:
    """Every task is killed up to three times; if not full, two tasks are killed once."""
    moments, broke, tried, exact = random.Random(13), list[str](), 0, 0
    for task in TASKS if full else TASKS[:FEW]:
        with tempfile.TemporaryDirectory() as folder:
            undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
            subprocess.run(_command(task, undisturbed), check=True, **_QUIET)
            kills = [_kill(task, killed, moments) for _ in range(KILLS if full else 1)]
            done = subprocess.run(_command(task, killed), check=False, **_QUIET)
            tried += max(sum(kills), 1)
            if not any(kills) or done.returncode != 0:
                broke.append(f"{task.env_id}: {sum(kills)} kills, exit {done.returncode}")
                continue
            resumes = json.loads(next(killed.rglob("result.json")).read_text())["resumes"]
            exact += sum(resume["exact"] for resume in resumes)
            told = [resume for resume in resumes if not resume["exact"]]
            if _tables(killed) != _tables(undisturbed) or told or not resumes:
                broke.append(f"{task.env_id}: {sum(kills)} kills, other bytes; {resumes}")
    return Result("env=gymnasium killed in mid-episode and resumed", tried, broke, f"{exact} exact resumes")


_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}


def _command(task: Task, outputs: Path) -> list[str]:
    sizes = [f"algorithm.num_actors={ACTORS}", f"algorithm.horizon={task.horizon}", "algorithm.minibatch_size=64"]
    rest = ["algorithm.epochs=2", f"total_steps={task.total_steps}", "compile=false", "checkpoint_seconds=0"]
    return [sys.executable, "-m", "ppo", "env=gymnasium", f"env.id={task.env_id}", *sizes, *rest, f"outputs={outputs}"]


def _kill(task: Task, outputs: Path, moments: random.Random) -> bool:
    """Train, and kill -9 some time after a checkpoint was written; whether it came to that."""
    before = _written(outputs)
    process = subprocess.Popen(_command(task, outputs), **_QUIET)
    deadline = time.monotonic() + FIRST
    while process.poll() is None and _written(outputs) <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(moments.uniform(0.0, 0.4))
    process.kill()
    return process.wait() != 0


def _written(outputs: Path) -> int:
    """When a checkpoint was last written, in nanoseconds; 0: never."""
    times = [0]
    for path in outputs.rglob("checkpoint.pt"):
        try:
            times.append(os.stat(path).st_mtime_ns)
        except FileNotFoundError:  # moved away just now
            continue
    return max(times)


def _tables(outputs: Path) -> tuple[bytes, list[bytes]]:
    """A run's episodes.csv, and its updates.csv without the column of speeds."""
    (folder,) = outputs.glob("runs/*/*/seed-*")
    rows = (folder / "updates.csv").read_bytes().splitlines()
    return (folder / "episodes.csv").read_bytes(), [row.rpartition(b",")[0] for row in rows]
