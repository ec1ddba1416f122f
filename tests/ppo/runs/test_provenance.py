"""What made a number is told: code by what it says, commit and differences, versions, machine, job."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from ppo.runs import provenance as made_by
from ppo.runs.provenance import NO_NUMBERS, PACKAGES, SLURM_KEYS, processor, scheduler_ids

SOURCE = '''"""A module."""


def double(x):
    """Twice as much."""
    return 2 * x
'''
# The functions themselves, without what they remember.
code_hash, code_diff, provenance = (f.__wrapped__ for f in (made_by.code_hash, made_by.code_diff, made_by.provenance))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two modules in place of ppo, outside any checkout, and a conf beside it."""
    folder = tmp_path / "project" / "ppo"
    (folder / "envs").mkdir(parents=True)
    (tmp_path / "project" / "conf").mkdir()
    (tmp_path / "project" / "conf" / "config.yaml").write_text("seed: 0\n")
    for path in (folder / "double.py", folder / "envs" / "task.py"):
        path.write_text(SOURCE)
    monkeypatch.setattr(made_by, "PACKAGE", folder)
    monkeypatch.setattr(made_by, "code_hash", code_hash)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


def git(package: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments]
    return subprocess.run(command, cwd=package.parent, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commit(package: Path) -> str:
    """The commit of a clean checkout."""
    git(package, "init", "-q")
    git(package, "add", ".")
    git(package, "commit", "-q", "-m", "all")
    return git(package, "rev-parse", "HEAD")


# -- code --------------------------------------------------------------------------------------------------------------


def test_comments_and_layout_are_not_code(package: Path) -> None:
    before = code_hash()
    (package / "double.py").write_text("# Twice.\n" + SOURCE.replace("2 * x", "(2\n        * x)  # more"))
    assert code_hash() == before
    assert len(before) == 8
    assert int(before, 16) >= 0


@pytest.mark.parametrize("name", ["double.py", "envs/task.py"])
def test_a_changed_number_is_other_code(package: Path, name: str) -> None:
    before = code_hash()
    (package / name).write_text(SOURCE.replace("2 * x", "3 * x"))
    assert code_hash() != before
    (package / name).write_text(SOURCE)
    assert code_hash() == before


def test_a_module_more_or_one_with_another_name_is_other_code(package: Path) -> None:
    before = code_hash()
    (package / "triple.py").write_text(SOURCE)
    more = code_hash()
    (package / "double.py").unlink()
    assert len({before, more, code_hash()}) == 3


def test_files_that_are_no_code_do_not_count(package: Path) -> None:
    before = code_hash()
    (package / "notes.md").write_text("notes")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "double.cpython-311.pyc").write_bytes(b"\x00")
    assert code_hash() == before


def test_the_same_code_in_another_folder_is_the_same(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_hash()
    shutil.copytree(package, package.parents[1] / "copy")
    monkeypatch.setattr(made_by, "PACKAGE", package.parents[1] / "copy")
    assert code_hash() == before


# -- commit ------------------------------------------------------------------------------------------------------------


def test_a_clean_checkout_is_its_commit_and_differs_in_nothing(package: Path, commit: str) -> None:
    assert provenance()["commit"] == commit
    assert code_diff() == ""


@pytest.mark.parametrize("name", ["ppo/double.py", "conf/config.yaml"])
def test_a_changed_file_makes_it_dirty_and_is_in_the_diff(package: Path, commit: str, name: str) -> None:
    (package.parent / name).write_text("seed = 7\n")
    assert provenance()["commit"] == f"{commit}+dirty"
    assert f"+++ b/{name}" in code_diff()
    assert "+seed = 7" in code_diff()


def test_a_staged_change_is_in_the_diff_too(package: Path, commit: str) -> None:
    (package / "double.py").write_text("seed = 7\n")
    git(package, "add", ".")
    assert provenance()["commit"] == f"{commit}+dirty"
    assert "+seed = 7" in code_diff()


def test_changes_elsewhere_in_the_checkout_do_not_count(package: Path, commit: str) -> None:
    (package.parent / "README.md").write_text("new")
    assert provenance()["commit"] == commit


def test_a_new_file_makes_it_dirty_and_is_in_the_diff(package: Path, commit: str) -> None:
    (package / "triple.py").write_text("triple = 3\n")
    assert provenance()["commit"] == f"{commit}+dirty"
    assert "+triple = 3" in code_diff()


def test_outside_a_checkout_there_is_no_commit_and_no_diff(package: Path) -> None:
    assert provenance()["commit"] is None
    assert code_diff() == ""


def test_without_git_there_is_no_commit_and_no_diff(
    package: Path, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance()["commit"] is None
    assert code_diff() == ""


# -- versions, machine, job --------------------------------------------------------------------------------------------


def test_versions_and_machine_are_told(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in SLURM_KEYS:
        monkeypatch.delenv(key, raising=False)
    told = provenance()
    assert set(told) == {"code", "commit", "versions", "host", "platform", "processor", "slurm"}
    assert set(told["versions"]) == {*PACKAGES, "python"}
    assert all(told["versions"].values())
    assert told["host"] == socket.gethostname()
    assert told["processor"] == processor()
    assert told["code"] == code_hash()
    assert told["slurm"] is None


def test_a_job_is_told_by_its_ids_and_nothing_else_of_slurms(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in SLURM_KEYS:
        monkeypatch.delenv(key, raising=False)
    assert scheduler_ids() is None
    for key, value in {"SLURM_JOB_ID": "15", "SLURM_RESTART_COUNT": "2", "SLURM_CONF": "/etc/slurm.conf"}.items():
        monkeypatch.setenv(key, value)
    assert scheduler_ids() == {"SLURM_JOB_ID": "15", "SLURM_RESTART_COUNT": "2"}


def test_modules_that_no_number_depends_on_do_not_count(package: Path) -> None:
    (package / "adam.py").write_text("x = 1\n")
    before = code_hash()
    (package / "progress.py").write_text("x = 1\n")
    assert code_hash() == before
    (package / "adam.py").write_text("x = 2\n")
    assert code_hash() != before


def test_the_modules_that_do_not_count_are_there() -> None:
    assert {path.name for path in made_by.PACKAGE.rglob("*.py")} >= set(NO_NUMBERS)
