"""A driver whose disk is full: its packs are refused with that reason, nothing fails, and later `run` goes on."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from ppo.runs.files import DISK_FULL
from ppo.runs.states import TO_TRAIN, State, standing
from sweeps.__main__ import main
from sweeps.home import Home, PackFile
from sweeps.launching import local
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load
from tests.sweeps.small import TINY, write_sweep


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Of a sweep of three runs."""
    return [write_sweep(tmp_path, seeds=1), *TINY, f"outputs={tmp_path}", "launcher.workers=1", "launcher.pack_size=2"]


def runs_of(words: list[str]) -> list[Run]:
    return sweep_runs(load(words[0]), words[1:-2])


def states(words: list[str]) -> list[State]:
    return [standing(run.folder).state for run in runs_of(words)]


@pytest.mark.parametrize("broken", ["write_pack", "_launch"])
def test_a_pack_that_cannot_be_written_down_is_refused_and_the_next_one_trained(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], broken: str
) -> None:
    place = Home if broken == "write_pack" else local
    real = getattr(place, broken)

    def once_full(*arguments: object) -> object:
        monkeypatch.setattr(place, broken, real)
        return full()

    monkeypatch.setattr(place, broken, once_full)
    assert main(["run", *words]) == 1
    assert DISK_FULL in capfd.readouterr().out, "it is in the closing report"
    assert sorted(states(words)) == [State.DONE, State.NEW, State.NEW]
    assert main(["run", *words]) == 0
    assert states(words) == [State.DONE] * 3


def test_a_worker_that_a_full_disk_stopped_fails_no_run_and_blames_none(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "raise SystemExit(74)"))
    assert main(["run", *words]) == 1
    assert DISK_FULL in capfd.readouterr().out
    assert all(state in TO_TRAIN for state in states(words))


def test_a_failure_that_cannot_be_recorded_is_left_to_the_next_run(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), 9)"))
    monkeypatch.setattr(local.RunFolder, "open", full)
    assert main(["run", *words]) == 1
    assert DISK_FULL in capfd.readouterr().out
    assert all(state in TO_TRAIN for state in states(words))


def test_a_store_without_space_for_the_sweeps_own_files_is_one_sentence(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "fsync", full)
    assert main(["run", *words]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "driver.json cannot be written" in error
    assert "No space left" in error


def test_the_log_of_a_pack_follows_no_link(tmp_path: Path) -> None:
    file = PackFile(tmp_path / "pack.json")
    file.log.symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic links"):
        local._launch(file)
    assert not (tmp_path / "theirs").exists()
