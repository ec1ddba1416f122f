"""A run folder has one writer, one run, the columns that its algorithm declares, and an end that is on disk."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.config.run import to_config
from ppo.data import Episode
from ppo.errors import Busy, UserError
from ppo.runs import folder as module
from ppo.runs.configs import differing_keys
from ppo.runs.files import ASIDE, read_json
from ppo.runs.folder import COMMON_COLUMNS, RunFolder
from ppo.runs.member import Member, Outcome, open_all
from ppo.runs.states import State, standing

CONFIG = compose(["algorithm=cem", "seed=3"])
UPDATE = {"iteration": 1, "step": 64, "episodes": 1, "score": 1.5, "steps_per_second": 1e3}


def make(path: Path, **options: Any) -> RunFolder:
    """An open folder with empty tables."""
    folder = RunFolder(path / "run", CONFIG)
    folder.check()
    folder.open(**options)
    folder.restore()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    folder = make(tmp_path)
    yield folder
    folder.close()


def status(folder: RunFolder) -> dict[str, Any]:
    return read_json(folder.path / "status.json") or {}


# -- opening -----------------------------------------------------------------------------------------------------------


def test_an_open_folder_is_a_running_run(folder: RunFolder) -> None:
    assert standing(folder.path).state == State.RUNNING
    assert (status(folder)["attempts"], status(folder)["pid"], status(folder)["step"]) == (1, os.getpid(), 0)


def test_its_config_is_its_whole_input_under_its_full_hash(folder: RunFolder) -> None:
    text = (folder.path / "config.yaml").read_text()
    assert text.startswith(f"# Run {run_hash(CONFIG)}. ")
    assert to_config(yaml.safe_load(text)) == CONFIG


def test_a_folder_has_one_writer(folder: RunFolder) -> None:
    second = RunFolder(folder.path, CONFIG)
    second.check()
    with pytest.raises(Busy, match=f"process {os.getpid()} on"):
        second.open()
    folder.close()
    second.open()
    assert status(second)["attempts"] == 2
    second.close()


def test_the_compile_mode_is_on_record_until_another_is_known(tmp_path: Path) -> None:
    for given, recorded in ((True, True), (None, True), (False, False), (None, False)):
        folder = make(tmp_path, compiled=given)
        folder.close()
        assert status(folder)["compiled"] is recorded


def test_attempts_that_are_no_number_count_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "status.json").write_text('{"attempts": "x"}')
    folder = make(tmp_path)
    folder.close()
    assert status(folder)["attempts"] == 1


def test_what_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f".status.json.7-00000000{ASIDE}").write_text("{")
    make(tmp_path).close()
    assert not list((tmp_path / "run").glob(f"*{ASIDE}"))


def test_another_run_is_refused_with_the_keys_in_which_it_differs(folder: RunFolder) -> None:
    other = RunFolder(folder.path, compose(["algorithm=cem", "seed=4", "env=reacher"]))
    assert differing_keys(folder.path / "config.yaml", other.config) == ["env.id", "seed"]
    with pytest.raises(UserError, match=r"env\.id, seed"):
        other.check()


def test_execution_makes_no_other_run(folder: RunFolder) -> None:
    assert differing_keys(folder.path / "config.yaml", compose(["algorithm=cem", "seed=3", "threads=2"])) == []


@pytest.mark.parametrize("content", ["a: [", "\xff", "a: &a [*a, *a]", "3"])
def test_a_config_that_is_none_is_refused_in_a_sentence(folder: RunFolder, content: str) -> None:
    (folder.path / "config.yaml").write_bytes(content.encode("latin-1"))
    (folder.path / "status.json").unlink()  # which says whose folder it is
    with pytest.raises(UserError) as error:
        RunFolder(folder.path, CONFIG).check()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["a: [", "\xff", "seed: 4", "3"])
def test_a_config_that_is_none_in_a_folder_known_to_be_ours_is_set_aside(folder: RunFolder, content: str) -> None:
    path = folder.path / "config.yaml"
    good = path.read_bytes()
    folder.close()
    path.write_bytes(content.encode("latin-1"))
    again = RunFolder(folder.path, CONFIG)
    assert standing(folder.path).state == State.DAMAGED
    again.check()
    again.open()
    assert path.read_bytes() == good
    assert (folder.path / "config.yaml.bad").read_bytes() == content.encode("latin-1")
    assert any("config.yaml set aside" in text for text in again.damage)
    again.close()


@pytest.mark.parametrize("name", ["result.json", "episodes.csv", "updates.csv", "config.yaml", "status.json"])
def test_a_finished_run_of_which_a_file_is_damaged_loses_its_result_and_nothing_else(
    folder: RunFolder, name: str
) -> None:
    folder.save_checkpoint({})
    folder.finish({"score": 1.5, "steps": CONFIG.goal, "episodes": 0})
    path = folder.path / name
    damaged = path.read_bytes()[:-2]
    path.write_bytes(damaged)
    if name == "status.json":
        assert standing(folder.path).state == State.DONE
        return
    assert standing(folder.path).damage.startswith(name)
    again = RunFolder(folder.path, CONFIG)
    again.check()
    assert again.result() is None
    again.open()
    again.restore()
    kept = [p.read_bytes() for p in folder.path.glob(f"{name}.bad*")]
    assert kept == [damaged]
    assert (folder.path / "result.json.bad").exists()
    again.close()


def test_rows_that_somebody_added_to_a_finished_run_are_kept_aside(folder: RunFolder) -> None:
    folder.save_checkpoint({})
    folder.finish({"score": 1.5, "steps": CONFIG.goal, "episodes": 0})
    good = folder.episodes.read_bytes()
    folder.episodes.write_bytes(good + b"1,2,3\n")
    again = RunFolder(folder.path, CONFIG)
    again.open()
    assert again.restore() is not None
    assert folder.episodes.read_bytes() == good
    assert (folder.path / "episodes.csv.bad").read_bytes() == good + b"1,2,3\n"
    again.close()


def test_a_folder_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run", CONFIG).check()


def test_a_disk_that_is_full_while_a_folder_is_opened_loses_nothing_of_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, compiled=True).pause(128)
    folder, before = RunFolder(tmp_path / "run", CONFIG), read_json(tmp_path / "run" / "status.json") or {}

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomically", full)
        assert open_all([Member(Outcome(CONFIG, folder.path), folder, compiled=True)]) == []
    now = read_json(folder.path / "status.json") or {}
    kept = ("state", "step", "run", "config", "compiled", "attempts")
    assert {key: now.get(key) for key in kept} == {key: before[key] for key in kept}


# -- tables ------------------------------------------------------------------------------------------------------------


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_updates_have_the_common_columns_and_the_algorithms_own(folder: RunFolder) -> None:
    header = folder.updates.read_text().strip().split(",")
    assert set(header) == {*COMMON_COLUMNS, *CONFIG.algorithm.columns}
    assert len(header) == len(COMMON_COLUMNS) + len(CONFIG.algorithm.columns)


def test_episodes_and_updates_are_appended(folder: RunFolder) -> None:
    folder.append([Episode(20, 1.5, 20), Episode(41, 0.1, 21)], UPDATE)
    folder.append([], UPDATE | {"iteration": 2, "step": 128})
    assert folder.episodes.read_text() == "step,return,length\n20,1.5,20\n41,0.1,21\n"
    assert [row["step"] for row in rows(folder.updates)] == ["64", "128"]


def test_a_column_without_a_value_is_nan(folder: RunFolder) -> None:
    folder.append([], UPDATE)
    assert {rows(folder.updates)[0][column] for column in CONFIG.algorithm.columns} <= {"nan"}


def test_a_column_that_nobody_declared_is_an_error_and_nothing_is_written(folder: RunFolder) -> None:
    with pytest.raises(TypeError, match="my_column"):
        folder.append([Episode(20, 1.5, 20)], UPDATE | {"my_column": 1.0})
    assert rows(folder.updates) == rows(folder.episodes) == []


def test_an_artefact_is_a_table_of_its_own(folder: RunFolder) -> None:
    folder.keep_artefact("line", ("scale", "kl"), [[0.0, 0.1], [1.0, 0.2]])
    assert (folder.path / "line.csv").read_text() == "scale,kl\n0.0,0.1\n1.0,0.2\n"


# -- ends --------------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_done_by_its_result(folder: RunFolder) -> None:
    folder.finish({"score": 1.5, "steps": CONFIG.goal, "episodes": 0})
    assert (folder.result() or {}).items() >= {"run": run_hash(CONFIG), "score": 1.5, "steps": CONFIG.goal}.items()
    assert standing(folder.path).state == State.DONE


def test_a_failed_run_has_its_reason_and_traceback_and_whole_rows(folder: RunFolder) -> None:
    folder.append([], UPDATE)
    with folder.updates.open("a") as file:
        file.write("2,12")
    try:
        raise ValueError("no,\nnever")
    except ValueError as error:
        folder.fail(error, 64)
    found = standing(folder.path)
    assert (found.state, found.step, found.status["error"]) == (State.FAILED, 64, "ValueError: no, never")
    assert len(rows(folder.updates)) == 1
    assert "raise ValueError" in (folder.path / "traceback.txt").read_text()


def test_a_table_that_cannot_be_cut_does_not_keep_the_failure_from_being_recorded(folder: RunFolder) -> None:
    folder.restore()
    folder.updates.unlink()
    folder.updates.mkdir()
    folder.fail(RuntimeError("the simulator broke"), 7)
    assert status(folder)["state"] == "failed"
    assert "the simulator broke" in (folder.path / "traceback.txt").read_text()


def test_a_failure_that_cannot_be_recorded_is_logged(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_json", fail)
    folder.fail(ValueError("no"), 64)
    assert "could not record" in caplog.text


def test_a_paused_run_is_planned_again(folder: RunFolder) -> None:
    folder.pause(64)
    assert (standing(folder.path).state, standing(folder.path).step) == (State.PLANNED, 64)
    RunFolder(folder.path, CONFIG).open()


def test_heartbeats_come_every_ten_seconds_at_most(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.beat(64)
    assert status(folder)["step"] == 0
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", -1.0)
    folder.beat(128)
    assert status(folder)["step"] == 128
