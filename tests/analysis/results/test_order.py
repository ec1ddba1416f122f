"""Which settings differ significantly, on hand-made scores with known differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.normalise import BESTS, Reference
from analysis.randoms import POLICIES
from analysis.results import order
from analysis.store import Runs
from tests.analysis.folders import complaint, entry, load, write_done, write_list

SCORES = {  # label -> scores of seeds 0 and 1 on each of two tasks; the random policy has 0, the best run 100
    "High": ([90.0, 100.0], [98.0, 100.0]),
    "Low": ([10.0, 20.0], [12.0, 18.0]),
    "Wide": ([0.0, 100.0], [0.0, 100.0]),
}
TASKS = ("Hopper-v5", "Reacher-v5")


def runs_of(store: Path, scores: dict[str, tuple[list[float], ...]]) -> Runs:
    entries = []
    for label, by_task in scores.items():
        for env, values in zip(TASKS, by_task, strict=False):
            for seed, score in enumerate(values):
                entries.append(entry(env, seed, label, f"ppo-{label}"))
                write_done(store, entries[-1], score=score)
    write_list(store, entries)
    return load(store)


def compare(store: Path, scores: dict[str, tuple[list[float], ...]]) -> list[list[str]]:
    runs = runs_of(store, scores)
    return order.to_table(order.compute(runs, reference(runs)), runs, reference(runs)).rows


def reference(runs: Runs) -> Reference:
    """0 is 0 and 1 is the best run."""
    best = runs.frame.groupby("env").score.max()
    zero = dict.fromkeys(best.index, 0.0)
    return Reference(dict.fromkeys(POLICIES, zero), dict.fromkeys(BESTS, best.to_dict()), {})


def test_settings_are_ranked_and_those_significantly_below_are_listed(tmp_path: Path) -> None:
    assert compare(tmp_path, SCORES) == [
        ["1. High", "0.97", "3", "3"],
        ["2. Wide", "0.50", "none", "none"],
        ["3. Low", "0.15", "none", "none"],
    ]


def test_a_difference_has_the_interval_of_its_possible_draws(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, {"A": ([100.0, 100.0],), "B": ([0.0, 50.0],)})
    frame = order.compute(runs, reference(runs)).set_index(["label", "other"])
    pair = frame.loc[("A", "B")]  # B's mean is 0, 25 or 50 of 100, with chances 1/4, 1/2, 1/4
    assert (pair.difference, pair["seeds low"], pair["seeds high"]) == (0.75, 0.5, 1.0)
    assert frame.loc[("B", "A")].difference == -0.75


def test_over_tasks_a_setting_that_is_better_on_one_of_two_is_not_above(tmp_path: Path) -> None:
    rows = compare(tmp_path, {"A": ([100.0, 100.0], [50.0, 50.0]), "B": ([0.0, 1.0], [50.0, 50.0])})
    assert rows[0] == ["1. A", "1.00", "2", "none"]


def test_tasks_that_a_setting_lacks_do_not_count(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, {"A": ([100.0, 100.0], [0.0, 0.0]), "B": ([50.0, 50.0],)})
    frame = order.compute(runs, reference(runs))
    assert np.allclose(frame.difference.abs(), 0.5)


def test_one_pair_is_not_one_of_many(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, {"Better": ([8.0, 9.0],), "Worse": ([1.0, 2.0],)})
    table = order.to_table(order.compute(runs, reference(runs)), runs, reference(runs))
    assert not [note for note in table.notes if "pairs" in note]


@pytest.mark.parametrize("scores", [{"A": ([1.0, 2.0],)}, {"A": ([1.0],), "B": ([100.0],)}])
def test_one_setting_or_one_seed_cannot_be_compared(tmp_path: Path, scores: dict[str, tuple[list[float], ...]]) -> None:
    runs = runs_of(tmp_path, scores)
    assert "too few normalised scores" in complaint(order.compute, runs, reference(runs))


def test_without_a_normalised_score_the_reason_is_given(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, SCORES)
    nothing = Reference(
        {name: {} for name in POLICIES}, {name: {} for name in BESTS}, dict.fromkeys(TASKS, "train one")
    )
    assert "train one" in complaint(order.compute, runs, nothing)


def test_settings_without_a_common_task_cannot_be_compared(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, {"A": ([100.0, 100.0],), "B": ([], [1.0, 2.0])})
    assert "too few normalised scores" in complaint(order.compute, runs, reference(runs))
