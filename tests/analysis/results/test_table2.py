"""Table 2 counts games won by unrounded means, of runs or of published scores, and reports what it cannot read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.results.table2 import METRICS, TIE, count_wins, from_csv, from_runs, to_table
from tests.analysis.folders import complaint
from tests.analysis.handmade import run_of, runs_of

ALGORITHMS = ["A2C", "ACER", "PPO"]


def scores_of(**games: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(games.values(), index=list(games), columns=ALGORITHMS)


def write(folder: Path, content: str) -> Path:
    path = folder / "scores.csv"
    path.write_text(content, encoding="utf-8")
    return path


# -- counting ----------------------------------------------------------------------------------------------------------


def test_each_game_is_won_by_the_highest_mean() -> None:
    scores = scores_of(Alien=(1, 2, 3), Boxing=(1, 5, 4), Krull=(9, 8, 7), Qbert=(-3, -2, -1))
    assert count_wins(scores).to_dict() == {"A2C": 1, "ACER": 1, "PPO": 2, TIE: 0}


def test_a_tie_of_the_best_is_nobodys_game() -> None:
    assert count_wins(scores_of(Pong=(1, 2, 2))).to_dict() == {"A2C": 0, "ACER": 0, "PPO": 0, TIE: 1}


def test_a_tie_of_those_behind_the_best_does_not_matter() -> None:
    assert count_wins(scores_of(Pong=(2, 2, 3))).to_dict() == {"A2C": 0, "ACER": 0, "PPO": 1, TIE: 0}


def test_a_game_that_nobody_scores_in_is_a_tie() -> None:
    assert count_wins(scores_of(Venture=(0, 0, 0)))[TIE] == 1


def test_means_that_are_printed_alike_are_no_tie_if_they_differ() -> None:
    scores = scores_of(Pong=(19.7, 20.67, 20.73))  # both are printed as 20.7
    assert count_wins(scores).to_dict() == {"A2C": 0, "ACER": 0, "PPO": 1, TIE: 0}


def test_the_papers_two_printed_ties_are_one_tie_and_one_game_won() -> None:
    # Table 6 prints 20.7 twice for Pong and 0.0 three times for Venture; Table 2 counts a single tie. The means are of
    # 300 episodes: a Pong mean is a multiple of 1/300, and a Venture treasure of 100 would be printed as 0.3.
    hidden = scores_of(Pong=(19.7, 6221 / 300, 6220 / 300), Venture=(0, 0, 0))
    assert f"{6221 / 300:.1f}" == f"{6220 / 300:.1f}" == "20.7"
    assert count_wins(hidden).to_dict() == {"A2C": 0, "ACER": 1, "PPO": 0, TIE: 1}
    assert count_wins(hidden.round(1)).to_dict() == {"A2C": 0, "ACER": 0, "PPO": 0, TIE: 2}


def test_every_game_is_counted_once() -> None:
    scores = scores_of(Alien=(1, 2, 3), Boxing=(5, 5, 4), Krull=(9, 8, 7), Qbert=(-1, -1, -1))
    assert count_wins(scores).sum() == 4


def test_no_game_is_won_by_anybody() -> None:
    assert count_wins(scores_of()).to_dict() == {"A2C": 0, "ACER": 0, "PPO": 0, TIE: 0}


# -- published scores --------------------------------------------------------------------------------------------------


def test_a_csv_is_read_as_games_by_algorithms(tmp_path: Path) -> None:
    scores = from_csv(write(tmp_path, "game,A2C,ACER,PPO\nPong,19.7,20.7,20.7\nVenture,0.0,0,-1e1\n"))
    assert scores.index.tolist() == ["Pong", "Venture"]
    assert scores.columns.tolist() == ALGORITHMS
    assert scores.to_numpy().tolist() == [[19.7, 20.7, 20.7], [0, 0, -10]]
    assert count_wins(scores).to_dict() == {"A2C": 0, "ACER": 0, "PPO": 0, TIE: 2}


def test_a_game_may_be_called_like_a_missing_value(tmp_path: Path) -> None:
    assert from_csv(write(tmp_path, "game,A,B\nNA,1,2\nnull,3,4\n")).index.tolist() == ["NA", "null"]


@pytest.mark.parametrize("cell", ["", "NA", "nan", "many", "1;2", "20.7%"])
def test_a_cell_that_is_no_number_is_reported_with_its_line_and_game(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, f"game,A2C,PPO\nAlien,1,2\nPong,{cell},3\nQbert,x,4\n")
    sentence = complaint(from_csv, path)
    assert f"{path}, line 3 (Pong), is invalid" in sentence


def test_a_row_that_is_too_short_is_reported_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "game,A2C,PPO\nAlien,1,2\nPong,3\n")
    assert complaint(from_csv, path).startswith(f"{path}, line 3 (Pong), is invalid")


def test_a_row_that_is_too_long_is_reported_with_its_line(tmp_path: Path) -> None:
    sentence = complaint(from_csv, write(tmp_path, "game,A2C,PPO\nAlien,1,2\nPong,3,4,5\n"))
    assert "scores.csv, line 3 (Pong), is invalid" in sentence


def test_every_row_too_long_a_game_twice_and_a_blank_line_before_a_bad_one_are_reported_too(tmp_path: Path) -> None:
    assert "line 2 (Pong)" in complaint(from_csv, write(tmp_path, "game,A,B\nPong,1,2,3\n"))
    assert "line 3, is invalid: duplicate game Pong" in complaint(
        from_csv, write(tmp_path, "game,A,B\nPong,1,2\nPong,1,2\n")
    )
    assert "line 4 (Pong)" in complaint(from_csv, write(tmp_path, "game,A,B\n\nAlien,1,2\nPong,1,x\n"))


def test_a_byte_order_mark_and_rows_of_nothing_are_no_part_of_the_scores(tmp_path: Path) -> None:
    plain = from_csv(write(tmp_path, "game,A,B\nAlien,1,2\nPong,3,4\n"))
    odd = from_csv(write(tmp_path, "\ufeffgame,A,B\n\nAlien,1,2\n,,\n  \nPong,3,4\n\n"))
    pd.testing.assert_frame_equal(odd, plain)


def test_the_order_of_trials_makes_no_winner() -> None:
    runs = runs_of([*trials("A", "Pong", 0.1, 0.2, 0.3), *trials("B", "Pong", 0.3, 0.2, 0.1)])
    assert count_wins(from_runs(runs)["score"])[TIE] == 1


@pytest.mark.parametrize("header", ["Game,A2C,PPO", "A2C,game,PPO", "game,PPO", "game"])
def test_a_header_of_other_columns_is_reported_with_those_that_are_needed(tmp_path: Path, header: str) -> None:
    path = write(tmp_path, f"{header}\n")
    sentence = complaint(from_csv, path)
    assert sentence.startswith(f"{path} has columns {header}: expected game,")


def test_an_empty_file_is_reported_in_a_sentence(tmp_path: Path) -> None:
    assert "scores.csv cannot be read: " in complaint(from_csv, write(tmp_path, ""))


def test_a_file_that_is_not_there_is_reported_in_a_sentence(tmp_path: Path) -> None:
    assert "absent.csv cannot be read: " in complaint(from_csv, tmp_path / "absent.csv")


def test_a_file_that_is_no_text_is_reported_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(b"\x80\x02}q\x00\n\xff")
    assert "scores.csv cannot be read: " in complaint(from_csv, path)


# -- from runs ---------------------------------------------------------------------------------------------------------


def trials(label: str, env: str, *scores: float | None, early: float = 0.0) -> list[dict[str, object]]:
    """Runs whose mean over all of training is `early` below that of the last 100 episodes."""
    return [
        run_of(label, env, seed, score) | {"mean_return": None if score is None else score - early}
        for seed, score in enumerate(scores)
    ]


def test_trials_of_an_algorithm_are_averaged_by_both_metrics() -> None:
    runs = runs_of([*trials("A2C", "Pong", 1, 2, 6, early=2), *trials("PPO", "Pong", 4, 4, 5, early=6)])
    scores = from_runs(runs)
    assert list(scores) == list(METRICS) == ["mean_return", "score"]
    assert scores["score"].loc["Pong"].tolist() == pytest.approx([3, 13 / 3])
    assert scores["mean_return"].loc["Pong"].tolist() == pytest.approx([1, -5 / 3])


def test_the_two_metrics_can_have_other_winners() -> None:
    runs = runs_of([*trials("A2C", "Pong", 1, 2, 6, early=2), *trials("PPO", "Pong", 4, 4, 5, early=6)])
    wins = {metric: count_wins(scores).to_dict() for metric, scores in from_runs(runs).items()}
    assert wins == {"score": {"A2C": 0, "PPO": 1, TIE: 0}, "mean_return": {"A2C": 1, "PPO": 0, TIE: 0}}


def test_a_game_that_an_algorithm_has_not_finished_is_left_out() -> None:
    played = [run for label in ("A2C", "PPO") for run in trials(label, "Pong", 1)]
    runs = runs_of([*played, *trials("A2C", "Qbert", 5), *trials("PPO", "Qbert", None)])
    assert [scores.index.tolist() for scores in from_runs(runs).values()] == [["Pong"], ["Pong"]]


def test_a_trial_that_is_not_done_does_not_count() -> None:
    failed = run_of("A2C", "Pong", 2, 99.0, state="failed")
    runs = runs_of([*trials("A2C", "Pong", 1, None), failed, *trials("PPO", "Pong", 2, 4)])
    assert from_runs(runs)["score"].loc["Pong"].tolist() == [1, 3]


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_per_metric_and_a_column_per_algorithm_and_one_of_ties() -> None:
    early = scores_of(Alien=(1, 2, 3), Pong=(0, 1, 2))
    late = scores_of(Alien=(1, 4, 3), Pong=(0, 2, 2))
    table = to_table({"mean_return": early, "score": late}, ["Mine."])
    assert table.title == "Table 2: games won, of 2"
    assert table.header == ["metric", "A2C", "ACER", "PPO", "Tie"]
    assert table.rows == [
        ["(1) mean episode reward over all of training", "0", "0", "2", "0"],
        ["(2) mean episode reward over last 100 episodes", "0", "1", "0", "1"],
    ]


def test_the_papers_counts_are_below_the_table() -> None:
    counts, mine = to_table({"score": scores_of(Alien=(1, 2, 3))}, ["Mine."]).notes
    assert counts == "Paper, of 49: (1) A2C 1, ACER 18, PPO 30, tie 0; (2) A2C 1, ACER 28, PPO 19, tie 1."
    assert mine == "Mine."
