"""Output never fails: not where it cannot be encoded, not where it is closed, not where its reader has seen enough."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ppo.runs.terminal import prepare_streams

ROOT = Path(__file__).parents[3]
COMMANDS = ("ppo --help", "sweeps plan smoke", "analysis table3 --out tables")


def test_what_cannot_be_encoded_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    prepare_streams()
    print("ε = 0.2", flush=True)
    assert raw.getvalue() == b"? = 0.2\n"


def test_what_is_closed_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    prepare_streams()
    print("nobody reads this")
    assert sys.stdout.writable()
    sys.stdout.close()


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = command.replace("PYTHON", f"'{sys.executable}'")
    variables = os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, cwd=folder, env=variables, timeout=100
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_stdout_is_no_traceback(command: str, tmp_path: Path) -> None:
    done = run(f"PYTHON -m {command} >&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["sweeps plan smoke", "analysis table1"])
def test_a_reader_that_has_seen_enough_is_no_error(command: str, tmp_path: Path) -> None:
    done = run(f"PYTHON -m {command} | true; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_label_that_the_terminal_cannot_show_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text('settings: {"ε → 0": [surrogate=none]}\n', encoding="utf-8")
    done = run("PYTHON -m sweeps plan mine.yaml", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "? ? 0" in done.stdout
