"""A run read from its folder, thinned and published, on numbers that can be added up by hand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from analysis.records import CURVE_POINTS, CurvePoint, Drift, Record, from_published, read_run, thin, to_published
from tests.analysis.folders import UPDATES, complaint, config_of, entry, write_done, write_state


@dataclass
class Case:
    """A finished run's folder."""

    folder: Path

    def damage(self, name: str, line: int, text: str) -> None:
        """Put another text in the place of a file's line, the first being 1."""
        lines = (self.folder / name).read_text().splitlines()
        lines[line - 1] = text
        (self.folder / name).write_text("\n".join(lines) + "\n")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(write_done(tmp_path, entry("Hopper-v5", 3), 15.5))


# -- a folder ----------------------------------------------------------------------------------------------------------


def test_a_run_is_what_its_result_and_its_config_say(case: Case) -> None:
    record = read_run(case.folder)
    assert (record.result["env"], record.result["seed"], record.result["score"]) == ("Hopper-v5", 3, 15.5)
    assert record.config == config_of(entry("Hopper-v5", 3))


def test_the_mean_return_gives_every_episode_the_same_weight(tmp_path: Path) -> None:
    folder = write_done(tmp_path, entry(), episodes=[(10, 1.0), (20, 2.0), (2000, 6.0)])
    assert read_run(folder).mean_return == 3.0


def test_seconds_are_the_wall_time_of_the_iterations(case: Case) -> None:
    assert read_run(case.folder).seconds == 1000 / 50 + 1000 / 100


def test_seconds_are_right_where_iterations_differ_in_length(case: Case) -> None:
    (case.folder / "updates.csv").write_text(UPDATES.replace("1000,", "300,"))
    assert read_run(case.folder).seconds == 300 / 50 + 1700 / 100


def test_a_curve_is_the_mean_of_each_stretch_of_ten_steps(tmp_path: Path) -> None:
    episodes = [(1, 1.0), (10, 3.0), (11, 7.0), (20, 8.0), (1995, -4.0), (2000, 4.0)]
    assert read_run(write_done(tmp_path, entry(), episodes=episodes)).curve == [
        CurvePoint(10, 2.0, 2),
        CurvePoint(20, 7.5, 2),
        CurvePoint(2000, 0.0, 2),
    ]


def test_a_run_in_which_no_episode_ended_has_no_curve_and_no_mean(tmp_path: Path) -> None:
    record = read_run(write_done(tmp_path, entry(), None, []))
    assert record.curve == []
    assert math.isnan(record.mean_return)


def test_drift_is_the_middle_and_the_largest_kl_the_first_and_the_last_entropy_and_all_skipped_steps(
    case: Case,
) -> None:
    with (case.folder / "updates.csv").open("a") as file:
        file.write("3000,9.0,2.5,0,100\n")
    assert read_run(case.folder).drift == Drift(kl=0.75, kl_max=9.0, entropy=4.25, entropy_end=2.5, skipped=3)


def test_an_iteration_without_a_kl_does_not_count_and_a_run_without_one_has_none(case: Case) -> None:
    case.damage("updates.csv", 2, "1000,nan,4.25,0,50")
    assert read_run(case.folder).drift[:2] == (0.75, 0.75)
    case.damage("updates.csv", 3, "2000,nan,nan,nan,100")
    assert [math.isnan(value) for value in read_run(case.folder).drift] == [True, True, False, True, True]


@pytest.mark.parametrize("content", [None, "", "[]"])
def test_a_run_without_a_result_is_not_read(tmp_path: Path, content: str | None) -> None:
    folder = write_state(tmp_path, entry(), "running")
    if content is not None:
        (folder / "result.json").write_text(content)
    assert str(folder / "result.json") in complaint(read_run, folder)


@pytest.mark.parametrize("text", ["x,1.0,100", "300,,100", "300", "3.5,1.0,100", ",1.0,100"])
def test_damaged_episodes_are_named_with_their_line(case: Case, text: str) -> None:
    case.damage("episodes.csv", 4, text)
    assert f"{case.folder / 'episodes.csv'}, line 4, is invalid" in complaint(read_run, case.folder)


def test_damaged_updates_are_named_with_their_line(case: Case) -> None:
    case.damage("updates.csv", 3, "2,20")
    assert f"{case.folder / 'updates.csv'}, line 3, is invalid" in complaint(read_run, case.folder)


def test_a_table_without_a_column_that_is_needed_is_named(case: Case) -> None:
    case.damage("episodes.csv", 1, "step,reward,length")
    assert "episodes.csv, line 2, is invalid: expected step, return" in complaint(read_run, case.folder)


def test_columns_that_an_algorithm_does_not_have_are_not_needed(case: Case) -> None:
    (case.folder / "updates.csv").write_text("step,steps_per_second,entropy\n1000,50,2.5\n2000,100,1.5\n")
    drift = read_run(case.folder).drift
    assert (drift.entropy, drift.entropy_end) == (2.5, 1.5)
    assert all(map(math.isnan, (drift.kl, drift.kl_max, drift.skipped)))


