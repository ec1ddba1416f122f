"""A run read from its folder, thinned and published, on numbers that can be added up by hand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from analysis.records import (
    CURVE_POINTS,
    CurvePoint,
    Drift,
    publish,
    read_json,
    read_published,
    read_run,
    record_path,
    thin,
)
from tests.analysis.folders import UPDATES, complaint, entry, write_done, write_state


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


def test_a_run_is_called_as_its_result_says(case: Case) -> None:
    record = read_run(case.folder)
    assert (record.env, record.setting, record.seed) == ("Hopper-v5", "clip", 3)
    assert record.result["score"] == 15.5
    assert record.config == {"seed": 3, "surrogate": {"name": "clip"}}


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
    assert complaint(read_run, folder) == f"{folder / 'result.json'} cannot be read: is the run done?"


@pytest.mark.parametrize("text", ["x,1.0,100", "300,,100", "300", "3.5,1.0,100", ",1.0,100"])
def test_damaged_episodes_are_named_with_their_line(case: Case, text: str) -> None:
    case.damage("episodes.csv", 4, text)
    where = case.folder / "episodes.csv"
    assert complaint(read_run, case.folder) == f"{where}, line 4, cannot be read: step, return are needed."


def test_damaged_updates_are_named_with_their_line(case: Case) -> None:
    case.damage("updates.csv", 3, "2,20")
    where, needed = case.folder / "updates.csv", "step, steps_per_second, kl, entropy, skipped"
    assert complaint(read_run, case.folder) == f"{where}, line 3, cannot be read: {needed} are needed."


def test_a_table_without_a_column_that_is_needed_is_named(case: Case) -> None:
    case.damage("episodes.csv", 1, "step,reward,length")
    assert "episodes.csv, line 2, cannot be read: step, return are needed." in complaint(read_run, case.folder)


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


def test_a_published_run_is_read_as_it_was(case: Case, tmp_path: Path) -> None:
    record, path = read_run(case.folder), tmp_path / "out" / "runs" / "one.json"
    publish(record, path)
    assert read_published(path) == record
    assert [file.name for file in path.parent.iterdir()] == ["one.json"]


def test_a_published_run_does_not_tell_where_it_lay(tmp_path: Path) -> None:
    record = read_run(write_done(tmp_path, entry(), host="mine"))
    record.config.update(outputs="/home/me", run_dir="/home/me/run")
    publish(record, tmp_path / "one.json")
    held = read_published(tmp_path / "one.json")
    assert held.config == {"seed": 0, "surrogate": {"name": "clip"}, "outputs": "outputs", "run_dir": None}
    assert "host" not in held.result


def test_a_published_curve_is_exact_to_six_digits(tmp_path: Path) -> None:
    returns = [(10, 1234.56789), (20, -0.000123456789), (30, 2 / 3)]
    record = read_run(write_done(tmp_path, entry(), episodes=returns))
    publish(record, tmp_path / "one.json")
    held = read_published(tmp_path / "one.json").curve
    assert held == [CurvePoint(10, 1234.57, 1), CurvePoint(20, -0.000123457, 1), CurvePoint(30, 0.666667, 1)]
    assert [p.ret for p in held] == pytest.approx([p.ret for p in record.curve], rel=5e-6)


def test_a_published_mean_return_is_not_rounded(tmp_path: Path) -> None:
    record = read_run(write_done(tmp_path, entry(), episodes=[(1, 1 / 3), (2, 2 / 3), (3, 0.1)]))
    publish(record, tmp_path / "one.json")
    assert read_published(tmp_path / "one.json").mean_return == record.mean_return


def test_what_a_published_run_has_no_figure_of_is_null(case: Case, tmp_path: Path) -> None:
    case.damage("updates.csv", 2, "1000,inf,nan,nan,50")
    case.damage("updates.csv", 3, "2000,inf,nan,nan,100")
    publish(read_run(case.folder), tmp_path / "one.json")
    assert json.loads((tmp_path / "one.json").read_text())["drift"] == [None] * 5
    assert all(map(math.isnan, read_published(tmp_path / "one.json").drift))


def test_a_published_run_is_one_line_of_strict_json(tmp_path: Path) -> None:
    publish(read_run(write_done(tmp_path, entry(), None, [])), tmp_path / "one.json")
    text = (tmp_path / "one.json").read_text()
    assert text.count("\n") == 1
    assert "NaN" not in text
    assert json.loads(text)["mean_return"] is None


def test_a_published_run_in_which_no_episode_ended_has_no_mean_either(tmp_path: Path) -> None:
    publish(read_run(write_done(tmp_path, entry(), None, [])), tmp_path / "one.json")
    assert math.isnan(read_published(tmp_path / "one.json").mean_return)


def test_publishing_again_changes_no_byte(case: Case, tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    publish(read_run(case.folder), first)
    publish(read_published(first), second)
    assert first.read_bytes() == second.read_bytes()


def test_a_published_run_lies_beside_where_its_folder_would_be(tmp_path: Path) -> None:
    assert record_path(tmp_path, "runs/E/s=0.2/seed=0-1") == tmp_path / "runs" / "E" / "s=0.2" / "seed=0-1.json"


@pytest.mark.parametrize("content", ["", "{", "[1, 2]"])
def test_a_damaged_published_run_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(content)
    assert complaint(read_published, path) == f"{path} cannot be read as a published run."


@pytest.mark.parametrize("content", [None, b"", b"nul", b"3", b"\xff\xfe"])
def test_what_is_no_mapping_is_read_as_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "one.json").write_bytes(content)
    assert read_json(tmp_path / "one.json") is None
