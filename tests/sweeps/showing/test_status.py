"""The state of a sweep, from run folders alone: counts, a table, json, and the exit status."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from ppo.config.identity import short
from ppo.runs import verified
from ppo.runs.files import sha256_of, write_json
from ppo.runs.row import RunRow
from ppo.runs.states import State
from sweeps import commands
from sweeps.__main__ import main
from sweeps.home import Home
from sweeps.planning.catalogue import Catalogue
from sweeps.planning.runs import Run
from sweeps.planning.spec import load
from sweeps.showing.status import Status, read_status, render
from tests.large_store import write_store
from tests.sweeps.folders import ELSEWHERE, dead_pid, tiny_runs, write_command, write_done, write_status
from tests.sweeps.small import TINY

Show = Callable[..., str]


def look(runs: list[Run], store: Path, driver: dict[str, Any] | None = None) -> Status:
    status = read_status(Catalogue("tiny", store, [run.row for run in runs]))
    return status._replace(driver=driver or {})


def name_of(folder: Path) -> str:
    """What the tiny sweep is called in its store."""
    return load(str(folder / "tiny.yaml")).name


def drawn(status: Status) -> str:
    """The picture, as a wide file takes it."""
    console = Console(file=io.StringIO(), width=400)
    console.print(render(status))
    return console.file.getvalue()  # type: ignore[attr-defined]


def line(picture: str, start: str) -> list[str]:
    """The words of the one line that starts so, without these."""
    (found,) = (line for line in picture.splitlines() if line.startswith(start))
    return found.removeprefix(start).split()


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Clip, None and KL, two seeds each, and nothing trained."""
    return tiny_runs(tmp_path, seeds=2)


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_headline_counts_runs_by_state(tmp_path: Path, runs: list[Run]) -> None:
    write_done(runs[0].folder)
    write_done(runs[1].folder)
    write_status(runs[2].folder, "failed")
    status = look(runs, tmp_path)
    assert status.counts == {State.DONE: 2, State.FAILED: 1, State.NEW: 3}
    assert drawn(status).splitlines()[0] == "tiny: 6 runs: 2 done, 1 failed, 3 new"


def test_a_setting_is_a_row_with_its_share_of_steps_and_its_states(tmp_path: Path, runs: list[Run]) -> None:
    write_done(runs[0].folder)
    write_status(runs[1].folder, "planned", step=64)
    picture = drawn(look(runs, tmp_path))
    assert line(picture, "setting") == ["steps", "new", "planned", "done"]
    assert line(picture, "Clip") == ["62%", "1", "1"]  # (256 + 64) / 512
    assert line(picture, "None") == ["0%", "2"]


def test_who_drives_the_sweep_is_shown(tmp_path: Path, runs: list[Run]) -> None:
    picture = drawn(look(runs, tmp_path, {"pid": 77, "host": ELSEWHERE}))
    assert picture.splitlines()[0].endswith(f"(run by process 77 on {ELSEWHERE})")


def test_a_heartbeat_from_the_future_is_shown_as_such(tmp_path: Path, runs: list[Run]) -> None:
    write_status(runs[0].folder, "running", host=ELSEWHERE, pid=7, heartbeat=time.time() + 86_400)
    picture = drawn(look(runs, tmp_path))
    assert " ahead " in picture
    assert "unknown" in picture, "and proves nothing"


def test_a_process_in_training_is_a_row_with_the_least_step_of_its_runs(tmp_path: Path, runs: list[Run]) -> None:
    for i, step in enumerate((128, 64, 192)):
        write_status(runs[i].folder, "running", step=step, host=ELSEWHERE, pid=7, heartbeat=time.time() - 62 - i)
    write_status(runs[3].folder, "running", step=1, host=ELSEWHERE, pid=8)
    rows = [text.split() for text in drawn(look(runs, tmp_path)).splitlines() if f" on {ELSEWHERE}" in text]
    assert [row[:7] for row in rows] == [
        ["InvertedPendulum-v5", "2", "settings", "3", "64", "of", "256"],
        ["InvertedPendulum-v5", "None", "1", "1", "of", "256", "0:00"],
    ]
    assert rows[0][7] in ("1:02", "1:03")


def test_a_failed_run_is_shown_with_its_setting_cause_and_folder(tmp_path: Path, runs: list[Run]) -> None:
    write_status(runs[4].folder, "failed", step=128, error="ValueError: no, never")
    picture = drawn(look(runs, tmp_path))
    assert line(picture, short(runs[4].hash)) == ["KL", "128", "ValueError:", "no,", "never", str(runs[4].folder)]


@pytest.mark.parametrize("error", ["ValueError: obs is not [pack, num_actors]", "OSError: no file in [/data/x]"])
def test_a_cause_is_shown_as_it_is_whatever_brackets_it_has(tmp_path: Path, runs: list[Run], error: str) -> None:
    write_status(runs[4].folder, "failed", step=128, error=error)
    assert error in drawn(look(runs, tmp_path))


