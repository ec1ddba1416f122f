"""A worker imports our packages whatever the working directory has, and the user's own modules after them."""

from __future__ import annotations

import os
import shlex
import site
import subprocess
from pathlib import Path

import pytest

from ppo.runs.exits import Exit
from ppo.runs.states import State, standing
from sweeps.__main__ import main
from sweeps.launching import local, slurm, start
from sweeps.planning.runs import sweep_runs
from sweeps.planning.spec import load

ENVIRONMENT = """
import gymnasium
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

gymnasium.register("Mine-v0", entry_point=CartPoleEnv, max_episode_steps=50)
"""
OVERRIDES = [
    "env.id=my_tasks:Mine-v0",
    "algorithm.horizon=64",
    "algorithm.epochs=1",
    "total_steps=128",
    "compile=false",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with modules of the names of ours, and a task of the user's own."""
    for name in ("ppo", "sweeps", "analysis"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    (tmp_path / "my_tasks.py").write_text(ENVIRONMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_worker_imports_our_packages_and_not_the_working_directorys(folder: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [*local.WORKER, "absent.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (Exit.MISTAKE, ""), done.stderr
    assert "absent.json cannot be read as a pack" in done.stderr


@pytest.mark.slow
def test_a_task_of_the_users_is_trained_beside_modules_of_our_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(start.ROOT)))
    (folder / "mine.yaml").write_text("grid: {env: gymnasium, seed: [0, 1]}\n")
    arguments = ["mine.yaml", *OVERRIDES, f"outputs={folder / 'store'}"]
    assert main(["run", *arguments]) == 0
    runs = sweep_runs(load("mine.yaml"), arguments[1:])
    assert {standing(run.folder).state for run in runs} == {State.DONE}


def test_a_task_of_a_job_array_finds_our_packages_too(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = slurm._search_path()
    assert exported == [] or shlex.quote(start.ROOT) in exported[0]
    monkeypatch.setattr(site, "getsitepackages", lambda: [start.ROOT])
    assert slurm._search_path() == [], "before its other modules, site-packages must not come"
