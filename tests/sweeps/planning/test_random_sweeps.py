"""Law 9 for sweep files at random: every label is one setting's, in the whole sweep and in each part of it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from ppo.errors import UserError
from ppo.runs.row import RunRow
from sweeps.planning.runs import Selection, select
from sweeps.planning.spec import load
from tests.sweeps.planning.random_sweeps import random_overrides, random_sweep

SWEEPS = 150


def selection(seed: int, folder: Path) -> Selection | None:
    """The runs of a random sweep under random overrides; None where they are refused."""
    rng = random.Random(seed)
    try:
        return select(load(str(random_sweep(rng, folder, "mine"))), [*random_overrides(rng), f"outputs={folder}"])
    except UserError:
        return None


def owners(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, owner in pairs:
        found[name].add(owner)
    return found


def shared(rows: list[RunRow]) -> list[str]:
    """Labels, and names of settings, that several settings have; and seeds of a cell that several runs have."""
    broken = [name for name, own in owners((row.label, row.setting_hash) for row in rows).items() if len(own) > 1]
    broken += [name for name, own in owners((row.setting, row.setting_hash) for row in rows).items() if len(own) > 1]
    cells = owners((f"{row.label} {row.env} {row.seed}", row.run) for row in rows)
    return broken + [cell for cell, runs in cells.items() if len(runs) > 1]


def test_every_label_is_one_settings_whatever_a_sweep_declares(tmp_path: Path) -> None:
    made = [(seed, found) for seed in range(SWEEPS) if (found := selection(seed, tmp_path))]
    assert len(made) > SWEEPS / 6, "most of these sweeps are refused"
    assert max(len({run.label for run in found.declared}) for _, found in made) > 8
    for seed, found in made:
        assert shared([run.row for run in found.declared]) == [], seed
        assert shared([run.row for run in found.runs]) == [], seed


def test_a_part_has_the_labels_of_its_whole(tmp_path: Path) -> None:
    for seed in range(SWEEPS):
        if found := selection(seed, tmp_path):
            whole = {run.hash: run.label for run in found.declared}
            assert all(whole[run.hash] == run.label for run in found.runs), seed


@pytest.mark.parametrize(
    ("a", "b"),
    [("1e-3", "0.001"), ("0.10", "0.1"), ("[64,64]", "[64, 64]"), ("[ 32 ]", "[32]"), ("true", "True")],
)
def test_values_that_are_spelled_differently_are_one_run_and_refused_as_two(a: str, b: str, tmp_path: Path) -> None:
    axis = "network.hidden" if "[" in a else "network.shared" if "rue" in a else "algorithm.lr"
    path = tmp_path / "mine.yaml"
    path.write_text(f"grid: {{{axis}: ['{a}', '{b}']}}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"same run|twice"):
        select(load(str(path)))


def test_labels_that_look_the_same_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text('settings: {"\\u00e9": [], "e\\u0301": ["seed=1"]}\n', encoding="utf-8")
    with pytest.raises(UserError, match="look the same"):
        load(str(path))
