"""Table 6 puts the scores of Atari games beside published ones, and says how long the runs were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.results import figure6
from analysis.results.figure3 import compute as curves
from analysis.results.table2 import TIE, count_wins
from analysis.results.table6 import MEDIAN, atari_runs, budget, compute, human_normalised, published, to_table
from analysis.store import Runs
from tests.analysis.folders import complaint
from tests.analysis.handmade import run_of, runs_of


def runs(*rows: tuple[str, str, int, float | None], steps: int = 1_000_000) -> Runs:
    other: dict[str, Any] = {"suite": "atari", "steps": steps}
    return runs_of([run_of(label, game, seed, value, **other) for label, game, seed, value in rows])


def row(found: Runs, game: str) -> list[str]:
    return next(cells for cells in to_table(compute(found), found).rows if cells[0] == game)


def test_the_papers_counts_of_games_follow_from_its_printed_scores() -> None:
    paper = published()[["A2C", "ACER", "PPO"]]
    assert len(paper) == 49
    assert count_wins(paper).to_dict() == {"A2C": 1, "ACER": 27, "PPO": 19, TIE: 2}


def test_a_cell_is_the_mean_over_seeds_and_the_papers_stand_beside_it() -> None:
    found = runs(("PPO", "pong", 0, -10.0), ("PPO", "pong", 1, 0.0), ("A2C", "pong", 0, -20.0))
    assert row(found, "pong")[:6] == ["pong", "-5.0", "-20.0", "19.7", "20.7", "20.7"]


def test_a_missing_run_shows_in_its_cell() -> None:
    found = runs(("PPO", "pong", 0, -10.0), ("PPO", "pong", 1, None))
    assert row(found, "pong")[1] == "-10.0 (1/2)"
    assert row(runs(("PPO", "pong", 0, None)), "pong")[1] == "- (0/1)"


def test_a_human_tester_is_1_and_a_random_policy_is_0() -> None:
    scores = published().loc[["pong", "breakout"]]
    assert human_normalised(scores.human).tolist() == [1.0, 1.0]
    assert human_normalised(scores.random).tolist() == [0.0, 0.0]
    assert np.isnan(human_normalised(pd.Series({"tetris": 5.0}))["tetris"])


def test_the_last_row_is_the_median_over_games() -> None:
    games = published()
    found = runs(*[("PPO", game, 0, float(games.human[game])) for game in ("pong", "breakout", "qbert")])
    assert row(found, MEDIAN)[1] == "1.00"


def test_a_budget_below_the_papers_is_named() -> None:
    assert budget(pd.Series([1_000_448, 1_000_448])) == "1M steps, not the paper's 10M"
    assert budget(pd.Series([50_000, 1_000_000])) == "50,000 to 1M steps, not the paper's 10M"
    assert budget(pd.Series([10_000_384])) == "10M steps"
    found = runs(("PPO", "pong", 0, 1.0), steps=50_176)
    assert "50,176 steps, not the paper's" in to_table(compute(found), found).title
    assert "50,176 steps, not the paper's" in figure6.heading(found)


def test_games_of_no_published_column_have_only_ours() -> None:
    table = to_table(compute(found := runs(("PPO", "tetris", 0, 3.0))), found)
    assert table.header == ["game", "PPO"]
    assert table.rows[-1] == [MEDIAN, "-"]


def test_a_sweep_without_atari_games_is_one_sentence() -> None:
    assert "no Atari games" in complaint(atari_runs, runs_of([run_of("PPO", "Hopper-v5", 0, 1.0)]))


@pytest.mark.parametrize("number", [1, 3, 49])
def test_every_game_has_a_panel(number: int) -> None:
    found = runs(*[(label, game, 0, 1.0) for game in published().index[:number] for label in ("PPO", "A2C")])
    figure = figure6.draw(curves(found), figure6.heading(found))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert sorted(axis.get_title() for axis in shown) == sorted(published().index[:number])
    assert [len(axis.lines) for axis in shown] == [2] * number
