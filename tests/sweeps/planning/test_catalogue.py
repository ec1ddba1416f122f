"""The catalogue of a sweep's runs is the same from the cache as composed, and is composed anew for anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ppo.errors import UserError
from ppo.runs.row import RunRow
from ppo.runs.store import default_store
from sweeps.planning import catalogue as module
from sweeps.planning.catalogue import Catalogue, catalogue, store_of
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
    path = write(tmp_path, grid={"seed": [0, 1]}, settings={"A": ["surrogate=none"]})
    (tmp_path / "sweeps" / load(path).name).mkdir(parents=True)
    return path


def cached(store: Path) -> list[Path]:
    return sorted((store / "sweeps").glob("mine-*/*"))


def look(sweep: str, *overrides: str, only: tuple[str, ...] = ()) -> Catalogue:
    return catalogue(sweep, [f"outputs={Path(sweep).parent}", *overrides], only)


def seeds(found: Catalogue) -> list[int]:
    return [row.seed for row in found.rows]


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sweeps that were composed, in order."""
    names = []

    def count(sweep: Any, *rest: Any) -> Any:
        names.append(sweep.name)
        return sweep_runs(sweep, *rest)

    monkeypatch.setattr(module, "sweep_runs", count)
    return names


def test_a_catalogue_has_the_rows_of_the_runs(sweep: str) -> None:
    found = look(sweep, "total_steps=5000")
    runs = sweep_runs(load(sweep), [f"outputs={Path(sweep).parent}", "total_steps=5000"])
    assert found.outputs == Path(sweep).parent
    assert found.rows == [run.row for run in runs]
    assert [found.outputs / row.folder for row in found.rows] == [run.folder for run in runs]
    assert {row.goal for row in found.rows} == {3 * 2048}, "whole iterations"


def test_a_cached_row_finds_its_folder_wherever_it_was_moved(sweep: str) -> None:
    first = look(sweep)
    folder = first.outputs / first.rows[0].folder
    moved = folder.parents[1] / "renamed" / folder.name
    moved.mkdir(parents=True)
    assert first.outputs / look(sweep).rows[0].folder == moved
    assert look(sweep).rows[1] == first.rows[1]


def test_a_hit_is_the_same_as_a_miss(sweep: str, composed: list[str]) -> None:
    miss, hit = look(sweep), look(sweep)
    assert composed == [load(sweep).name]
    assert hit == miss
    assert [type(value) for value in hit.rows[0]] == [type(value) for value in miss.rows[0]]
    assert isinstance(hit.rows[0], RunRow)


def test_a_changed_override_is_composed_anew(sweep: str, composed: list[str]) -> None:
    assert seeds(look(sweep)) == [0, 1]
    assert seeds(look(sweep, "seed=4")) == [4]
    assert seeds(look(sweep)) == [0, 1]
    assert len(composed) == 3


def test_another_choice_of_settings_is_composed_anew(sweep: str) -> None:
    write(Path(sweep).parent, settings={"A": [], "B": ["surrogate=none"]})
    assert [row.label for row in look(sweep).rows] == ["A", "B"]
    assert [row.label for row in look(sweep, only=("B",)).rows] == ["B"]


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


def test_a_mistake_is_reported_and_not_cached(tmp_path: Path, sweep: str) -> None:
    assert "sead" in complaint(look, sweep, "sead=1")
    assert not cached(tmp_path)


def test_a_store_that_may_only_be_read_has_no_cache(
    tmp_path: Path, sweep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(module, "write_json", refuse)
    assert seeds(look(sweep)) == [0, 1]
    assert not cached(tmp_path)


# -- the store ---------------------------------------------------------------------------------------------------------


def test_the_store_is_the_one_named_or_that_of_the_root_config() -> None:
    assert store_of(["seed=0"]) == Path(default_store()) == Path("outputs")
    assert store_of(["outputs=a/b", "seed=0"]) == Path("a/b")
    assert store_of(["outputs=~/store"]) == Path.home() / "store"


def test_a_sweep_has_one_store() -> None:
    with pytest.raises(UserError, match="one store"):
        store_of(["outputs=a,b"])


@pytest.mark.parametrize("where", ["file", "command line"])
def test_what_depends_on_the_environment_is_composed_anew(
    where: str, tmp_path: Path, composed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = "${oc.env:FIRST_SEED}"
    path = write(tmp_path, grid={"seed": [seed]} if where == "file" else {"threads": [1]})
    (tmp_path / "sweeps" / load(path).name).mkdir(parents=True)
    overrides = [] if where == "file" else [f"seed={seed}"]
    for value in (3, 4):
        monkeypatch.setenv("FIRST_SEED", str(value))
        assert seeds(look(path, *overrides)) == [value]
    assert len(composed) == 2
    assert cached(tmp_path) == []
