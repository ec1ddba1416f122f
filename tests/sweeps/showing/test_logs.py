"""`logs`: what one run recorded."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ppo.config.identity import short
from ppo.errors import UserError
from ppo.runs.states import Standing, standing
from sweeps.__main__ import main
from sweeps.planning.runs import Run
from sweeps.showing import listing
from sweeps.showing.listing import find
from tests.sweeps.folders import some_runs, write_done, write_status


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    return some_runs(tmp_path)


def complaint(store: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, f"outputs={store}"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_run_is_found_by_its_hash_a_part_of_its_name_or_its_folder(tmp_path: Path, runs: list[Run]) -> None:
    run = runs[4]
    for name in (run.hash, short(run.hash), run.hash[:6], run.folder.name, str(run.folder)):
        assert find(name, tmp_path) == run.folder


def test_a_name_of_several_runs_is_refused_with_some_of_them(tmp_path: Path, runs: list[Run]) -> None:
    with pytest.raises(UserError, match="expected one folder") as error:
        find("seed-1", tmp_path)
    assert str(error.value).count("seed-1-") == 5


def test_a_name_of_no_run_is_refused(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert "run zzz" in complaint(tmp_path, capsys, "logs", "zzz")


def test_logs_of_a_failed_run_end_with_its_traceback(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = next(run for run in runs if run.label == "None")
    (failed.folder / "log.txt").write_text("attempt 1\nfailed at step 128\n")
    (failed.folder / "traceback.txt").write_text("Traceback\nValueError: no\n")
    assert main(["logs", failed.hash, f"outputs={tmp_path}"]) == 0
    assert capsys.readouterr().out == "attempt 1\nfailed at step 128\nTraceback\nValueError: no\n"


def test_logs_of_a_run_that_was_tried_again_show_no_old_traceback(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    (runs[0].folder / "log.txt").write_text("attempt 2\ndone\n")
    (runs[0].folder / "traceback.txt").write_text("Traceback\n")
    assert main(["logs", runs[0].hash, f"outputs={tmp_path}"]) == 0
    assert capsys.readouterr().out == "attempt 2\ndone\n"


def test_following_a_log_shows_each_line_once_and_ends_when_the_run_ends(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FOLLOW_SECONDS", 0.01)
    run = next(run for run in runs if run.label == "KL")
    write_status(run.folder, "running")

    def train() -> None:
        for i in range(5):
            with (run.folder / "log.txt").open("a") as file:
                file.write(f"line {i}\n")
            time.sleep(0.03)
        write_done(run.folder)

    trainer = threading.Thread(target=train)
    trainer.start()
    assert main(["logs", run.hash, "-f", f"outputs={tmp_path}"]) == 0
    trainer.join()
    assert capsys.readouterr().out == "".join(f"line {i}\n" for i in range(5))


def test_what_is_written_in_the_moment_of_the_end_is_shown(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (runs[0].folder / "log.txt").write_text("attempt 1\n")

    def end(folder: Path) -> Standing:
        (folder / "log.txt").write_text("attempt 1\ndone\n")
        return standing(folder)

    monkeypatch.setattr(listing, "standing", end)
    assert main(["logs", runs[0].hash, f"outputs={tmp_path}"]) == 0
    assert capsys.readouterr().out == "attempt 1\ndone\n"
