"""Notes below a table: what is missing, damaged, mixed, skipped or not exact among the runs behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.notes import MOST_NAMED
from tests.analysis.folders import Analysis, entry, load, write_done, write_list, write_state, write_sweep
from tests.analysis.handmade import run_of, runs_of


def test_a_complete_sweep_of_one_code_has_no_notes(tmp_path: Path) -> None:
    write_sweep(tmp_path, [1.0, 2.0])
    assert load(tmp_path).notes == ()


def test_an_incomplete_sweep_says_how_many_runs_are_in_which_state(tmp_path: Path) -> None:
    entries = [entry(seed=seed) for seed in range(5)]
    write_list(tmp_path, entries)
    write_done(tmp_path, entries[0])
    for run, state in zip(entries[1:], ("failed", "failed", "planned"), strict=False):
        write_state(tmp_path, run, state)
    (note,) = load(tmp_path).notes
    assert "1 of 5 runs are done (2 failed, 1 new, 1 planned)" in note


def test_several_versions_of_a_part_of_the_code_are_reported(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0, 3.0])
    write_done(tmp_path, entries[1], code={"core": "00000000", "algorithm/ppo": "22222222"})
    write_done(tmp_path, entries[2], code={"core": "11111111", "algorithm/ppo": "22222222"})
    (note,) = load(tmp_path).notes
    assert note.startswith("Mixed code")
    assert "core: version 00000000 trained 2 runs (Clip), 11111111 trained 1 run (Clip)" in note
    assert "several trained Clip" in note
    assert "algorithm/ppo" not in note


def test_versions_of_the_code_that_trained_different_settings_are_said_to() -> None:
    rows = [run_of(label, "Hopper-v5", 0, 1.0, code={"core": code}) for label, code in (("A", "1"), ("B", "2"))]
    (note,) = runs_of(rows).notes
    assert "no setting was trained by two versions" in note


def test_different_algorithms_are_not_mixed_code(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0])
    write_done(tmp_path, entries[1], code={"core": "00000000", "algorithm/cem": "22222222"})
    assert load(tmp_path).notes == ()


def test_runs_without_hashes_by_part_are_other_code(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0])
    write_done(tmp_path, entries[1], code={"all": "3d548654"})
    (note,) = load(tmp_path).notes
    assert note.startswith("Mixed code")


def test_a_setting_of_compiled_and_other_runs_is_reported(tmp_path: Path) -> None:
    entries = [*write_sweep(tmp_path, [1.0, 2.0]), entry(label="None", setting="none")]
    write_done(tmp_path, entries[1], compiled=True)
    write_done(tmp_path, entries[2], compiled=True)
    write_list(tmp_path, entries)
    (note,) = load(tmp_path).notes
    assert note.startswith("Mixed modes")
    assert "(Clip)" in note


def test_only_finished_runs_are_asked_for_their_code(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0])
    (write_done(tmp_path, entries[1], code={"core": "1" * 8}) / "result.json").unlink()
    (note,) = load(tmp_path).notes
    assert "1 of 2 runs are done (1 lost)" in note


def test_runs_without_a_score_are_reported(tmp_path: Path) -> None:
    entries = write_sweep(tmp_path, [1.0, 2.0])
    write_done(tmp_path, entries[0], None, [])
    (note,) = load(tmp_path).notes
    assert "1 runs completed no episode" in note


def test_published_runs_are_said_to_be_published(two: Analysis) -> None:
    two.prints("publish", "mine")
    assert any("published" in note and "mine.json.gz" in note for note in load(two.store / "published").notes)


def test_a_damaged_run_counts_as_missing_and_is_named_with_its_reason_and_the_command() -> None:
    damaged = run_of("Clip", "Hopper-v5", 1, None, state="damaged", damage="episodes.csv is not what the run wrote")
    first, second = runs_of([run_of("Clip", "Hopper-v5", 0, 1.0), damaged]).notes
    assert "1 of 2 runs are done (1 damaged)" in first
    assert "Clip, Hopper-v5, seed 1: episodes.csv is not what the run wrote" in second
    assert "ppo-sweeps retry tiny.yaml" in second


def test_of_many_damaged_runs_some_are_named() -> None:
    rows = [run_of("Clip", "Hopper-v5", seed, None, state="damaged", damage="x") for seed in range(MOST_NAMED + 3)]
    (note,) = [note for note in runs_of(rows).notes if note.startswith("Damaged: 7 runs")]
    assert "and 3 more" in note


def test_skipped_gradient_steps_are_counted() -> None:
    rows = [run_of("Clip", "Hopper-v5", seed, 1.0, skipped=skipped) for seed, skipped in enumerate((0, 3, 4, None))]
    (note,) = runs_of(rows).notes
    assert note.startswith("Skipped: 7 gradient steps in 2 runs (Clip)")


def test_resumes_that_were_not_exact_and_other_machines_are_reported() -> None:
    exact, inexact = {"step": 1, "exact": True, "differences": []}, {"step": 1, "exact": False, "differences": []}
    moved = {"step": 1, "exact": True, "differences": ["numpy was 1, is 2"]}
    rows = [run_of("Clip", "Hopper-v5", seed, 1.0, resumes=r) for seed, r in enumerate(([exact], [exact, inexact], []))]
    (note,) = runs_of(rows).notes
    assert note.startswith("Resumed, not exactly: 1 run (Clip)")
    (note,) = runs_of([run_of("None", "Hopper-v5", 0, 1.0, resumes=[moved])]).notes
    assert "1 run (None): numpy was 1, is 2" in note


@pytest.mark.parametrize("resumes", [None, "x", [1], {"exact": False}, [[]]])
def test_what_is_no_list_of_resumes_is_none(resumes: object) -> None:
    assert runs_of([run_of("Clip", "Hopper-v5", 0, 1.0, resumes=resumes)]).notes == ()
