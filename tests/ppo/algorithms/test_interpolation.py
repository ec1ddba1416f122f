"""Figure 2's line: what the trainer records between the old and the new policy of the first update."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ppo.algorithms.ppo.interpolation import COLUMNS
from ppo.config.compose import compose
from ppo.train import Interrupted, Outcome, train

SMALL = ["env=hopper", "total_steps=2048", "algorithm.horizon=512", "compile=false"]
RECORD = "algorithm.record=[interpolation]"


def trained(outputs: Path, *overrides: str) -> Outcome:
    (outcome,) = train([compose([*SMALL, *overrides, f"outputs={outputs}"])])
    return outcome


def table(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return trained(tmp_path_factory.mktemp("line"), RECORD)


@pytest.fixture(scope="module")
def line(run: Outcome) -> dict[str, np.ndarray]:
    return table(run.folder / "interpolation.csv")


def at(line: dict[str, np.ndarray], scale: float) -> dict[str, float]:
    (index,) = np.flatnonzero(np.isclose(line["scale"], scale))
    return {name: float(values[index]) for name, values in line.items()}


def test_the_line_reaches_from_before_the_old_policy_to_beyond_the_new_one(line: dict[str, np.ndarray]) -> None:
    assert tuple(line) == COLUMNS
    np.testing.assert_allclose(line["scale"], np.arange(-10, 41) / 20)


def test_at_the_old_policy_all_surrogates_are_the_mean_advantage_and_kl_is_0(line: dict[str, np.ndarray]) -> None:
    old = at(line, 0)
    assert [old[name] for name in ("kl", "cpi", "clipped", "clip")] == pytest.approx([0, 0, 0, 0], abs=1e-6)


def test_near_the_old_policy_the_surrogates_have_one_slope_and_kl_has_none(line: dict[str, np.ndarray]) -> None:
    slope = {name: (at(line, 0.05)[name] - at(line, -0.05)[name]) / 0.1 for name in COLUMNS}
    assert slope["cpi"] > 0
    assert slope["clipped"] == pytest.approx(slope["cpi"], rel=0.05)
    assert slope["clip"] == pytest.approx(slope["cpi"], rel=0.05)
    assert abs(slope["kl"]) < 0.1 * slope["cpi"]


def test_the_clipped_surrogate_is_below_the_other_two_everywhere(line: dict[str, np.ndarray]) -> None:
    assert (line["clip"] <= line["cpi"] + 1e-6).all()
    assert (line["clip"] <= line["clipped"] + 1e-6).all()


def test_at_the_new_policy_kl_is_the_one_of_the_first_update(run: Outcome, line: dict[str, np.ndarray]) -> None:
    assert at(line, 1)["kl"] == pytest.approx(table(run.folder / "updates.csv")["kl"][0], rel=1e-4)


def test_recording_does_not_change_the_bits_of_a_run(run: Outcome, tmp_path: Path) -> None:
    other = trained(tmp_path)
    assert other.folder.name != run.folder.name  # what a run records is part of what it is
    assert (other.folder / "episodes.csv").read_bytes() == (run.folder / "episodes.csv").read_bytes()
    assert not (other.folder / "interpolation.csv").exists()


def test_runs_that_clip_nothing_have_the_same_line_three_times(tmp_path: Path) -> None:
    line = table(trained(tmp_path, RECORD, "surrogate=none").folder / "interpolation.csv")
    np.testing.assert_allclose(line["clip"], line["cpi"])
    np.testing.assert_allclose(line["clipped"], line["cpi"])


def test_a_run_that_begins_beside_one_that_goes_on_has_the_same_line(run: Outcome, tmp_path: Path) -> None:
    runs = [compose([*SMALL, RECORD, f"seed={seed}", f"outputs={tmp_path}"]) for seed in (1, 0)]
    asked = iter([False, False, True])
    with pytest.raises(Interrupted):
        train(runs[:1], stop=lambda: next(asked))
    _, begun = train(runs)
    assert (begun.folder / "interpolation.csv").read_bytes() == (run.folder / "interpolation.csv").read_bytes()