def test_of_many_failures_twenty_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    runs = tiny_runs(tmp_path, seeds=9)
    for run in runs[:23]:
        write_status(run.folder, "failed", error="ValueError: no")
    picture = drawn(look(runs, tmp_path))
    assert picture.count("ValueError: no") == 20
    assert "and 3 more: ppo-sweeps ls state=failed" in picture


def test_a_lost_job_is_shown_with_how_slurm_says_that_it_ended(
    tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_status(runs[0].folder, "running", pid=dead_pid(), slurm={"SLURM_JOB_ID": "15"})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "lost with" not in drawn(look(runs, tmp_path)), "there is no sacct"
    write_command(tmp_path / "bin", "sacct", "echo '15|OUT_OF_MEMORY'")
    assert "lost with job 15 (OUT_OF_MEMORY)" in drawn(look(runs, tmp_path))


def test_a_sweep_of_which_nothing_is_there_is_all_new(tmp_path: Path, runs: list[Run]) -> None:
    status = look(runs, tmp_path)
    assert status.counts == {State.NEW: 6}
    assert (status.ended, status.all_done) == (True, False)
    assert line(drawn(status), "KL") == ["0%", "2"]


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_sweep_goes_on_while_a_run_is_trained_or_queued(tmp_path: Path, runs: list[Run], state: str) -> None:
    write_status(runs[0].folder, state)
    assert not look(runs, tmp_path).ended


def test_a_sweep_goes_on_while_it_has_a_driver(tmp_path: Path, runs: list[Run]) -> None:
    assert not look(runs, tmp_path, {"pid": 1, "host": ELSEWHERE}).ended


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def show(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> Show:
    """`status` with more options, given the exit status that is expected; what it prints."""

    def command(*options: str, expected: int) -> str:
        arguments = ["status", str(tmp_path / "tiny.yaml"), *TINY, f"outputs={tmp_path}", *options]
        assert main(arguments) == expected
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return command


def test_status_is_0_only_when_every_run_is_done(runs: list[Run], show: Show) -> None:
    show(expected=1)
    for run in runs[:-1]:
        write_done(run.folder)
    show(expected=1)
    write_status(runs[-1].folder, "failed")
    show(expected=1)
    write_done(runs[-1].folder)
    assert show(expected=0).splitlines()[0].endswith(" 6 runs: 6 done")


def test_status_narrowed_to_what_is_done_is_0(runs: list[Run], show: Show) -> None:
    for run in runs:
        if run.label == "KL":
            write_done(run.folder)
    assert show("--setting", "K?", expected=0).splitlines()[0].endswith(" 2 runs: 2 done")
    show("--setting", "*", expected=1)


def test_json_has_every_run(tmp_path: Path, runs: list[Run], show: Show) -> None:
    write_done(runs[0].folder, score=12.5)
    write_status(runs[1].folder, "failed", step=64, error="ValueError: no")
    content = json.loads(show("--json", expected=1))
    assert (content["driver"], content["counts"]) == (None, {"done": 1, "failed": 1, "new": 4})
    assert (content["sweep"], content["outputs"]) == (name_of(tmp_path), str(tmp_path))
    assert [RunRow.from_json(run) for run in content["runs"]] == [run.row for run in runs]
    first = {"state": "done", "step": 256, "score": 12.5, "error": None}
    assert content["runs"][0] == runs[0].row.to_json() | first
    ends = [(run["state"], run["step"], run["score"], run["error"]) for run in content["runs"]]
    assert ends[1:3] == [("failed", 64, None, "ValueError: no"), ("new", 0, None, None)]


def test_looking_makes_no_folders(tmp_path: Path, runs: list[Run], show: Show) -> None:
    show(expected=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.yaml"]


def test_a_driver_that_was_killed_is_not_shown(tmp_path: Path, runs: list[Run], show: Show) -> None:
    home = Home(tmp_path, name_of(tmp_path))
    home.open()
    driver = home.driver()
    assert json.loads(show("--json", expected=1))["driver"] == driver
    home.close()
    write_json(home.path / "driver.json", driver | {"pid": dead_pid()})
    assert json.loads(show("--json", expected=1))["driver"] is None


def test_watching_goes_on_until_the_last_run_has_ended(
    runs: list[Run], show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in runs:
        write_status(run.folder, "running")
    left = list(runs)
    monkeypatch.setattr(commands, "time", SimpleNamespace(sleep=lambda _: write_done(left.pop().folder)))
    shown = show("--watch", expected=0)
    assert not left
    assert " 6 runs: 6 done" in shown


# -- speed -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_files_of_ten_thousand_runs_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, hashed = Catalogue("large", tmp_path, write_store(tmp_path, 10_000)), []

    def count(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr(verified, "sha256_of", count)
    monkeypatch.setattr(verified, "RACY_SECONDS", -1.0)
    for _ in range(2):
        assert drawn(read_status(found)).splitlines()[0] == "large: 10000 runs: 10000 done"
        assert len(hashed) == 3 * 10_000
