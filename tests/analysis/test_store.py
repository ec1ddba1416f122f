"""Every declared run of a sweep is a row, whatever became of it; missing and mixed runs are reported."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from analysis.store import COLUMNS
from tests.analysis.folders import (
    Analysis,
    complaint,
    digest,
    entry,
    load,
    write_done,
    write_list,
    write_state,
    write_sweep,
)

STORE = Path("outputs")

# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_a_row_of_what_its_result_says(tmp_path: Path) -> None:
    (run,) = write_sweep(tmp_path, [12.5])
    row = load(tmp_path).frame.iloc[0].to_dict()
    assert tuple(row) == COLUMNS
    row.pop("mean_return")
    assert row == {
        **{key: getattr(run, key) for key in ("label", "env", "setting", "setting_hash", "seed", "run", "folder")},
        "suite": "mujoco",
        "state": "done",
        "algorithm": "ppo",
        "score": 12.5,
        "episodes": 20,
        "steps": 2000,
        "seconds": 30.5,
        "compiled": False,
        "mixed_modes": None,
        "skipped": None,
        "resumes": None,
        "damage": "",
        "code": {"core": "00000000"},
        "commit": "c" * 40,
    }


def test_every_declared_run_is_a_row_in_the_lists_order(tmp_path: Path) -> None:
    entries = [entry("Walker2d-v5", 1), entry("Hopper-v5", 0), entry("Hopper-v5", 2, "None", "none")]
    write_list(tmp_path, entries)
    write_done(tmp_path, entries[1])
    frame = load(tmp_path).frame
    assert list(frame.run) == [run.run for run in entries]
    assert list(frame.label) == ["Clip", "Clip", "None"]


def test_a_folder_that_was_moved_is_found_by_the_hash_in_its_name(tmp_path: Path) -> None:
    (run,) = write_sweep(tmp_path, [12.5])
    folder = tmp_path / run.folder
    moved = tmp_path / "runs" / "mine" / "of last week" / folder.name
    moved.parent.mkdir(parents=True)
    folder.rename(moved)
    found = load(tmp_path)
    assert found.frame.score.tolist() == [12.5]
    assert len(found.records()) == 1
    assert found.frame.folder.tolist() == [f"runs/mine/of last week/{folder.name}"]


def test_a_run_that_went_on_in_another_mode_is_reported(tmp_path: Path) -> None:
    entries = [entry(seed=0), entry(seed=1)]
    write_list(tmp_path, entries)
    write_done(tmp_path, entries[0])
    write_done(tmp_path, entries[1], mixed_modes=True)
    (note,) = load(tmp_path).notes
    assert note.startswith("Mixed modes: 1 ")
    assert "Clip" in note


def test_a_run_that_nobody_declared_is_no_row(tmp_path: Path) -> None:
    write_sweep(tmp_path, [1.0, 2.0])
    write_done(tmp_path, entry("Hopper-v5", 7))
    assert list(load(tmp_path).frame.seed) == [0, 1]


def test_a_run_without_a_folder_is_new(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()])
    assert list(load(tmp_path).frame.state) == ["new"]


@pytest.mark.parametrize("state", ["new", "planned", "failed"])
def test_a_run_that_is_not_done_has_the_state_of_its_status(tmp_path: Path, state: str) -> None:
    write_list(tmp_path, [entry()])
    write_state(tmp_path, entry(), state)
    row = load(tmp_path).frame.iloc[0]
    assert row.state == state
    assert row.score is None or math.isnan(row.score)


@pytest.mark.parametrize("content", [None, "", "{", "[1]"])
def test_a_run_without_a_result_is_lost_and_with_one_that_cannot_be_read_damaged(
    tmp_path: Path, content: str | None
) -> None:
    write_list(tmp_path, [entry()])
    folder = write_state(tmp_path, entry(), "done")
    if content is not None:
        (folder / "result.json").write_text(content)
    assert list(load(tmp_path).frame.state) == ["lost" if content is None else "damaged"]


def test_a_result_counts_although_the_process_died_before_saying_so(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()])
    write_done(tmp_path, entry())
    write_state(tmp_path, entry(), "running")
    assert list(load(tmp_path).frame.state) == ["done"]


def test_a_run_leads_to_its_record_in_either_kind_of_store(two: Analysis) -> None:
    two.prints("publish", "mine")
    for folder in (two.store, two.store / "published"):
        runs = load(folder)
        assert [record.result["score"] for record in runs.records()] == [10.0, 30.0]


def test_a_published_store_gives_the_frame_of_the_folders_it_came_from(two: Analysis) -> None:
    write_list(two.store, [entry(seed=seed) for seed in range(3)])
    two.prints("publish", "mine")
    frames = [load(folder).frame.drop(columns="mean_return") for folder in (two.store, two.store / "published")]
    pd.testing.assert_frame_equal(*frames)


# -- law 9 -------------------------------------------------------------------------------------------------------------


def test_a_label_of_several_settings_is_split_by_what_the_settings_are_called(tmp_path: Path) -> None:
    settings = ["ppo clip lr=0.001", "ppo clip lr=0.003"]
    entries = [entry(seed=seed, setting=setting) for setting in settings for seed in (0, 1)]
    write_list(tmp_path, [*entries, entry(label="None", setting="none")])
    assert list(load(tmp_path).frame.label) == [
        *["Clip, ppo clip lr=0.001"] * 2,
        *["Clip, ppo clip lr=0.003"] * 2,
        "None",
    ]


def test_settings_of_one_name_are_split_by_their_hashes(tmp_path: Path) -> None:
    one, two = entry(), entry(seed=1)._replace(setting_hash=digest("another"))
    write_list(tmp_path, [one, two])
    assert list(load(tmp_path).frame.label) == [f"Clip, clip ({run.setting_hash[:12]})" for run in (one, two)]


def test_tasks_and_seeds_do_not_split_a_setting(tmp_path: Path) -> None:
    write_list(tmp_path, [entry(), entry(seed=1), entry("Reacher-v5")])
    assert set(load(tmp_path).frame.label) == {"Clip"}


def test_two_runs_of_one_setting_task_and_seed_are_refused(tmp_path: Path) -> None:
    (run,) = write_sweep(tmp_path, [1.0])
    other = run._replace(run=digest("other"), folder=f"{run.folder}-other")
    write_done(tmp_path, other, 2.0)
    write_list(tmp_path, [run, other])
    sentence = complaint(load, tmp_path)
    assert "Clip on Hopper-v5 with seed 0" in sentence
    assert "ppo-sweeps run mine" in sentence


def test_a_run_that_is_listed_twice_counts_once(tmp_path: Path) -> None:
    (run,) = write_sweep(tmp_path, [1.0])
    write_list(tmp_path, [run, run])
    assert list(load(tmp_path).frame.score) == [1.0]


# -- stores and mistakes -----------------------------------------------------------------------------------------------
