"""Table 1 on hand-made runs: every cell has a known answer, and what is missing is shown as missing."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from analysis.normalise import Reference
from analysis.results.table1 import PUBLISHED, by_task, compute, strata, to_table
from analysis.store import Runs
from tests.analysis.folders import digest
from tests.analysis.handmade import reference_of, run_of, runs_of

CLIP, NONE = "Clipping, epsilon = 0.2", "No clipping or penalty"
SCORES = {
    (CLIP, "Hopper"): (22.0, 38.0),
    (CLIP, "Reacher"): (-10.0, -6.0),
    (NONE, "Hopper"): (0.0, 6.0),
    (NONE, "Reacher"): (-30.0, -20.0),
}
REFERENCE = Reference(
    random={"untrained": {"Hopper": 10.0, "Reacher": -20.0}, "uniform": {"Hopper": 0.0, "Reacher": -10.0}},
    best={"run": {"Hopper": 50.0, "Reacher": 0.0}, "setting": {"Hopper": 30.0, "Reacher": -5.0}},
    missing={},
)
# Clipping, untrained/run: 0.3 and 0.7 on Hopper, 0.5 and 0.7 on Reacher. None: -0.25 and -0.1, -0.5 and 0.


def made(missing: tuple[tuple[str, str, int], ...] = (), seeds: int = 2) -> Runs:
    """2 settings x 2 tasks x 2 seeds, of which some may not be done."""
    rows = []
    for (label, env), scores in SCORES.items():
        for seed, score in enumerate(scores[:seeds]):
            rows.append(run_of(label, env, seed, None if (label, env, seed) in missing else score))
    return runs_of(rows)


def entry(runs: Runs, label: str = CLIP) -> pd.Series:
    return compute(runs, REFERENCE).set_index("label").loc[label]


def cells(runs: Runs, label: str = CLIP) -> dict[str, str]:
    table = to_table(compute(runs, REFERENCE), runs, REFERENCE)
    (row,) = [row for row in table.rows if row[0] == label]
    return dict(zip(table.header, row, strict=True))


def test_a_reading_in_which_nothing_beats_the_random_policy_is_a_hyphen_and_a_note() -> None:
    uniform = {"Hopper": 0.0, "Reacher": 5.0}  # above every result on Reacher
    reference = REFERENCE._replace(random=REFERENCE.random | {"uniform": uniform})
    runs = made()
    table = to_table(compute(runs, reference), runs, reference)
    assert [row[-2:] for row in table.rows] == [["-", "-"]] * 2
    (note,) = [note for note in table.notes if note.startswith("uniform/run, uniform/setting: no score")]
    assert note.endswith(": Reacher.")
    assert not [note for note in to_table(compute(runs, REFERENCE), runs, REFERENCE).notes if "no score" in note]


# -- every cell --------------------------------------------------------------------------------------------------------


def test_settings_have_a_row_each_in_the_order_of_the_sweep() -> None:
    assert compute(made(), REFERENCE).label.tolist() == [CLIP, NONE]


@pytest.mark.parametrize(("label", "score"), [(CLIP, (0.3 + 0.7 + 0.5 + 0.7) / 4), (NONE, (-0.25 - 0.1 - 0.5 + 0) / 4)])
def test_the_score_is_the_mean_normalised_score_of_all_runs(label: str, score: float) -> None:
    assert entry(made(), label).score == pytest.approx(score)


@pytest.mark.parametrize(
    ("label", "low", "high"),
    [
        (CLIP, (0.3 + 0.3 + 0.5 + 0.5) / 4, (0.7 + 0.7 + 0.7 + 0.7) / 4),
        (NONE, (-0.25 - 0.25 - 0.5 - 0.5) / 4, (-0.1 - 0.1) / 4),
    ],
)
def test_the_interval_of_two_seeds_reaches_from_all_worst_to_all_best(label: str, low: float, high: float) -> None:
    # Two tasks of two runs: drawing the worse run each time has probability 1/16, more than 2.5 %.
    assert (entry(made(), label).low, entry(made(), label).high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("reading", "clip", "none"),
    [
        ("untrained/run", (0.3 + 0.7 + 0.5 + 0.7) / 4, (-0.25 - 0.1 - 0.5 + 0) / 4),
        ("untrained/setting", (0.6 + 1.4 + 10 / 15 + 14 / 15) / 4, (-0.5 - 0.2 - 10 / 15 + 0) / 4),
        ("uniform/run", (0.44 + 0.76 + 0 + 0.4) / 4, (0 + 0.12 - 2 - 1) / 4),
        ("uniform/setting", (22 / 30 + 38 / 30 + 0 + 0.8) / 4, (0 + 0.2 - 4 - 2) / 4),
    ],
)
def test_the_score_under_each_reading_is_known(reading: str, clip: float, none: float) -> None:
    assert compute(made(), REFERENCE)[reading].tolist() == pytest.approx([clip, none])


def test_the_papers_number_is_beside_ours_with_the_difference() -> None:
    assert entry(made(), CLIP).paper == 0.82
    assert entry(made(), CLIP).difference == pytest.approx(0.55 - 0.82)
    assert entry(made(), NONE).paper == -0.39
    assert entry(made(), NONE).difference == pytest.approx(-0.2125 + 0.39)


def test_a_setting_that_the_paper_has_not_has_no_number_of_it() -> None:
    runs = runs_of([run_of("Mine", "Hopper", seed, 30.0) for seed in (0, 1)])
    assert math.isnan(entry(runs, "Mine").paper)
    assert (cells(runs, "Mine")["paper"], cells(runs, "Mine")["difference"]) == ("-", "-")


def test_the_paper_has_eleven_settings_and_the_sweep_calls_them_the_same() -> None:
    from sweeps.planning.spec import load

    assert pd.read_csv(PUBLISHED).label.tolist() == list(load("table1").settings)
    assert len(pd.read_csv(PUBLISHED)) == 11


def test_a_row_as_printed_is_known_in_every_cell() -> None:
    assert cells(made()) == {
        "setting": CLIP,
        "score": "0.55",
        "95 % interval": "0.40 to 0.70",
        "runs": "4/4",
        "paper": "0.82",
        "difference": "-0.27",
        "untrained/setting": "0.90",
        "uniform/run": "0.40",
        "uniform/setting": "0.70",
    }


def test_a_difference_upwards_has_a_sign() -> None:
    assert cells(made(), NONE)["difference"] == "+0.18"  # of 0.1775


def test_the_notes_say_which_reading_is_printed_and_of_how_many_tasks_and_seeds() -> None:
    runs = made()
    table = to_table(compute(runs, REFERENCE), runs, REFERENCE)
    assert table.title == "Table 1 (tiny)"
    assert table.notes[0].startswith("Mean over 2 tasks x 2 seeds of the score ")
    assert "0 is the untrained policy and 1 the best run" in table.notes[0]
    assert len(table.notes) == 2  # nothing is missing


def test_runs_that_were_shorter_than_the_papers_are_reported() -> None:
    runs = runs_of([run_of(CLIP, "Hopper", seed, 30.0, steps=20_480) for seed in (0, 1)])
    assert "20,480 steps" in to_table(compute(runs, REFERENCE), runs, REFERENCE).notes[-1]


def test_tasks_are_strata_whatever_the_order_of_the_runs() -> None:
    frame = made().frame.iloc[[0, 2, 1, 3]]  # of clipping
    assert [scores.tolist() for scores in strata(frame, frame.score)] == [[22, 38], [-10, -6]]


def test_the_frame_of_the_runs_is_left_as_it_is() -> None:
    runs = made()
    compute(runs, REFERENCE)
    pd.testing.assert_frame_equal(runs.frame, made().frame)


# -- what is missing ---------------------------------------------------------------------------------------------------

ONE_MISSING = ((CLIP, "Reacher", 0),)


def test_a_missing_run_is_left_out_of_the_mean_and_counted() -> None:
    row = entry(made(ONE_MISSING))
    assert (row.done, row.declared) == (3, 4)
    assert row.score == pytest.approx((0.3 + 0.7 + 0.7) / 3)
    assert entry(made(ONE_MISSING), NONE).score == entry(made(), NONE).score


def test_a_missing_run_is_shown_in_its_cell_and_in_a_note() -> None:
    runs = made(ONE_MISSING)
    assert cells(runs)["runs"] == "3/4"
    assert cells(runs, NONE)["runs"] == "4/4"
    assert "7 of 8 runs are done" in to_table(compute(runs, REFERENCE), runs, REFERENCE).notes[-1]


def test_20_of_21_runs_are_reported_as_such() -> None:
    rows = [run_of(CLIP, env, seed, 20.0 + seed) for env in "ABCDEFG" for seed in range(3)]
    rows[-1] = run_of(CLIP, "G", 2, None)
    zeros, ones = dict.fromkeys("ABCDEFG", 0.0), dict.fromkeys("ABCDEFG", 100.0)
    reference = reference_of(zeros, ones)
    runs = runs_of(rows)
    table = to_table(compute(runs, reference), runs, reference)
    assert table.rows[0][3] == "20/21"
    assert any("20 of 21 runs are done" in note for note in table.notes)


def test_a_setting_without_a_finished_run_is_shown_with_nothing() -> None:
    runs = made(tuple((NONE, env, seed) for env in ("Hopper", "Reacher") for seed in (0, 1)))
    row = cells(runs, NONE)
    assert row.pop("runs") == "0/4"
    assert row.pop("paper") == "-0.39"
    assert row.pop("setting") == NONE
    assert set(row.values()) == {"-"}


def test_a_run_that_completed_no_episode_is_left_out_and_reported() -> None:
    rows = made().frame.to_dict("records")
    rows[2]["score"] = math.nan
    runs = runs_of(rows)
    assert cells(runs)["runs"] == "3/4"
    notes = to_table(compute(runs, REFERENCE), runs, REFERENCE).notes
    assert any("1 runs completed no episode" in note for note in notes)


def test_runs_in_any_state_but_done_have_no_say() -> None:
    rows = made().frame.to_dict("records")
    rows[2] |= {"state": "failed", "score": 1e9}
    assert entry(runs_of(rows)).score == entry(made(ONE_MISSING)).score


def test_one_seed_has_no_interval_and_says_so() -> None:
    runs = made(seeds=1)
    assert math.isnan(entry(runs).low)
    assert math.isnan(entry(runs).high)
    assert cells(runs)["95 % interval"] == "n=1, none"
    assert cells(runs)["score"] == "0.40"  # of 0.3 and 0.5


# -- what does not belong together -------------------------------------------------------------------------------------


def test_a_row_never_averages_over_two_settings() -> None:
    rows = [
        run_of("Mine", "Hopper", seed, score, setting=f"lr={lr}", setting_hash=digest(lr), run=digest(lr, seed))
        for lr, scores in ((1, (20.0, 30.0)), (3, (40.0, 50.0)))
        for seed, score in enumerate(scores)
    ]
    frame = compute(runs_of(rows), REFERENCE).set_index("label")
    assert frame.score.to_dict() == pytest.approx({"Mine, lr=1": 0.375, "Mine, lr=3": 0.875})


def test_runs_of_two_versions_of_the_code_are_reported() -> None:
    rows = made().frame.to_dict("records")
    rows[0]["code"] = {"core": "c1"}
    runs = runs_of(rows)
    assert any(note.startswith("Mixed code") for note in to_table(compute(runs, REFERENCE), runs, REFERENCE).notes)


# -- without a reference -----------------------------------------------------------------------------------------------


def test_a_setting_with_a_task_that_cannot_be_normalised_has_no_score_and_the_note_says_why() -> None:
    known = REFERENCE._replace(
        random={"untrained": {"Hopper": 10.0}, "uniform": {"Hopper": 0.0}}, missing={"Reacher": "train one"}
    )
    runs = runs_of([*made().frame.to_dict("records"), run_of("Mine", "Hopper", 0, 30.0)])
    table = to_table(compute(runs, known), runs, known)
    shown = {row[0]: row[1:4] for row in table.rows}
    assert shown == {CLIP: ["-", "-", "4/4"], NONE: ["-", "-", "4/4"], "Mine": ["0.50", "n=1, none", "1/1"]}
    assert any("Reacher" in note and "train one" in note for note in table.notes)


# -- by task -----------------------------------------------------------------------------------------------------------


def test_scores_by_task_are_raw_means_with_the_sample_deviation() -> None:
    table = by_task(made())
    assert table.header == ["setting", "Hopper", "Reacher"]
    assert table.rows == [
        [CLIP, "30.0 ± 11.3", "-8.0 ± 2.8"],  # 22 and 38: sqrt(128); -10 and -6: sqrt(8)
        [NONE, "3.0 ± 4.2", "-25.0 ± 7.1"],
    ]


def test_a_task_with_missing_runs_says_how_many_it_has() -> None:
    table = by_task(made(ONE_MISSING))
    assert table.rows[0] == [CLIP, "30.0 ± 11.3", "-6.0 (n=1) (1/2)"]
    assert "7 of 8 runs are done" in table.notes[0]


def test_a_task_without_a_finished_run_and_one_that_was_not_declared_look_different() -> None:
    rows = [run_of("A", "Hopper", 0, 1.0), run_of("A", "Reacher", 0, None), run_of("B", "Hopper", 0, 2.0)]
    assert by_task(runs_of(rows)).rows == [["A", "1.0 (n=1)", "- (0/1)"], ["B", "2.0 (n=1)", "-"]]


def test_a_score_of_fewer_tasks_than_were_declared_says_so() -> None:
    runs = made(missing=((CLIP, "Hopper", 0), (CLIP, "Hopper", 1)))
    notes = to_table(compute(runs, REFERENCE), runs, REFERENCE).notes
    (note,) = [note for note in notes if note.startswith(CLIP)]
    assert "1 of 2 tasks" in note
    assert "Hopper" in note
    assert not [note for note in to_table(compute(made(), REFERENCE), made(), REFERENCE).notes if "of 2 tasks" in note]