def test_a_table_with_a_byte_order_mark_is_read(case: Case) -> None:
    path = case.folder / "episodes.csv"
    path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert read_run(case.folder).mean_return == 10.5


# -- a thinned curve ---------------------------------------------------------------------------------------------------


def test_a_stretch_ends_at_its_last_step_and_starts_after_the_one_before() -> None:
    curve = thin([(5000, 1.0), (5001, 2.0), (10_000, 4.0)], 1_000_000)
    assert curve == [CurvePoint(5000, 1.0, 1), CurvePoint(10_000, 3.0, 2)]


def test_the_width_of_a_stretch_is_rounded_up() -> None:
    assert thin([(5008, 1.0), (5009, 3.0)], 1_001_472) == [CurvePoint(5008, 1.0, 1), CurvePoint(10_016, 3.0, 1)]


@pytest.mark.parametrize("steps", [1, 199, 200, 201, 2000, 102_400])
def test_a_curve_has_two_hundred_points_at_most_and_every_episode_in_one(steps: int) -> None:
    curve = thin([(step, 1.0) for step in range(1, steps + 1)], steps)
    assert len(curve) <= CURVE_POINTS
    assert sum(point.episodes for point in curve) == steps


def test_stretches_without_an_episode_are_left_out() -> None:
    assert [point.step for point in thin([(1, 0.0), (1999, 0.0)], 2000)] == [10, 2000]


def test_a_curve_is_in_the_order_of_steps() -> None:
    assert [point.ret for point in thin([(1999, 9.0), (1, 0.0)], 2000)] == [0.0, 9.0]


# -- published ---------------------------------------------------------------------------------------------------------


def published(record: Record) -> Record:
    """A record after it was published and read again."""
    return from_published(json.loads(json.dumps(to_published(record), allow_nan=False)), "it")


def test_a_published_run_is_read_as_it_was(case: Case) -> None:
    record = read_run(case.folder)
    result = {key: value for key, value in record.result.items() if key != "digest"}  # a record has its own
    assert published(record) == record._replace(result=result)


def test_a_published_run_does_not_say_where_it_was_trained(tmp_path: Path) -> None:
    config = config_of(entry()) | {"outputs": "/home/me", "run_dir": "/home/me/run"}
    record = published(read_run(write_done(tmp_path, entry(), config=config, host="mine")))
    assert record.config == config_of(entry())
    assert "host" not in record.result


def test_a_published_curve_is_exact_to_six_digits(tmp_path: Path) -> None:
    returns = [(10, 1234.56789), (20, -0.000123456789), (30, 2 / 3)]
    record = read_run(write_done(tmp_path, entry(), episodes=returns))
    curve = published(record).curve
    assert curve == [CurvePoint(10, 1234.57, 1), CurvePoint(20, -0.000123457, 1), CurvePoint(30, 0.666667, 1)]
    assert [p.ret for p in curve] == pytest.approx([p.ret for p in record.curve], rel=5e-6)


def test_a_published_mean_return_is_not_rounded(tmp_path: Path) -> None:
    record = read_run(write_done(tmp_path, entry(), episodes=[(1, 1 / 3), (2, 2 / 3), (3, 0.1)]))
    assert published(record).mean_return == record.mean_return


def test_figures_that_a_published_run_does_not_have_are_null(case: Case) -> None:
    case.damage("updates.csv", 2, "1000,inf,nan,nan,50")
    case.damage("updates.csv", 3, "2000,inf,nan,nan,100")
    record = read_run(case.folder)
    assert to_published(record)["drift"] == [None] * 5
    assert all(map(math.isnan, published(record).drift))


def test_a_published_run_in_which_no_episode_ended_has_no_mean_either(tmp_path: Path) -> None:
    record = read_run(write_done(tmp_path, entry(), None, []))
    assert to_published(record)["mean_return"] is None
    assert math.isnan(published(record).mean_return)


def test_publishing_again_changes_nothing(case: Case) -> None:
    first = to_published(read_run(case.folder))
    assert to_published(from_published(first, "it")) == first


@pytest.mark.parametrize("values", [{}, {"result": {}, "curve": 3}, {"curve": [[1]]}])
def test_a_damaged_published_run_is_named(values: dict[str, object]) -> None:
    assert "run abc" in complaint(from_published, values, "run abc")


@pytest.mark.parametrize(
    "damage",
    [{"config": "x"}, {"config": {}}, {"config": {"algorithm": "ppo"}}, {"seconds": None}, {"mean_return": "x"},
     {"curve": [["a", "b", "c"]]}, {"curve": []}, {"drift": ["a"] * 5}, {"drift": [1]}, {"interpolation": [[1, 2]]},
     {"result": {"steps": 3}}, {"result": {"score": 1.0}}], ids=str
)  # fmt: skip
def test_a_published_run_with_a_value_of_the_wrong_kind_is_named(case: Case, damage: dict[str, object]) -> None:
    assert "run abc" in complaint(from_published, to_published(read_run(case.folder)) | damage, "run abc")
