"""Law 9: whatever a sweep lists, a label is of one setting, and on each task of one suite; else nothing is averaged."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pandas as pd
import pytest

import analysis
from analysis.grouping import by_cell, by_label
from tests.analysis.folders import complaint, digest
from tests.analysis.handmade import run_of, runs_of

LABELS = ("A", "A, a", "A, a, suite=mujoco", f"A, a ({digest('s0')[:12]})", "a")


def random_rows(rng: random.Random) -> list[dict[str, object]]:
    """Runs whose labels, names, settings, tasks and suites fit each other as they please."""
    rows = {}
    for _ in range(rng.randint(1, 12)):
        setting, env, suite = rng.choice(("s0", "s1", "s2")), rng.choice("XY"), rng.choice(("mujoco", "gymnasium"))
        row = run_of(rng.choice(LABELS), env, rng.randint(0, 2), rng.random(), suite=suite)
        row |= {"setting": rng.choice("ab"), "setting_hash": digest(setting)}
        row["run"] = digest(setting, env, suite, row["seed"])  # as a run is its config
        rows[row["run"], row["label"]] = row
    return list(rows.values())


@pytest.mark.parametrize("seed", range(300))
def test_every_row_is_one_setting_and_every_cell_one_suite(seed: int) -> None:
    rows = random_rows(random.Random(seed))
    frame = runs_of(rows).frame
    assert sorted(frame.run) == sorted(row["run"] for row in rows)
    assert (frame.groupby("label").setting_hash.nunique() == 1).all()
    assert (frame.groupby(["label", "env"]).suite.nunique() == 1).all()
    assert not frame.duplicated(["label", "env", "seed"]).any()


def test_labels_that_are_each_of_one_setting_stay_as_they_are() -> None:
    rows = [run_of(label, env, seed, 1.0) for label in "AB" for env in "XY" for seed in (0, 1)]
    assert [row["label"] for row in rows] == list(runs_of(rows).frame.label)


def test_a_task_of_two_suites_is_two_cells() -> None:
    both = [(suite, seed) for suite in ("s", "t") for seed in (0, 1)]
    rows = [run_of("A", "X", seed, 1.0, suite=suite, run=digest(suite, seed)) for suite, seed in both]
    assert list(runs_of(rows).frame.label) == ["A, suite=s"] * 2 + ["A, suite=t"] * 2


@pytest.mark.parametrize("group", [by_label, by_cell])
def test_a_group_of_several_settings_is_refused(group: object) -> None:
    frame = pd.DataFrame({"label": "A", "env": "X", "suite": "s", "setting_hash": ["1", "2"]})
    assert "A has runs of several values of setting_hash" in complaint(group, frame)


def test_a_cell_of_several_suites_is_refused() -> None:
    frame = pd.DataFrame({"label": "A", "env": "X", "suite": ["s", "t"], "setting_hash": "1"})
    assert "A on X has runs of several values of suite" in complaint(by_cell, frame)


def test_runs_are_grouped_in_one_place_only() -> None:
    """`frame.groupby` with labels is for what was averaged already: then each row has its label alone."""
    averaged = {"results/figure3.py": 1, "results/robust.py": 1}
    folder = Path(analysis.__file__).parent
    found = {}
    for path in folder.rglob("*.py"):
        if count := len(re.findall(r"groupby\([^)]*label", path.read_text(encoding="utf-8"))):
            found[path.relative_to(folder).as_posix()] = count
    assert found.pop("grouping.py")
    assert found == averaged
