"""A run is found in its store by its hash, whatever its folder is called; stores of version 0.1 are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.config.identity import run_hash, short
from ppo.config.naming import folder_name
from ppo.config.run import Config
from ppo.errors import UserError
from ppo.runs.finding import folders_by_hash, run_folders
from ppo.runs.store import default_store, folder_of, store_path


def config(store: Path, *overrides: str) -> Config:
    return compose([f"outputs={store}", *overrides])


def make(store: Path, *parts: str) -> Path:
    path = store.joinpath("runs", *parts)
    path.mkdir(parents=True)
    return path


def test_a_new_run_gets_the_folder_of_its_name(tmp_path: Path) -> None:
    run = config(tmp_path, "seed=3")
    assert folder_of(run) == tmp_path / "runs" / folder_name(run)
    assert folder_of(run).name == f"seed-3-{short(run_hash(run))}"
    assert not (tmp_path / "runs").exists(), "looking makes nothing"


def test_a_run_is_found_by_its_hash(tmp_path: Path) -> None:
    run = config(tmp_path)
    renamed = make(tmp_path, "other-task", "other-setting", f"seed-7-{short(run_hash(run))}")
    assert folder_of(run) == renamed
    assert folder_of(run, folders_by_hash(tmp_path)) == renamed
    own = make(tmp_path, *folder_name(run).split("/"))
    assert folder_of(run) == own, "its own name comes first"
    assert folder_of(run, folders_by_hash(tmp_path)) == own, "however it is looked up"


def test_a_run_trained_afresh_beside_it_is_not_the_run(tmp_path: Path) -> None:
    run = config(tmp_path)
    again = make(tmp_path, "a", "b", f"seed-0-{short(run_hash(run))}-2")
    assert folder_of(run) == tmp_path / "runs" / folder_name(run)
    assert list(run_folders(tmp_path)) == [again]


def test_a_folder_given_by_name_is_that_folder(tmp_path: Path) -> None:
    assert folder_of(config(tmp_path, "run_dir=here/mine")) == Path("here/mine")


def test_the_users_home_is_found() -> None:
    assert store_path("~/store") == Path.home() / "store"
    assert folder_of(compose(["outputs=~/no-such-store"])).is_relative_to(Path.home() / "no-such-store")


def test_the_default_store_is_the_root_configs() -> None:
    assert default_store() == compose().execution.outputs


def test_run_folders_are_listed_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    made = [make(tmp_path, env, "ppo", f"seed-{seed}-{seed:012x}") for env in "ab" for seed in (0, 9, 10, 100)]
    make(tmp_path, "a", "ppo", "notes")
    (tmp_path / "runs" / "a" / "ppo" / "seed-1-000000000001").touch()
    assert list(run_folders(tmp_path)) == made


def test_a_link_that_leads_to_itself_hides_no_run(tmp_path: Path) -> None:
    made = make(tmp_path, "a", "ppo", "seed-0-000000000000")
    for name in (made.with_name("seed-1-000000000001"), tmp_path / "runs" / "a" / "loop", tmp_path / "runs" / "loop"):
        name.symlink_to(name.name)
    assert list(run_folders(tmp_path)) == [made]


def test_where_there_is_no_store_there_are_no_runs(tmp_path: Path) -> None:
    assert list(run_folders(tmp_path / "none")) == []
    (tmp_path / "runs").touch()
    assert folders_by_hash(tmp_path) == {}


def test_a_store_of_version_0_1_is_refused_in_a_sentence(tmp_path: Path) -> None:
    make(tmp_path, "Hopper-v5", "ppo-clip-epsilon=0.2", "seed=0-1a2b3c4d")
    for call in (lambda: list(run_folders(tmp_path)), lambda: folder_of(config(tmp_path))):
        with pytest.raises(UserError, match=r"version 0\.1") as error:
            call()
        assert str(error.value).startswith(f"outputs={tmp_path} is invalid: expected ")
        assert "\n" not in str(error.value)


def test_a_store_is_scanned_once_for_many_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a", "b", "seed-0-000000000000")
    scanned = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(path) or scandir(path))
    found = folders_by_hash(tmp_path)
    assert len(scanned) == 3
    for seed in range(100):
        folder_of(config(tmp_path, f"seed={seed}"), found)
    assert len(scanned) == 3
