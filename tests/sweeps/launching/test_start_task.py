"""A task survives the signal of a preemption that comes while it starts, and handles it as soon as it can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.launching import start_task

PROBE = """
import os, signal, sys
from sweeps.launching import start_task
os.kill(os.getpid(), signal.SIGUSR2)
print("alive", sys.argv[1:], flush=True)
signal.signal(signal.SIGUSR2, lambda *_: print("handled", flush=True))
print("loaded", flush=True)
start_task.let_through()
print("trains", flush=True)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where a module `probe` is in place of submitit's."""
    (tmp_path / "probe.py").write_text(PROBE)
    return os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(start_task.__file__).parents[2]}"}


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)


def test_a_signal_before_the_handler_waits_for_it(environment: dict[str, str]) -> None:
    done = run(f"{start_task.command(sys.executable)} -u -m probe FOLDER", environment)
    assert done.stdout.splitlines() == ["alive ['FOLDER']", "loaded", "handled", "trains"], done.stderr


def test_a_signal_before_python_is_ignored(environment: dict[str, str], tmp_path: Path) -> None:
    python = tmp_path / "a python"
    python.write_text(f"#!/bin/sh\nkill -USR2 $$\nexec {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    done = run(f"{start_task.command(str(python))} -u -m probe FOLDER", environment)
    assert done.returncode == 0, done.stderr
    assert "handled" in done.stdout


def test_without_it_the_task_dies(environment: dict[str, str]) -> None:
    assert run(f"{sys.executable} -m probe FOLDER", environment).returncode != 0
