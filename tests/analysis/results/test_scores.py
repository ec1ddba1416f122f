"""The table of scores beside published ones, on hand-made runs with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from analysis.records import read_run
from analysis.results.scores import (
    Published,
    Row,
    late_return,
    name_in_reference,
    read_published_scores,
    score_rows,
    to_table,
)
from ppo.runs.row import RunRow
from tests.analysis.folders import config_of, entry, load, write_done, write_list, write_sweep
from tests.sealed import reseal


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three seeds of one setting on one task, which scored 10, 20 and 30."""
    write_sweep(tmp_path, [10.0, 20.0, 30.0])
    return tmp_path


def rows_of(store: Path, published: Sequence[Published] = (), runs: Sequence[RunRow] | None = None) -> list[Row]:
    """The rows of the sweep, or of some runs."""
    if runs is not None:
        write_list(store, runs)
    return score_rows(load(store), published)


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_row_is_mean_and_sample_deviation_over_seeds(store: Path) -> None:
    (row,) = rows_of(store)
    assert (row.env, row.setting, row.runs, row.mean, row.deviation) == ("Hopper-v5", "Clip", 3, 20.0, 10.0)


def test_one_run_has_no_deviation(store: Path) -> None:
    assert rows_of(store, runs=[entry()])[0].deviation is None


def test_the_time_of_a_row_is_that_of_its_slowest_run(store: Path) -> None:
    (store / entry(seed=1).folder / "updates.csv").write_text("step,steps_per_second\n2000,40\n")
    reseal(store / entry(seed=1).folder)
    assert rows_of(store)[0].seconds == 50


def test_rows_are_in_the_order_of_task_and_setting(tmp_path: Path) -> None:
    runs = [entry("Walker2d-v5"), entry("Hopper-v5", 0, "None", "none"), entry("Hopper-v5")]
    for run in runs:
        write_done(tmp_path, run)
    assert [(row.env, row.setting) for row in rows_of(tmp_path, runs=runs)] == [
        ("Hopper-v5", "Clip"),
        ("Hopper-v5", "None"),
        ("Walker2d-v5", "Clip"),
    ]


# -- the last tenth of the steps ---------------------------------------------------------------------------------------


def test_the_last_tenth_of_the_steps_is_averaged_over_its_episodes(store: Path) -> None:
    assert late_return(read_run(store / entry().folder)) == 19.5  # those that ended at steps 1900 and 2000


def test_an_episode_counts_as_much_as_any_other_of_the_last_tenth(tmp_path: Path) -> None:
    episodes = [(1800, 100.0), (1801, 1.0), (1805, 1.0), (1810, 1.0), (1995, 9.0)]
    assert late_return(read_run(write_done(tmp_path, entry(), episodes=episodes))) == 3.0


def test_the_last_tenth_of_a_row_is_a_mean_over_seeds(tmp_path: Path) -> None:
    both = [[(2000, 1.0)], [(1990, 4.0), (1995, 6.0)]]
    runs = [entry(seed=seed) for seed in range(2)]
    for run, episodes in zip(runs, both, strict=True):
        write_done(tmp_path, run, episodes=episodes)
    assert rows_of(tmp_path, runs=runs)[0].late == 3.0


# -- published scores --------------------------------------------------------------------------------------------------


def test_published_scores_are_beside_ours(store: Path) -> None:
    published = [
        Published("Hopper", "PPO paper Fig.3 (somebody)", "curve end", 2330.0),
        Published("Hopper", "a", "last 100 training episodes", 2000.0),
        Published("Hopper", "b", "max over evaluations", 9999.0),
        Published("Reacher", "c", "last 100 training episodes", -4.0),
    ]
    (row,) = rows_of(store, published)
    assert (row.paper, row.baselines, row.others) == (2330.0, None, [2000.0])


def test_only_scores_after_a_million_steps_are_read(tmp_path: Path) -> None:
    lines = [
        "env,algo,score,spread,steps,metric,source",
        "Hopper,PPO,2330,,1M,m,a",
        "Hopper,TRPO,1,,1M,m,b",
        "Hopper,PPO,2,,3M,m,c",
    ]
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    published = [Published("Hopper", "a", "m", 2330.0), Published("Hopper", "b", "m", 1.0, "TRPO")]
    assert read_published_scores(tmp_path / "scores.csv") == published


@pytest.mark.parametrize(("algorithm", "theirs"), [("trpo", [1.0]), ("ppo", [2330.0]), ("vpg", [])])
def test_a_score_is_beside_those_of_its_own_algorithm(tmp_path: Path, algorithm: str, theirs: list[float]) -> None:
    published = [Published("Hopper", "a", "average episodic return", 2330.0)]
    published.append(Published("Hopper", "b", "average episodic return", 1.0, "TRPO"))
    write_done(tmp_path, entry(), config=config_of(entry(), algorithm))
    (row,) = rows_of(tmp_path, published, [entry()])
    assert row.others == theirs


def test_a_trust_region_makes_a2c_another_algorithm() -> None:
    assert name_in_reference({"name": "a2c", "trust_region": 1.0}) == "A2C+TR"
    assert name_in_reference({"name": "a2c", "trust_region": None}) == "A2C"


def test_the_papers_own_curves_of_all_seven_tasks_are_known() -> None:
    paper = {
        p.env: p.score
        for p in read_published_scores()
        if p.source.startswith("PPO paper Fig.3") and p.algorithm == "PPO"
    }
    assert (paper["Hopper"], paper["HalfCheetah"], paper["InvertedPendulum"]) == (2330.0, 1800.0, 1000.0)
    assert len(paper) == 7


# -- the table ---------------------------------------------------------------------------------------------------------


def test_a_row_of_the_table_has_every_number(store: Path) -> None:
    published = [
        Published("Hopper", "PPO paper Fig.3", "curve end", 2330.4),
        Published("Hopper", "openai/baselines", "last 100 training episodes", 1816.0),
        Published("Hopper", "b", "average episodic return", 2500.0),
    ]
    table = to_table(rows_of(store, published), load(store))
    ours = ["Hopper-v5", "Clip", "3", "30", "20.0 ± 10.0", "19.5"]
    assert table.rows == [[*ours, "2330", "1816", "1816 to 2500 (n=2)"]]


def test_what_nobody_published_is_a_hyphen(store: Path) -> None:
    table = to_table(rows_of(store, runs=[entry()]), load(store))
    assert table.rows == [["Hopper-v5", "Clip", "1", "30", "10.0", "19.5", "-", "-", "-"]]
