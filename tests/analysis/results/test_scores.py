"""The table of scores beside published ones, on hand-made runs with known answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.records import Record, publish, read_published, read_run
from analysis.results.scores import Published, late_return, read_published_scores, score_rows, to_markdown
from tests.analysis.folders import entry, write_done, write_sweep

HEAD = (
    "| task | setting | runs | seconds | score, mean ± std | last 10 % of steps |"
    " paper, Fig. 3 | baselines | others |\n|---|---|---|---|---|---|---|---|---|\n"
)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Three seeds of one setting on one task, which scored 10, 20 and 30."""
    return [read_run(tmp_path / run["folder"]) for run in write_sweep(tmp_path, [10.0, 20.0, 30.0])]


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_row_is_mean_and_sample_deviation_over_seeds(records: list[Record]) -> None:
    (row,) = score_rows(records, [])
    assert (row.env, row.setting, row.runs, row.mean, row.deviation) == ("Hopper-v5", "clip", 3, 20.0, 10.0)


def test_one_run_has_no_deviation(records: list[Record]) -> None:
    assert score_rows(records[:1], [])[0].deviation is None


def test_the_time_of_a_row_is_that_of_its_slowest_run(records: list[Record]) -> None:
    records[1] = records[1]._replace(seconds=45.5)
    assert score_rows(records, [])[0].seconds == 45.5


def test_rows_are_in_the_order_of_task_and_setting(tmp_path: Path) -> None:
    runs = [entry("Walker2d-v5"), entry("Hopper-v5", 0, "None", "none"), entry("Hopper-v5")]
    rows = score_rows([read_run(write_done(tmp_path, run)) for run in runs], [])
    assert [(row.env, row.setting) for row in rows] == [
        ("Hopper-v5", "clip"),
        ("Hopper-v5", "none"),
        ("Walker2d-v5", "clip"),
    ]


# -- the last tenth of the steps ---------------------------------------------------------------------------------------


def test_the_last_tenth_of_the_steps_is_averaged_over_its_episodes(records: list[Record]) -> None:
    assert late_return(records[0]) == 19.5  # those that ended at steps 1900 and 2000


def test_an_episode_counts_as_much_as_any_other_of_the_last_tenth(tmp_path: Path) -> None:
    episodes = [(1800, 100.0), (1801, 1.0), (1805, 1.0), (1810, 1.0), (1995, 9.0)]
    assert late_return(read_run(write_done(tmp_path, entry(), episodes=episodes))) == 3.0


def test_the_last_tenth_of_a_row_is_a_mean_over_seeds(tmp_path: Path) -> None:
    both = [[(2000, 1.0)], [(1990, 4.0), (1995, 6.0)]]
    records = [read_run(write_done(tmp_path, entry(seed=i), episodes=held)) for i, held in enumerate(both)]
    assert score_rows(records, [])[0].late == 3.0


# -- published scores --------------------------------------------------------------------------------------------------


def test_published_scores_stand_beside_ours(records: list[Record]) -> None:
    published = [
        Published("Hopper", "PPO paper Fig.3 (somebody)", "curve end", 2330.0),
        Published("Hopper", "a", "last 100 training episodes", 2000.0),
        Published("Hopper", "b", "max over evaluations", 9999.0),
        Published("Reacher", "c", "last 100 training episodes", -4.0),
    ]
    (row,) = score_rows(records, published)
    assert (row.paper, row.baselines, row.others) == (2330.0, None, [2000.0])


def test_only_scores_after_a_million_steps_are_read(tmp_path: Path) -> None:
    lines = [
        "env,algo,score,spread,steps,metric,source",
        "Hopper,PPO,2330,,1M,m,a",
        "Hopper,TRPO,1,,1M,m,b",
        "Hopper,PPO,2,,3M,m,c",
    ]
    (tmp_path / "held.csv").write_text("\n".join(lines) + "\n")
    held = [Published("Hopper", "a", "m", 2330.0), Published("Hopper", "b", "m", 1.0, "TRPO")]
    assert read_published_scores(tmp_path / "held.csv") == held


@pytest.mark.parametrize(("setting", "theirs"), [("trpo_2017", [1.0]), ("ppo-clip", [2330.0]), ("vpg", [])])
def test_a_score_stands_beside_those_of_its_own_algorithm(tmp_path: Path, setting: str, theirs: list[float]) -> None:
    held = [Published("Hopper", "a", "average episodic return", 2330.0)]
    held.append(Published("Hopper", "b", "average episodic return", 1.0, "TRPO"))
    (row,) = score_rows([read_run(write_done(tmp_path, entry(setting=setting)))], held)
    assert row.others == theirs


def test_the_papers_own_curves_of_all_seven_tasks_are_held() -> None:
    paper = {
        p.env: p.score
        for p in read_published_scores()
        if p.source.startswith("PPO paper Fig.3") and p.algorithm == "PPO"
    }
    assert (paper["Hopper"], paper["HalfCheetah"], paper["InvertedPendulum"]) == (2330.0, 1800.0, 1000.0)
    assert len(paper) == 7


# -- Markdown ----------------------------------------------------------------------------------------------------------


def test_a_row_of_markdown_holds_every_number(records: list[Record]) -> None:
    published = [
        Published("Hopper", "PPO paper Fig.3", "curve end", 2330.4),
        Published("Hopper", "openai/baselines", "last 100 training episodes", 1816.0),
        Published("Hopper", "b", "average episodic return", 2500.0),
    ]
    line = "| Hopper-v5 | clip | 3 | 30 | 20.0 ± 10.0 | 19.5 | 2330 | 1816 | 1816 to 2500 (n=2) |\n"
    assert to_markdown(score_rows(records, published)) == HEAD + line


def test_what_nobody_published_is_a_hyphen(records: list[Record]) -> None:
    line = "| Hopper-v5 | clip | 1 | 30 | 10.0 | 19.5 | - | - | - |\n"
    assert to_markdown(score_rows(records[:1], [])) == HEAD + line


def test_a_table_of_nothing_is_its_head() -> None:
    assert to_markdown([]) == HEAD


def test_published_records_give_the_same_table(records: list[Record], tmp_path: Path) -> None:
    paths = [tmp_path / f"{record.seed}.json" for record in records]
    for record, path in zip(records, paths, strict=True):
        publish(record, path)
    published = [read_published(path) for path in paths]
    assert to_markdown(score_rows(published, [])) == to_markdown(score_rows(records, []))
