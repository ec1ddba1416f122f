"""What `ppo-analysis` prints and writes, on stores made by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ppo.runs.published import read
from tests.analysis.folders import (
    Analysis,
    cells,
    config_of,
    entry,
    write_done,
    write_list,
    write_randoms,
    write_state,
    write_sweep,
)

# -- table 1 -----------------------------------------------------------------------------------------------------------


def test_table_1_normalises_by_the_random_policy_and_the_best_run(two: Analysis) -> None:
    # (10/30 + 30/30) / 2; best setting 20: (10/20 + 30/20) / 2; from a uniform 10: (0 + 1) / 2 and (0 + 2) / 2
    row = cells(two.prints("table1", "--sweep", "mine"), "Clip")
    assert row == ["0.67", "0.33", "to", "1.00", "2/2", "-", "-", "1.00", "0.50", "1.00"]


def test_a_table_reports_missing_runs(two: Analysis) -> None:
    write_list(two.store, [entry(seed=seed) for seed in range(3)])
    out = two.prints("table1", "--sweep", "mine")
    assert cells(out, "Clip")[4] == "2/3"
    assert "2 of 3 runs are done" in out


def test_raw_scores_by_task_are_printed_when_asked(two: Analysis) -> None:
    assert cells(two.prints("table1", "--sweep", "mine", "--by-task").partition("Scores by task")[2], "Clip") == [
        "20.0",
        "±",
        "14.1",
    ]
    assert "Scores by task" not in two.prints("table1", "--sweep", "mine")


def test_a_table_is_written_in_every_format(two: Analysis) -> None:
    out = two.prints("table1", "--sweep", "mine", "--by-task", "--out", "new/tables")
    kinds = ("md", "tex", "html", "csv")
    names = {f"{name}-mine.{kind}" for name in ("table1", "table1_by_task") for kind in kinds}
    assert {path.name for path in Path("new/tables").iterdir()} == names
    assert all(f"new/tables/{name}" in out for name in names)
    assert pd.read_csv("new/tables/table1-mine.csv").score[0] == pytest.approx(2 / 3)


def test_the_store_may_be_anywhere_and_is_named_as_for_hydra(two: Analysis) -> None:
    two.store.rename(two.folder / "elsewhere")
    assert two("table1", "--sweep", "mine").status == 2
    assert "2/2" in two.prints("table1", "--sweep", "mine", "outputs=elsewhere")
    assert "2/2" in two.prints("table1", "outputs=elsewhere", "--sweep", "mine")


def test_raw_scores_are_printed_where_nothing_can_be_normalised(analysis: Analysis) -> None:
    run = entry("CartPole-v1")
    write_done(analysis.store, run, 20.0, config=config_of(run, suite="gymnasium"))
    write_list(analysis.store, [run])
    out = analysis.prints("table1", "--sweep", "mine")
    assert cells(out.partition("Scores by task")[0], "Clip")[0] == "-"
    assert cells(out.partition("Scores by task")[2], "Clip")[0] == "20.0"
    assert "ppo-sweeps run random env=gymnasium env.id=CartPole-v1" in out
    analysis.prints("report", "--sweep", "mine")
    assert "ppo-sweeps run random" in Path("outputs/report-mine.html").read_text()


@pytest.mark.parametrize("command", ["table1", "robust", "scores", "drift", "figure3", "table2"])
def test_json_is_one_document_with_the_numbers_of_the_tables(two: Analysis, command: str) -> None:
    if command == "table2":
        other = entry(label="Other", setting="other")
        write_done(two.store, other, 5.0)
        write_list(two.store, [entry(), other])
    document = json.loads(two.prints(command, "--sweep", "mine", "--json", "--out", "new"))
    (table,) = document["tables"]
    assert table["rows"]
    assert any(f"{table['name']}.csv" in path for path in document["written"])


def test_a_terminal_that_is_not_utf_8_gets_question_marks(two: Analysis) -> None:
    code = "import sys; from analysis.__main__ import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "scores", "--sweep", "mine"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(words, capture_output=True, check=True, env=environment)
    assert b"20.0 ? 14.1" in done.stdout


# -- tables 2 to 5, scores ---------------------------------------------------------------------------------------------


def test_table_2_counts_games_won_by_the_last_hundred_episodes(analysis: Analysis) -> None:
    games = {"Pong": (1.0, 2.0), "Qbert": (3.0, 1.0), "Boxing": (5.0, 5.0), "Tennis": (0.0, 9.0)}
    entries = []
    for game, scores in games.items():
        for label, score in zip("AB", scores, strict=True):
            entries.append(entry(game, 0, label, label.lower()))
            write_done(analysis.store, entries[-1], score)
    write_list(analysis.store, entries)
    out = analysis.prints("table2", "--sweep", "mine")
    assert "Table 2: games won, of 4" in out
    assert cells(out, "(2) mean episode reward over last 100 episodes") == ["1", "2", "1"]


def test_table_2_counts_a_csv(analysis: Analysis) -> None:
    Path("scores.csv").write_text("game,A2C,PPO\nPong,1,2\nQbert,3,1\nBoxing,7,9\n")
    out = analysis.prints("table2", "--csv", "scores.csv")
    assert cells(out, "(2) mean episode reward over last 100 episodes") == ["1", "2", "0"]
    assert "Scores of scores.csv" in out


@pytest.mark.parametrize(("name", "horizon"), [("table3", "2048"), ("table4", "512"), ("table5", "128")])
def test_tables_3_to_5_are_printed_without_any_run(analysis: Analysis, name: str, horizon: str) -> None:
    out = analysis.prints(name, "--out", "tables")
    assert f"Table {name[-1]}: PPO hyperparameters" in out
    assert cells(out, "Horizon (T)") == ["algorithm.horizon", horizon, horizon]
    assert {path.name for path in Path("tables").iterdir()} == {f"{name}.{k}" for k in ("md", "tex", "html", "csv")}
    assert pd.read_csv(f"tables/{name}.csv").value[0] == horizon


def test_scores_have_a_row_for_each_task_and_setting(two: Analysis) -> None:
    row = cells(two.prints("scores", "--sweep", "mine"), "Hopper-v5")
    assert row == ["Clip", "2", "30", "20.0", "±", "14.1", "19.5", "2330", *row[8:]]


# -- figures -----------------------------------------------------------------------------------------------------------


def test_figure_1_is_drawn_without_any_run_beside_the_runs(analysis: Analysis) -> None:
    paths = [f"outputs/figures/figure1.{kind}" for kind in ("pdf", "svg", "png")]
    assert analysis.prints("figure1") == f"written: {', '.join(paths)}\n"
    assert all(Path(path).stat().st_size > 0 for path in paths)


def test_figure_3_is_written_and_missing_runs_are_reported(two: Analysis) -> None:
    write_list(two.store, [entry(seed=seed) for seed in range(3)])
    out = two.prints("figure3", "--sweep", "mine", "--out", "pictures")
    pictures = {f"figure3-mine.{kind}" for kind in ("pdf", "png", "svg")}
    tables = {f"figure3_ends-mine.{kind}" for kind in ("csv", "html", "md", "tex")}
    assert {path.name for path in Path("pictures").iterdir()} == pictures | tables
    assert "2 of 3 runs are done" in out


@pytest.mark.parametrize(
    "words", ["table1 --by-task --out new", "table1 --freeze new/frozen.json", "figure3 --out new", "report"], ids=str
)
def test_no_link_in_place_of_a_file_is_followed_and_nothing_is_left_beside_it(two: Analysis, words: str) -> None:
    arguments = [*words.split(), "--sweep", "mine"]
    Path("new").mkdir()
    before = two.files()
    two.prints(*arguments)
    made = [Path(path) for path in two.files().keys() - before.keys()]
    assert made
    Path("theirs").write_text("theirs")
    for path in made:
        path.unlink()
        path.symlink_to(Path("theirs").absolute())
    two.prints(*arguments)
    assert Path("theirs").read_text() == "theirs"
    assert all(path.is_file() and not path.is_symlink() for path in made)
    assert two.files().keys() == before.keys() | {"theirs", *map(str, made)}


def test_the_files_of_two_sweeps_do_not_overwrite_each_other(two: Analysis) -> None:
    write_sweep(two.store, [7.0], "other", setting="other")
    for sweep in ("mine", "other"):
        two.prints("table1", "--sweep", sweep, "--out", "tables")
        two.prints("figure3", "--sweep", sweep)
    scores = [pd.read_csv(f"tables/table1-{sweep}.csv").done[0] for sweep in ("mine", "other")]
    assert scores == [2, 1]
    assert len(list(Path("outputs/figures").glob("figure3-*.png"))) == 2


def test_a_report_is_written_though_a_part_of_it_cannot_be_made(analysis: Analysis) -> None:
    entries = [entry("Hopper-v5"), entry("CartPole-v1")]
    for run in entries:
        write_done(analysis.store, run, 5.0)
    write_list(analysis.store, entries)
    write_randoms(analysis.store, "Hopper-v5")
    analysis.prints("report", "--sweep", "mine")
    text = Path("outputs/report-mine.html").read_text()
    assert "CartPole-v1: no random policy was found" in text
    assert "Learning curves" in text
    for run in entries:
        write_done(analysis.store, run, None, [])
    analysis.prints("report", "--sweep", "mine")
    assert "2 runs completed no episode" in Path("outputs/report-mine.html").read_text()


def test_figures_and_the_report_go_to_the_store_that_was_named(two: Analysis) -> None:
    two.store.rename(two.folder / "elsewhere")
    two.prints("figure3", "--sweep", "mine", "outputs=elsewhere")
    two.prints("report", "--sweep", "mine", "outputs=elsewhere")
    assert Path("elsewhere/figures/figure3-mine.png").exists()
    assert Path("elsewhere/report-mine.html").exists()
    assert not two.store.exists()


# -- publish -----------------------------------------------------------------------------------------------------------


def test_publishing_writes_one_file_with_the_list_and_each_finished_run(two: Analysis) -> None:
    entries = [entry(seed=seed) for seed in range(3)]
    write_list(two.store, entries)
    write_state(two.store, entries[2], "failed")
    before = set(two.files())
    assert two.prints("publish", "mine").startswith("2 of 3 runs, ")
    assert set(two.files()) - before == {"outputs/published/mine.json.gz"}
    published = read(Path("outputs/published/mine.json.gz"))
    assert published.runs == entries
    assert set(published.records) == {run.run for run in entries[:2]}


def test_published_runs_give_the_tables_and_figures_of_their_folders(two: Analysis) -> None:
    for sweep in ("mine", "random"):
        two.prints("publish", sweep, "--out", "kept")
    for words in (["table1", "--by-task"], ["scores"], ["drift"]):
        printed = [two.prints(*words, "--sweep", "mine", f"outputs={store}") for store in ("outputs", "kept")]
        lines = [[line for line in out.splitlines() if "published" not in line] for out in printed]
        assert lines[0] == lines[1]
    assert two("figure3", "--sweep", "mine", "outputs=kept").status == 0


@pytest.mark.parametrize("store", ["outputs", "outputs/published"])
def test_both_metrics_are_counted_of_folders_and_of_published_runs(analysis: Analysis, store: str) -> None:
    entries = [entry("Pong", 0, "A", "a"), entry("Pong", 0, "B", "b")]
    write_done(analysis.store, entries[0], 1.0, [(10, 8.0), (20, 6.0)])
    write_done(analysis.store, entries[1], 2.0, [(10, 1.0), (20, 3.0)])
    write_list(analysis.store, entries)
    analysis.prints("publish", "mine")
    out = analysis.prints("table2", "--sweep", "mine", f"outputs={store}")
    assert cells(out, "(1) mean episode reward over all of training") == ["1", "0", "0"]
    assert cells(out, "(2) mean episode reward over last 100 episodes") == ["0", "1", "0"]


def test_publishing_again_changes_nothing(two: Analysis) -> None:
    two.prints("publish", "mine")
    before = two.files()
    two.prints("publish", "mine")
    assert two.files() == before
