"""Normalised scores: 0 is random and 1 is best, in each reading, whatever the unit of the raw score."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.normalise import BESTS, CHOSEN, Reference, load_reference, make_reference
from analysis.randoms import POLICIES, Randoms
from tests.analysis.folders import complaint

READINGS = [(random, best) for random in POLICIES for best in BESTS]


def frame_of(column: str, *rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[column, "env", "score"])
    return frame.assign(algorithm="ppo", suite="mujoco", setting_hash=frame[column])


def runs() -> pd.DataFrame:
    """Two settings on two tasks; the best single run of each task is not the best setting's."""
    return frame_of(
        "label",
        *[("A", "Hopper", score) for score in (60.0, 100.0)],
        *[("B", "Hopper", score) for score in (90.0, 94.0)],
        *[("A", "Reacher", score) for score in (-10.0, -8.0)],
        *[("B", "Reacher", score) for score in (-5.0, -30.0)],
    )


def random_runs() -> Randoms:
    return Randoms({"untrained": {"Hopper": 10.0, "Reacher": -45.0}, "uniform": {"Hopper": 20.0, "Reacher": -40.0}}, {})


# -- the reference -----------------------------------------------------------------------------------------------------


def test_0_is_what_random_policies_score() -> None:
    reference = make_reference(runs(), random_runs())
    assert reference.random == {
        "untrained": {"Hopper": 10, "Reacher": -45},
        "uniform": {"Hopper": 20, "Reacher": -40},
    }


def test_the_best_is_a_single_run_or_the_mean_of_a_setting() -> None:
    reference = make_reference(runs(), random_runs())
    assert reference.best == {
        "run": {"Hopper": 100, "Reacher": -5},
        "setting": {"Hopper": 92, "Reacher": -9},
    }


def test_random_policies_of_other_tasks_are_left_out() -> None:
    more = random_runs()
    more.scores["uniform"]["Ant"] = 1.0
    assert make_reference(runs(), more) == make_reference(runs(), random_runs())


def test_random_policies_among_the_runs_are_not_the_best() -> None:
    lucky = frame_of("label", ("Random", "Hopper", 1e6)).assign(algorithm="random")
    assert make_reference(pd.concat([runs(), lucky]), random_runs()).best["run"]["Hopper"] == 100


def test_a_task_without_a_random_policy_is_not_normalised_and_the_reason_is_given() -> None:
    randoms = random_runs()
    del randoms.scores["untrained"]["Reacher"]
    reference = make_reference(runs(), randoms._replace(missing={"Reacher": "train one"}))
    assert (reference.covers("Hopper"), reference.covers("Reacher")) == (True, False)
    values = reference.normalise(runs(), *CHOSEN)
    assert values.isna().tolist() == (runs().env == "Reacher").tolist()
    assert reference.explain(["Hopper", "Reacher"]) == ["Not normalised: Reacher: train one."]


def test_tasks_with_the_same_reason_are_one_note() -> None:
    reference = Reference({"untrained": {}, "uniform": {}}, {"run": {}, "setting": {}}, {"A": "why", "B": "why"})
    assert reference.explain(["A", "B"]) == ["Not normalised: A, B: why."]


# -- normalised scores -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("random", "best", "hopper", "reacher"),
    [
        ("untrained", "run", (28 - 10) / (100 - 10), (-33 + 45) / (-5 + 45)),  # 0.2 and 0.3
        ("untrained", "setting", (28 - 10) / (92 - 10), (-33 + 45) / (-9 + 45)),
        ("uniform", "run", (28 - 20) / (100 - 20), (-33 + 40) / (-5 + 40)),  # 0.1 and 0.2
        ("uniform", "setting", (28 - 20) / (92 - 20), (-33 + 40) / (-9 + 40)),
    ],
)
def test_each_reading_equals_a_computation_by_hand(random: str, best: str, hopper: float, reacher: float) -> None:
    frame = frame_of("label", ("A", "Hopper", 28.0), ("A", "Reacher", -33.0))
    values = make_reference(runs(), random_runs()).normalise(frame, random, best)
    assert values.tolist() == pytest.approx([hopper, reacher])


def test_there_are_four_readings_and_the_chosen_one_is_among_them() -> None:
    assert len(READINGS) == 4
    assert CHOSEN in READINGS


