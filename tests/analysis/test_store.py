"""Every declared run of a sweep is a row, whatever became of it, and what is missing or mixed is told."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from analysis.records import publish, read_run, record_path
from analysis.store import COLUMNS, find_store, load_sweep, read_record
from tests.analysis.folders import complaint, entry, write_done, write_list, write_state, write_sweep

FOLDERS = 2000
SECONDS_PER_FOLDER = 10 / 10_000


def publish_all(store: Path, entries: list[dict[str, object]], out: Path) -> None:
    write_list(out, entries)
    for run in entries:
        publish(read_run(store / str(run["folder"])), record_path(out, str(run["folder"])))


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_a_row_of_what_its_result_says(tmp_path: Path) -> None:
    (run,) = write_sweep(tmp_path, [12.5])
    row = load_sweep("mine", tmp_path).frame.iloc[0].to_dict()
    assert tuple(row) == COLUMNS
    row.pop("mean_return")
    assert row == {
        "label": "Clip",
        "env": "Hopper-v5",
        "setting": "clip",
        "seed": 0,
        "run": run["hash"],
        "state": "done",
        "score": 12.5,
        "episodes": 20,
        "steps": 2000,
        "seconds": 30.5,
        "code": "00000000",
        "commit": "c" * 40,
        "path": tmp_path / run["folder"],
    }


def test_every_declared_run_is_a_row_in_the_lists_order(tmp_path: Path) -> None:
    entries = [entry("Walker2d-v5", 1), entry("Hopper-v5", 0), entry("Hopper-v5", 2, "None", "none")]
    write_list(tmp_path, entries)
    write_done(tmp_path, entries[1])
    frame = load_sweep("mine", tmp_path).frame
    assert list(frame.run) == [run["hash"] for run in entries]
    assert list(frame.label) == ["Clip", "Clip", "None"]


def test_a_run_that_nobody_declared_is_no_row(tmp_path: Path) -> None:
    write_sweep(tmp_path, [1.0, 2.0])
    write_done(tmp_path, entry("Hopper-v5", 7))
    assert list(load_sweep("mine", tmp_path).frame.seed) == [0, 1]


def test_a_run_without_a_folder_is_new(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()])
    assert list(load_sweep("mine", tmp_path).frame.state) == ["new"]


@pytest.mark.parametrize("state", ["new", "planned", "running", "failed", "pruned"])
def test_a_run_that_is_not_done_has_the_state_of_its_status(tmp_path: Path, state: str) -> None:
    write_list(tmp_path, [entry()])
    write_state(tmp_path, entry(), state)
    row = load_sweep("mine", tmp_path).frame.iloc[0]
    assert row.state == state
    assert row.score is None or math.isnan(row.score)


@pytest.mark.parametrize("content", [None, "", "{", "[1]"])
def test_a_run_said_to_be_done_without_a_result_that_can_be_read_is_lost(tmp_path: Path, content: str | None) -> None:
    write_list(tmp_path, [entry()])
    folder = write_state(tmp_path, entry(), "done")
    if content is not None:
        (folder / "result.json").write_text(content)
    assert list(load_sweep("mine", tmp_path).frame.state) == ["lost"]


def test_a_result_counts_although_the_process_died_before_saying_so(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()])
    write_done(tmp_path, entry())
    write_state(tmp_path, entry(), "running")
    assert list(load_sweep("mine", tmp_path).frame.state) == ["done"]


def test_a_damaged_published_record_is_unreadable_and_not_done(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()])
    path = record_path(tmp_path, entry()["folder"])
    path.parent.mkdir(parents=True)
    path.write_text('{"result": {"sco')
    runs = load_sweep("mine", tmp_path)
    assert list(runs.frame.state) == ["unreadable"]
    assert runs.notes == ["Incomplete: 0 of 1 runs are done (1 unreadable)."]


def test_a_path_of_the_frame_leads_to_its_record(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path / "store", [1.0, 2.0])
    publish_all(tmp_path / "store", entries, tmp_path / "published")
    for store in (tmp_path / "store", tmp_path / "published"):
        frame = load_sweep("mine", store).frame
        assert [read_record(path).result["score"] for path in frame.path] == list(frame.score)


def test_a_published_store_gives_the_frame_of_the_folders_it_came_from(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path / "store", [1.0, 2.5, -3.0])
    publish_all(tmp_path / "store", entries, tmp_path / "published")
    frames = [load_sweep("mine", tmp_path / name).frame for name in ("store", "published")]
    same = [column for column in COLUMNS if column not in ("path", "mean_return")]
    pd.testing.assert_frame_equal(frames[0][same], frames[1][same])


# -- notes -------------------------------------------------------------------------------------------------------------


def test_a_complete_sweep_of_one_code_has_no_notes(tmp_path: Path) -> None:
    write_sweep(tmp_path, [1.0, 2.0])
    assert load_sweep("mine", tmp_path).notes == []


def test_an_incomplete_sweep_says_how_many_runs_are_in_which_state(tmp_path: Path) -> None:
    entries = [entry(seed=seed) for seed in range(6)]
    write_list(tmp_path, entries)
    write_done(tmp_path, entries[0])
    for run, state in zip(entries[1:], ("running", "failed", "failed", "planned"), strict=False):
        write_state(tmp_path, run, state)
    told = "Incomplete: 1 of 6 runs are done (2 failed, 1 new, 1 planned, 1 running)."
    assert load_sweep("mine", tmp_path).notes == [told]


def test_runs_of_several_versions_of_the_code_are_told(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0, 3.0])
    write_done(tmp_path, entries[1], code="11111111")
    write_done(tmp_path, entries[2], code=None)
    told = "Mixed: these runs were made by 3 versions of the training code (00000000, 11111111, unknown)."
    assert load_sweep("mine", tmp_path).notes == [told]


def test_only_finished_runs_are_asked_for_their_code(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0])
    (write_done(tmp_path, entries[1], code="11111111") / "result.json").unlink()
    assert load_sweep("mine", tmp_path).notes == ["Incomplete: 1 of 2 runs are done (1 lost)."]


def test_runs_of_the_same_setting_task_and_seed_are_told(tmp_path: Path) -> None:
    (run,) = write_sweep(tmp_path, [1.0])
    other = run | {"hash": "other", "folder": f"{run['folder']}-other"}
    write_done(tmp_path, other, 2.0)
    write_list(tmp_path, [run, other])
    runs = load_sweep("mine", tmp_path)
    assert list(runs.frame.score) == [1.0, 2.0]
    assert len(runs.notes) == 1
    assert runs.notes[0].startswith("Duplicates: 1 runs have the same setting, task and seed as another")


def test_runs_without_a_score_are_told(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0])
    write_done(tmp_path, entries[0], None, [])
    assert load_sweep("mine", tmp_path).notes == ["1 runs completed no episode and have no score."]


# -- stores and mistakes -----------------------------------------------------------------------------------------------


def test_the_first_store_that_has_the_sweep_is_taken(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in "abc")
    write_list(second, [entry()])
    write_list(third, [entry()])
    assert find_store("mine", [first, second, third]) == second


def test_a_sweep_that_is_nowhere_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    sentence = complaint(find_store, "mine", [tmp_path / "a", tmp_path / "b"])
    where = f"{tmp_path / 'a'} or {tmp_path / 'b'}"
    assert sentence == f"no run of sweep mine under {where}: python -m sweeps run mine makes them."


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"runs": 3}', '{"runs": []}', "\ufeff{}"])
def test_a_list_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    path = write_list(tmp_path, [entry()])
    path.write_text(content)
    assert complaint(load_sweep, "mine", tmp_path).startswith(f"{path} cannot be read as a list of runs: ")


# -- weight ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["analysis.__main__", "analysis.commands"])
def test_analysis_imports_neither_torch_nor_what_trains(module: str) -> None:
    code = f"import sys, {module}; print({{'torch', 'ppo', 'sweeps'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_help_does_not_wait_for_pandas() -> None:
    code = "import sys, analysis.__main__; print({'pandas', 'matplotlib', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_ten_thousand_folders_load_in_ten_seconds(tmp_path: Path) -> None:
    entries = [entry(seed=seed) for seed in range(FOLDERS)]
    write_list(tmp_path, entries)
    result = (write_done(tmp_path, entries[0]) / "result.json").read_bytes()
    for run in entries[1:]:
        (write_state(tmp_path, run, "done") / "result.json").write_bytes(result)
    start = time.perf_counter()
    runs = load_sweep("mine", tmp_path)
    assert (time.perf_counter() - start) / FOLDERS < SECONDS_PER_FOLDER
    assert (runs.frame.state == "done").sum() == FOLDERS
    shutil.rmtree(tmp_path)  # pytest would keep thousands of files, and remove them slowly three sessions later
