"""The catalogue of a sweep's runs is the same from the cache as composed, and is composed anew for anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ppo.config.identity import setting_name
from sweeps.planning.catalogue import Catalogue, Entry, catalogue
from sweeps.planning.runs import sweep_runs
from sweeps.planning.spec import load
from tests.sweeps.declared import complaint


def write(folder: Path, name: str = "mine", **content: Any) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(content))
    return str(path)


@pytest.fixture
def sweep(tmp_path: Path) -> str:
    """Two runs, in a store where the sweep was run once."""
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    return write(tmp_path, grid={"seed": [0, 1]}, settings={"A": ["surrogate=none"]})


def cached(store: Path) -> list[Path]:
    return sorted((store / "sweeps" / "mine").glob("*"))


def look(sweep: str, *overrides: str, only: tuple[str, ...] = ()) -> Catalogue:
    return catalogue(sweep, [f"outputs={Path(sweep).parent}", *overrides], only)


def seeds(found: Catalogue) -> list[int]:
    return [entry.seed for entry in found.entries]


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sweeps that were composed, in order."""
    names = []

    def count(sweep: Any, *rest: Any) -> Any:
        names.append(sweep.name)
        return sweep_runs(sweep, *rest)

    monkeypatch.setattr("sweeps.planning.catalogue.sweep_runs", count)
    return names


def test_an_entry_is_its_run_in_short(sweep: str) -> None:
    found = look(sweep, "total_steps=5000")
    runs = sweep_runs(load(sweep), [f"outputs={Path(sweep).parent}", "total_steps=5000"])
    goal = 3 * 2048  # whole iterations
    assert found.outputs == str(Path(sweep).parent)
    assert found.entries == [
        Entry("A", "Hopper-v5", setting_name(run.config), run.config.seed, run.hash, str(run.folder), goal)
        for run in runs
    ]


def test_a_hit_is_the_same_as_a_miss(sweep: str, composed: list[str]) -> None:
    miss, hit = look(sweep), look(sweep)
    assert composed == ["mine"]
    assert hit == miss
    assert [type(value) for value in hit.entries[0]] == [type(value) for value in miss.entries[0]]
    assert isinstance(hit.entries[0], Entry)


def test_a_changed_override_is_composed_anew(sweep: str, composed: list[str]) -> None:
    assert seeds(look(sweep)) == [0, 1]
    assert seeds(look(sweep, "seed=4")) == [4]
    assert seeds(look(sweep)) == [0, 1]
    assert composed == ["mine"] * 3


def test_another_choice_of_settings_is_composed_anew(sweep: str) -> None:
    write(Path(sweep).parent, settings={"A": [], "B": ["surrogate=none"]})
    assert [entry.label for entry in look(sweep).entries] == ["A", "B"]
    assert [entry.label for entry in look(sweep, only=("B",)).entries] == ["B"]


def test_a_changed_sweep_file_is_composed_anew(sweep: str) -> None:
    assert seeds(look(sweep)) == [0, 1]
    write(Path(sweep).parent, grid={"seed": [2]})
    assert seeds(look(sweep)) == [2]


def test_a_changed_file_that_the_sweep_includes_is_composed_anew(tmp_path: Path, sweep: str) -> None:
    other = write(tmp_path, "other", grid={"seed": [0]})
    write(tmp_path, include={other: None})
    assert seeds(look(sweep)) == [0]
    write(tmp_path, "other", grid={"seed": [0, 1]})
    assert seeds(look(sweep)) == [0, 1]


def test_a_sweep_keeps_one_catalogue(tmp_path: Path, sweep: str) -> None:
    look(sweep)
    (first,) = cached(tmp_path)
    look(sweep, "seed=4")
    (second,) = cached(tmp_path)
    assert first != second


def test_a_broken_cache_is_composed_anew(tmp_path: Path, sweep: str) -> None:
    whole = look(sweep)
    (path,) = cached(tmp_path)
    path.write_text(path.read_text()[:50])
    assert look(sweep) == whole


def test_a_cache_may_be_deleted(tmp_path: Path, sweep: str) -> None:
    whole = look(sweep)
    (path,) = cached(tmp_path)
    path.unlink()
    assert look(sweep) == whole


def test_looking_at_a_sweep_that_was_never_run_makes_no_folder(tmp_path: Path) -> None:
    sweep = write(tmp_path, grid={"seed": [0]})
    assert seeds(look(sweep)) == [0]
    assert list(tmp_path.iterdir()) == [Path(sweep)]


def test_a_mistake_is_told_in_a_sentence_and_not_kept(tmp_path: Path, sweep: str) -> None:
    assert "unknown key sead" in complaint(look, sweep, "sead=1")
    assert not cached(tmp_path)
