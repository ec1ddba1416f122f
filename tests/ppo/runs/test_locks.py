"""One writer per folder, whatever foreign code does to the descriptor of its lock."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ppo.runs import folder as module
from ppo.runs import locks
from tests.ppo.runs.test_folder import make


def test_a_lock_that_is_released_is_free_even_if_a_forked_child_still_has_it_open(tmp_path: Path) -> None:
    file = locks.acquire(tmp_path / ".lock")
    assert file is not None
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        assert locks.is_locked(tmp_path / ".lock")
        locks.release(file, tmp_path / ".lock")
        assert not locks.is_locked(tmp_path / ".lock")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_file_that_was_opened_in_place_of_a_lock_stays_open(tmp_path: Path) -> None:
    file = locks.acquire(tmp_path / ".lock")
    assert file is not None
    number = file.fileno()
    os.close(number)
    with (tmp_path / "theirs").open("w") as theirs:
        assert theirs.fileno() == number
        assert not locks.holds(file, tmp_path / ".lock")
        locks.release(file, tmp_path / ".lock")
        theirs.write("whole")
    assert (tmp_path / "theirs").read_text() == "whole"


def test_a_run_whose_lock_was_closed_locks_its_folder_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", -1.0)
    folder = make(tmp_path)
    assert folder._lock is not None
    os.close(folder._lock.fileno())
    assert not locks.is_locked(tmp_path / "run" / ".lock")
    folder.beat(7)
    assert locks.is_locked(tmp_path / "run" / ".lock")
    folder.close()
    assert not locks.is_locked(tmp_path / "run" / ".lock")
