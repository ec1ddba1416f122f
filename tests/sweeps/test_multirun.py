"""Hydra's multirun, `python -m ppo -m`: the same plan, packs and folders as a sweep, through the launcher plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.runs.store import folder_of
from sweeps.launching import local
from sweeps.launching.launchers import Local
from sweeps.multirun import train
from tests.sweeps.small import TINY

pytestmark = pytest.mark.slow
LOCAL = Local("local", workers=2, pack_size="auto")


def multirun(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m ppo -m ...` from another folder than the repository."""
    command = [sys.executable, "-m", "ppo", "-m", *TINY, f"outputs={folder}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | variables
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


def path_of(*overrides: str, outputs: Path) -> str:
    return str(folder_of(compose([*TINY, *overrides, f"outputs={outputs}"])))


def test_every_combination_is_trained_and_printed_in_hydras_order(tmp_path: Path) -> None:
    done = multirun("env=reacher,inverted_pendulum", "seed=1,0", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("score ")]
    orders = [("reacher", 1), ("reacher", 0), ("inverted_pendulum", 1), ("inverted_pendulum", 0)]
    assert printed == [path_of(f"env={env}", f"seed={seed}", outputs=tmp_path) for env, seed in orders]
    assert len(list(tmp_path.glob("sweeps/multirun-*/packs/*.json"))) == 2
    assert list(tmp_path.glob("hydra/*/multirun.yaml")), "Hydra notes what it was asked for inside the store"


def test_launcher_keys_are_hydras_and_a_mistake_starts_nothing(tmp_path: Path) -> None:
    done = multirun("seed=0,1", "hydra.launcher.pack_size=1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("sweeps/multirun-*/packs/*.json"))) == 2
    wrong = multirun("seed=0,1", "env=hoper", folder=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1
    assert "env=hoper" in wrong.stderr
    assert "hopper" in wrong.stderr


def test_without_sbatch_slurm_is_refused_in_a_sentence(tmp_path: Path) -> None:
    done = multirun("seed=0,1", "hydra/launcher=slurm", folder=tmp_path, PATH=str(tmp_path))
    assert done.returncode == 2
    assert "sbatch is not found here" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_failure_does_not_stop_the_rest_and_stands_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = [*TINY, f"outputs={tmp_path}", "env=inverted_pendulum"]
    jobs = [compose([*shared, f"seed={seed}"]) for seed in range(3)]
    monkeypatch.setenv("SABOTAGE", f"{run_hash(jobs[1])}:raise:50")
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-m", "tests.sweeps.sabotage"))
    (first, no_error), (none, error), (last, _) = train([*jobs, jobs[0]], LOCAL)[:3]
    assert isinstance(first, float)
    assert isinstance(last, float)
    assert (no_error, none) == (None, None)
    assert "RuntimeError: sabotage" in str(error)
