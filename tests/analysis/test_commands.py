"""What `python -m analysis` prints and writes, on stores made by hand, and the one line that it says to a mistake."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.folders import (
    Analysis,
    cells,
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
    told = cells(two.prints("table1", "--sweep", "mine"), "Clip")
    assert told == ["0.67", "0.33", "to", "1.00", "2/2", "-", "-", "1.00", "0.50", "1.00"]


def test_a_table_says_what_it_lacks(two: Analysis) -> None:
    write_list(two.store, [entry(seed=seed) for seed in range(3)])
    out = two.prints("table1", "--sweep", "mine")
    assert cells(out, "Clip")[4] == "2/3"
    assert "Incomplete: 2 of 3 runs are done (1 new)." in out


def test_raw_scores_by_task_are_printed_when_asked(two: Analysis) -> None:
    assert cells(two.prints("table1", "--sweep", "mine", "--by-task").partition("Scores by task")[2], "Clip") == [
        "20.0",
        "±",
        "14.1",
    ]
    assert "Scores by task" not in two.prints("table1", "--sweep", "mine")


def test_a_table_is_written_in_every_format(two: Analysis) -> None:
    out = two.prints("table1", "--sweep", "mine", "--by-task", "--out", "new/tables")
    names = {f"{name}.{kind}" for name in ("table1", "table1_by_task") for kind in ("md", "tex", "html", "csv")}
    assert {path.name for path in Path("new/tables").iterdir()} == names
    assert all(f"new/tables/{name}" in out for name in names)
    assert pd.read_csv("new/tables/table1.csv").score[0] == pytest.approx(2 / 3)


def test_a_store_may_lie_anywhere(two: Analysis) -> None:
    two.store.rename(two.folder / "elsewhere")
    assert two("table1", "--sweep", "mine").status == 2
    assert "2/2" in two.prints("table1", "--sweep", "mine", "--store", "elsewhere")


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
    assert cells(out, "Horizon (T)") == ["horizon", horizon, horizon]
    assert {path.name for path in Path("tables").iterdir()} == {f"{name}.{k}" for k in ("md", "tex", "html", "csv")}
    assert pd.read_csv(f"tables/{name}.csv").value[0] == horizon


def test_scores_are_a_row_of_markdown_for_each_task_and_setting(two: Analysis) -> None:
    head, _, row = two.prints("scores", "--sweep", "mine").splitlines()
    assert head.startswith("| task | setting | runs |")
    assert row.startswith("| Hopper-v5 | clip | 2 | 30 | 20.0 ± 14.1 | 19.5 | 2330 |")


# -- figures -----------------------------------------------------------------------------------------------------------


def test_figure_1_is_drawn_without_any_run_beside_the_runs(analysis: Analysis) -> None:
    paths = [f"outputs/figures/figure1.{kind}" for kind in ("pdf", "svg", "png")]
    assert analysis.prints("figure1") == f"written: {', '.join(paths)}\n"
    assert all(Path(path).stat().st_size > 0 for path in paths)


def test_figure_3_is_written_and_what_it_lacks_is_told(two: Analysis) -> None:
    write_list(two.store, [entry(seed=seed) for seed in range(3)])
    out = two.prints("figure3", "--sweep", "mine", "--out", "pictures")
    pictures = {f"figure3.{kind}" for kind in ("pdf", "png", "svg")}
    tables = {f"figure3_ends.{kind}" for kind in ("csv", "html", "md", "tex")}
    assert {path.name for path in Path("pictures").iterdir()} == pictures | tables
    assert "Incomplete: 2 of 3 runs are done (1 new)." in out.splitlines()


# -- publish -----------------------------------------------------------------------------------------------------------


def test_publishing_writes_the_list_and_a_record_of_each_finished_run(two: Analysis) -> None:
    entries = [entry(seed=seed) for seed in range(3)]
    write_list(two.store, entries)
    write_state(two.store, entries[2], "running")
    before = set(two.files())
    out = two.prints("publish", "mine")
    assert out.startswith("2 of 3 runs, ")
    assert out.endswith(" KiB, under outputs/published\n")
    records = {f"outputs/published/{run['folder']}.json" for run in entries[:2]}
    assert set(two.files()) - before == records | {"outputs/published/sweeps/mine/runs.json"}


def test_published_runs_give_the_tables_and_figures_of_their_folders(two: Analysis) -> None:
    for sweep in ("mine", "random"):
        two.prints("publish", sweep, "--out", "kept")
    for words in (["table1", "--by-task"], ["scores"]):
        told = [two.prints(*words, "--sweep", "mine", "--store", store) for store in ("outputs", "kept")]
        assert told[0] == told[1]
    assert two("figure3", "--sweep", "mine", "--store", "kept").status == 0


@pytest.mark.parametrize("store", ["outputs", "outputs/published"])
def test_both_metrics_are_counted_of_folders_and_of_published_runs(analysis: Analysis, store: str) -> None:
    entries = [entry("Pong", 0, "A", "a"), entry("Pong", 0, "B", "b")]
    write_done(analysis.store, entries[0], 1.0, [(10, 8.0), (20, 6.0)])
    write_done(analysis.store, entries[1], 2.0, [(10, 1.0), (20, 3.0)])
    write_list(analysis.store, entries)
    analysis.prints("publish", "mine")
    out = analysis.prints("table2", "--sweep", "mine", "--store", store)
    assert cells(out, "(1) mean episode reward over all of training") == ["1", "0", "0"]
    assert cells(out, "(2) mean episode reward over last 100 episodes") == ["0", "1", "0"]


def test_publishing_again_changes_nothing(two: Analysis) -> None:
    two.prints("publish", "mine")
    before = two.files()
    two.prints("publish", "mine")
    assert two.files() == before


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["table1", "table2", "figure3", "scores"])
def test_a_sweep_that_is_nowhere_is_told_with_the_command_that_makes_it(analysis: Analysis, command: str) -> None:
    made = "no run of sweep absent under outputs or outputs/published: python -m sweeps run absent makes them."
    assert analysis.refuses(command, "--sweep", "absent") == made


def test_a_sweep_that_is_nowhere_is_not_published(analysis: Analysis) -> None:
    made = "no run of sweep absent under outputs: python -m sweeps run absent makes them."
    assert analysis.refuses("publish", "absent") == made


@pytest.mark.parametrize("words", [["table1", "--sweep"], ["figure3", "--sweep"], ["publish"]])
def test_a_list_of_runs_that_cannot_be_read_is_told(two: Analysis, words: list[str]) -> None:
    Path("outputs/sweeps/mine/runs.json").write_text('{"runs": [')
    assert two.refuses(*words, "mine").startswith("outputs/sweeps/mine/runs.json cannot be read as a list of runs: ")


@pytest.mark.parametrize("command", ["table1", "figure3"])
def test_a_sweep_of_which_nothing_is_done_has_nothing_to_show(two: Analysis, command: str) -> None:
    write_list(two.store, [entry("Reacher-v5")])
    assert two.refuses(command, "--sweep", "mine", "--out", "new").startswith("no run of sweep mine is done: ")


def test_no_random_policy_is_told_with_the_command_that_makes_one(analysis: Analysis) -> None:
    write_sweep(analysis.store, [1.0])
    sentence = analysis.refuses("table1", "--sweep", "mine", "--out", "new")
    assert sentence.startswith("no run of sweep random under outputs or ")
    assert sentence.endswith(": python -m sweeps run random makes them.")


def test_a_task_without_a_random_policy_is_named(two: Analysis) -> None:
    write_randoms(two.store, "Swimmer-v5")
    sentence = two.refuses("table1", "--sweep", "mine", "--out", "new")
    assert sentence.startswith("Hopper-v5 has no random policy (random-untrained) to be 0: ")


def test_runs_of_one_setting_with_different_lengths_are_refused(two: Analysis) -> None:
    write_done(two.store, entry(seed=1), 30.0, steps=4000)
    sentence = two.refuses("table1", "--sweep", "mine", "--out", "new")
    assert sentence == "'Clip' on Hopper-v5 mixes runs of 2000 and 4000 steps: one config is needed."


@pytest.mark.parametrize(
    ("content", "start"),
    [
        (None, "scores.csv cannot be read: "),
        ("", "scores.csv cannot be read: "),
        ("name,A,B\nPong,1,2\n", "scores.csv has columns name,A,B: "),
        ("game,A\nPong,1\n", "scores.csv has columns game,A: "),
        ("game,A,B\nPong,1,2\nQbert,1,\n", "scores.csv, line 3 (Qbert), cannot be read: "),
        ("game,A,B\nPong,1,many\n", "scores.csv, line 2 (Pong), cannot be read: "),
    ],
)
def test_a_csv_of_scores_that_cannot_be_read_is_told(analysis: Analysis, content: str | None, start: str) -> None:
    if content is not None:
        Path("scores.csv").write_text(content)
    assert analysis.refuses("table2", "--csv", "scores.csv", "--out", "new").startswith(start)


@pytest.mark.parametrize("words", [["figure3", "--sweep", "mine"], ["scores", "--sweep", "mine"], ["publish", "mine"]])
def test_damaged_episodes_are_named_with_their_line(two: Analysis, words: list[str]) -> None:
    path = Path("outputs") / entry()["folder"] / "episodes.csv"
    path.write_text("step,return,length\n100,1.0,100\n200,oops,100\n")
    assert two.refuses(*words) == f"{path}, line 3, cannot be read: step, return are needed."


@pytest.mark.parametrize("words", [[], ["table9"], ["table1", "--sweeps"], ["publish"], ["figure1", "--sweep", "mine"]])
def test_a_command_that_does_not_exist_ends_with_the_usage(analysis: Analysis, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        analysis(*words)
    assert ended.value.code == 2
    assert "usage: python -m analysis" in analysis.capsys.readouterr().err
