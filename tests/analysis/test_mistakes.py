"""What `ppo-analysis` refuses, each in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.command import commands
from tests.analysis.folders import Analysis, entry, write_list
from tests.sealed import reseal


@pytest.mark.parametrize("command", ["table1", "table2", "figure3", "scores"])
def test_a_sweep_that_is_nowhere_is_refused_with_the_command_that_trains_it(analysis: Analysis, command: str) -> None:
    assert "ppo-sweeps run absent" in analysis.refuses(command, "--sweep", "absent")


def test_table_2_without_scores_names_both_ways_to_give_it_some(analysis: Analysis) -> None:
    assert all(way in analysis.refuses("table2") for way in ("--csv", "--sweep"))


def test_a_sweep_that_is_nowhere_is_not_published(analysis: Analysis) -> None:
    assert "ppo-sweeps run absent" in analysis.refuses("publish", "absent")


@pytest.mark.parametrize("word", ["outputs=nowhere", "outputs=", "outputs=outputs/sweeps/mine/runs.json"])
def test_a_store_that_is_no_folder_is_refused(two: Analysis, word: str) -> None:
    assert two.refuses("table1", "--sweep", "mine", word) == f"{word} is invalid: expected an existing folder."


@pytest.mark.parametrize("word", ["store=outputs", "outputz=outputs"])
def test_another_key_is_refused(two: Analysis, word: str) -> None:
    assert two.refuses("table1", word) == f"{word} is invalid: expected outputs=FOLDER."


@pytest.mark.parametrize("words", [["table1", "--sweep"], ["figure3", "--sweep"], ["publish"]])
def test_a_list_of_runs_that_cannot_be_read_is_reported(two: Analysis, words: list[str]) -> None:
    Path("outputs/sweeps/mine/runs.json").write_text('{"runs": [')
    assert "outputs/sweeps/mine/runs.json is not a readable list of runs" in two.refuses(*words, "mine")


@pytest.mark.parametrize("command", ["table1", "figure3"])
def test_a_sweep_of_which_nothing_is_done_has_nothing_to_show(two: Analysis, command: str) -> None:
    write_list(two.store, [entry("Reacher-v5")])
    assert two.refuses(command, "--sweep", "mine", "--out", "new").startswith("no run of sweep mine is done")


@pytest.mark.parametrize(
    ("content", "start"),
    [
        (None, "scores.csv cannot be read: "),
        ("", "scores.csv cannot be read: "),
        ("name,A,B\nPong,1,2\n", "scores.csv has columns name,A,B: "),
        ("game,A\nPong,1\n", "scores.csv has columns game,A: "),
        ("game,A,B\nPong,1,2\nQbert,1,\n", "scores.csv, line 3 (Qbert), is invalid"),
        ("game,A,B\nPong,1,many\n", "scores.csv, line 2 (Pong), is invalid"),
    ],
)
def test_a_csv_of_scores_that_cannot_be_read_is_reported(analysis: Analysis, content: str | None, start: str) -> None:
    if content is not None:
        Path("scores.csv").write_text(content)
    assert analysis.refuses("table2", "--csv", "scores.csv", "--out", "new").startswith(start)


@pytest.mark.parametrize("words", [["figure3", "--sweep", "mine"], ["scores", "--sweep", "mine"], ["publish", "mine"]])
def test_damaged_episodes_are_named_with_their_line(two: Analysis, words: list[str]) -> None:
    path = Path("outputs") / entry().folder / "episodes.csv"
    path.write_text("step,return,length\n100,1.0,100\n200,oops,100\n")
    reseal(path.parent)
    assert two.refuses(*words).startswith(f"{path}, line 3, is invalid")


def test_every_command_has_a_help_of_its_own(analysis: Analysis) -> None:
    assert len({command.name for command in commands()}) == len(commands()) >= 14
    for command in commands():
        with pytest.raises(SystemExit) as ended:
            analysis(command.name, "--help")
        assert ended.value.code == 0
        assert "outputs=FOLDER" in analysis.capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "table1, table2"),
        (["table9"], "Did you mean table"),
        (["table1", "--sweeps"], "Did you mean --sweep?"),
        (["publish"], "sweep is missing"),
        (["--hlep"], "unknown flag --hlep"),
        (["outputs=outputs", "--hlep", "table1"], "Did you mean --help?"),
        (["figure1", "--sweep", "mine"], "unknown flag --sweep"),
    ],
)
def test_a_command_that_does_not_exist_is_one_sentence(analysis: Analysis, words: list[str], said: str) -> None:
    assert said in analysis.refuses(*words)