@pytest.mark.parametrize(("random", "best"), READINGS)
def test_the_random_policy_is_0_and_the_best_is_1_on_every_task(random: str, best: str) -> None:
    reference = make_reference(runs(), random_runs())
    zeros, ones = reference.random[random], reference.best[best]
    frame = frame_of("label", *[("A", env, scores[env]) for scores in (zeros, ones) for env in ("Hopper", "Reacher")])
    assert reference.normalise(frame, random, best).tolist() == [0, 0, 1, 1]


def test_no_run_is_above_1_if_the_best_is_a_single_run() -> None:
    values = make_reference(runs(), random_runs()).normalise(runs(), "untrained", "run")
    assert values.max() == 1
    assert (values == 1).sum() == 2  # one on each task


def test_a_run_may_be_above_1_if_the_best_is_a_setting_and_below_0_if_worse_than_random() -> None:
    reference = make_reference(runs(), random_runs())
    frame = frame_of("label", ("A", "Hopper", 100.0), ("A", "Hopper", -72.0))
    assert reference.normalise(frame, "untrained", "setting").tolist() == pytest.approx([90 / 82, -1])


@pytest.mark.parametrize(("factor", "offset"), [(3.0, -7.0), (0.001, 0.0), (1e6, 1e6)])
@pytest.mark.parametrize(("random", "best"), READINGS)
def test_the_unit_and_the_zero_of_raw_scores_do_not_matter(
    factor: float, offset: float, random: str, best: str
) -> None:
    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(score=factor * frame.score + offset)

    zeros = {name: {e: factor * v + offset for e, v in s.items()} for name, s in random_runs().scores.items()}
    usual = make_reference(runs(), random_runs()).normalise(runs(), random, best)
    other = make_reference(moved(runs()), Randoms(zeros, {})).normalise(moved(runs()), random, best)
    assert other.tolist() == pytest.approx(usual.tolist(), abs=1e-9)


def test_the_unit_of_one_task_does_not_matter_to_another() -> None:
    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(score=frame.score.where(frame.env == "Hopper", 5 * frame.score + 2))

    zeros = random_runs()
    for scores in zeros.scores.values():
        scores["Reacher"] = 5 * scores["Reacher"] + 2
    usual = make_reference(runs(), random_runs()).normalise(runs(), *CHOSEN)
    other = make_reference(moved(runs()), zeros).normalise(moved(runs()), *CHOSEN)
    assert other.tolist() == pytest.approx(usual.tolist())


def test_a_run_keeps_its_row() -> None:
    frame = runs()[::-1]  # in another order, under the labels that its rows had
    values = make_reference(runs(), random_runs()).normalise(frame, *CHOSEN)
    assert values.index.tolist() == frame.index.tolist()
    assert values[1] == 1  # the 100 of A on Hopper


# -- frozen ------------------------------------------------------------------------------------------------------------


def test_a_frozen_reference_is_read_as_it_was(tmp_path: Path) -> None:
    reference = make_reference(runs().assign(score=runs().score / 3), random_runs())
    reference.save(tmp_path / "reference.json")
    assert load_reference(tmp_path / "reference.json") == reference


def test_a_frozen_reference_does_not_move_when_a_better_run_comes(tmp_path: Path) -> None:
    make_reference(runs(), random_runs()).save(tmp_path / "reference.json")
    better = frame_of("label", ("C", "Hopper", 190.0))
    frozen: Reference = load_reference(tmp_path / "reference.json")
    assert frozen.normalise(better, "untrained", "run").tolist() == [2]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"random": {}}', '{"best": {}}'])
def test_a_file_that_is_no_reference_is_reported_with_the_option_that_writes_one(tmp_path: Path, content: str) -> None:
    path = tmp_path / "reference.json"
    path.write_text(content, encoding="utf-8")
    assert f"--freeze {path}" in complaint(load_reference, path)


def test_a_frozen_reference_that_is_not_there_is_reported_too(tmp_path: Path) -> None:
    assert "is not a readable reference" in complaint(load_reference, tmp_path / "absent.json")


def test_a_frozen_reference_that_is_binary_is_reported_too(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    path.write_bytes(b"\x80\x02}q\x00")
    assert "is not a readable reference" in complaint(load_reference, path)
