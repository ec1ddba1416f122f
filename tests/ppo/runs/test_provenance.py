"""What made a number is recorded: the code that a run uses, commit and differences, versions, machine, job."""

from __future__ import annotations

import importlib
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ppo.config import choices
from ppo.config.compose import compose
from ppo.runs import provenance as made_by
from ppo.runs.code import canonical, python_files
from ppo.runs.machine import SLURM_KEYS, processor, scheduler_ids
from ppo.runs.provenance import CORE, PACKAGES, SWITCHES, code_hashes, differences, provenance
from tests.ppo.handmade import composed, own_registries

# The functions themselves, without what they remember.
code_diff, surroundings = (f.__wrapped__ for f in (made_by.code_diff, made_by._surroundings))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two modules in place of ppo, outside any checkout, and a conf beside it."""
    folder = tmp_path / "project" / "ppo"
    (folder / "envs").mkdir(parents=True)
    (tmp_path / "project" / "conf").mkdir()
    (tmp_path / "project" / "conf" / "config.yaml").write_text("seed: 0\n")
    for path in (folder / "double.py", folder / "envs" / "task.py"):
        path.write_text("double = 2\n")
    monkeypatch.setattr(made_by, "PACKAGE", folder)
    monkeypatch.setattr(made_by, "_surroundings", surroundings)
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


# -- parts of the code -------------------------------------------------------------------------------------------------


def test_a_run_has_the_hash_of_each_part_that_it_uses() -> None:
    hashes = code_hashes(compose(["algorithm=trpo"]))
    assert set(hashes) == {"core", "algorithm/trpo", "suite/mujoco"}
    assert all(re.fullmatch("[0-9a-f]{8}", value) for value in hashes.values())
    other = code_hashes(compose(["env=gymnasium", "env.id=CartPole-v1"]))
    assert set(other) == {"core", "algorithm/ppo", "suite/gymnasium"}
    assert other["core"] == hashes["core"]


def test_a_surrogate_of_somebody_elses_is_a_part_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_registries(monkeypatch)
    text = "class HalfClip(Clip):\n    half = {}\n"
    head = "from dataclasses import dataclass\nfrom ppo.config import choices\n"
    head += "from ppo.learning.surrogates.clip import Clip\n\n"
    head += "@choices.surrogate('my_lab/half')\n@dataclass(frozen=True)\n"
    (tmp_path / "half_clip.py").write_text(head + text.format(0.5))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "half_clip", raising=False)
    importlib.import_module("half_clip")
    made_by._hash_of.cache_clear()
    hashes = code_hashes(composed([], surrogate={"name": "my_lab/half", "epsilon": 0.2}))
    assert set(hashes) == {"core", "algorithm/ppo", "suite/mujoco", "surrogate/my_lab/half"}
    (tmp_path / "half_clip.py").write_text(head + text.format(0.25))
    made_by._hash_of.cache_clear()
    changed = code_hashes(composed([], surrogate={"name": "my_lab/half", "epsilon": 0.2}))
    assert {part for part in hashes if changed[part] != hashes[part]} == {"surrogate/my_lab/half"}


def test_every_place_of_the_core_exists() -> None:
    assert all((made_by.PACKAGE / place).exists() for place in CORE)


def test_every_file_that_a_number_may_depend_on_is_in_a_part() -> None:
    """What is left out says how a run is asked for, shown and recorded."""
    parts = [made_by.PACKAGE / place for place in CORE]
    parts += [made_by._place_of(choices.algorithm.find(name, "")) for name in choices.algorithm.names()]
    parts += [made_by._place_of(choices.suite.find(name, "")) for name in choices.suite.names()]
    inside = set(python_files(*parts))
    left_out = {p.relative_to(made_by.PACKAGE).parts[0] for p in python_files(made_by.PACKAGE) if p not in inside}
    left_out -= {"__init__.py", "algorithms", "envs"}  # of which only an __init__ without code is left out
    assert left_out <= {
        "__main__.py",
        "cli",
        "config",
        "console.py",
        "policy.py",
        "errors.py",
        "runs",
        "session.py",
        "train.py",
    }
    for package in ("algorithms", "envs"):
        assert not canonical((made_by.PACKAGE / package / "__init__.py").read_bytes())


def test_no_algorithm_uses_anothers_code() -> None:
    for name in choices.algorithm.names():
        place = made_by._place_of(choices.algorithm.find(name, ""))
        for file in python_files(place):
            imported = re.findall(r"ppo\.algorithms\.(\w+)", file.read_text(encoding="utf-8"))
            assert set(imported) <= {place.name, "base"}, file


def test_the_part_of_a_module_on_its_own_is_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lonely_suite.py").write_text("class Mine: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("lonely_suite")
    assert made_by._place_of(module.Mine) == tmp_path / "lonely_suite.py"


# -- commit ------------------------------------------------------------------------------------------------------------


def test_a_clean_checkout_is_its_commit_and_differs_in_nothing(package: Path, commit: str) -> None:
    assert surroundings()["commit"] == commit
    assert code_diff() == ""


@pytest.mark.parametrize("name", ["ppo/double.py", "conf/config.yaml"])
def test_a_changed_file_makes_it_dirty_and_is_in_the_diff(package: Path, commit: str, name: str) -> None:
    (package.parent / name).write_text("seed = 7\n")
    assert surroundings()["commit"] == f"{commit}+dirty"
    assert f"+++ b/{name}" in code_diff()
    assert "+seed = 7" in code_diff()


def test_a_staged_change_is_in_the_diff_too(package: Path, commit: str) -> None:
    (package / "double.py").write_text("seed = 7\n")
    git(package, "add", ".")
    assert surroundings()["commit"] == f"{commit}+dirty"
    assert "+seed = 7" in code_diff()


def test_changes_elsewhere_in_the_checkout_do_not_count(package: Path, commit: str) -> None:
    (package.parent / "README.md").write_text("new")
    assert surroundings()["commit"] == commit


def test_a_new_file_makes_it_dirty_and_is_in_the_diff(package: Path, commit: str) -> None:
    (package / "triple.py").write_text("triple = 3\n")
    assert surroundings()["commit"] == f"{commit}+dirty"
    assert "+triple = 3" in code_diff()


def test_outside_a_checkout_there_is_no_commit_and_no_diff(package: Path) -> None:
    assert surroundings()["commit"] is None
    assert code_diff() == ""


def test_without_git_there_is_no_commit_and_no_diff(
    package: Path, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert surroundings()["commit"] is None
    assert code_diff() == ""


# -- versions, machine, job --------------------------------------------------------------------------------------------


def test_versions_and_machine_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in SLURM_KEYS:
        monkeypatch.delenv(key, raising=False)
    recorded = provenance(compose())
    assert set(recorded) == {"code", "commit", "versions", "host", "platform", "processor", "numerics", "slurm"}
    assert set(recorded["versions"]) == {*PACKAGES, "python"}
    assert all(recorded["versions"].values())
    atari = compose(["env=atari", "env.id=pong", "algorithm=random", "network=a3c_cnn"])
    assert set(provenance(atari)["versions"]) == {*recorded["versions"], "ale-py"}
    assert recorded["host"] == socket.gethostname()
    assert recorded["processor"] == processor()
    assert recorded["code"] == code_hashes(compose())
    assert recorded["slurm"] is None


def test_a_job_is_recorded_by_its_ids_and_nothing_else_of_slurms(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in SLURM_KEYS:
        monkeypatch.delenv(key, raising=False)
    assert scheduler_ids() is None
    for key, value in {"SLURM_JOB_ID": "15", "SLURM_RESTART_COUNT": "2", "SLURM_CONF": "/etc/slurm.conf"}.items():
        monkeypatch.setenv(key, value)
    assert scheduler_ids() == {"SLURM_JOB_ID": "15", "SLURM_RESTART_COUNT": "2"}


# -- what a resume compares --------------------------------------------------------------------------------------------


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No switches are set."""
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_of_the_arithmetic_is_a_difference(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = provenance(compose(), "AVX2")
    assert differences(before, provenance(compose(), "AVX2")) == []
    monkeypatch.setenv(switch, "other")
    assert differences(before, provenance(compose(), "AVX2")) == [f"numerics.{switch} was not set, is other"]


@pytest.mark.usefixtures("plain")
def test_code_versions_processor_and_threads_are_differences_and_host_job_and_commit_are_not() -> None:
    before = provenance(compose(), "AVX2")
    now = provenance(compose(["threads=2"]), "AVX512")
    now |= {"code": before["code"] | {"core": "new"}, "versions": before["versions"] | {"torch": "9.9"}}
    now |= {"processor": "another", "host": "elsewhere", "slurm": {"SLURM_JOB_ID": "1"}, "commit": "new"}
    found = differences(before, now)
    assert [difference.split()[0] for difference in found] == [
        "code.core", "numerics.capability", "numerics.threads", "processor", "versions.torch",
    ]  # fmt: skip
    assert f"versions.torch was {before['versions']['torch']}, is 9.9" in found


def test_a_part_of_the_code_that_is_gone_is_a_difference() -> None:
    before = provenance(compose())
    now = before | {"code": {"core": before["code"]["core"]}}
    assert all(difference.endswith("is not set") for difference in differences(before, now))
    assert len(differences(before, now)) == 2
