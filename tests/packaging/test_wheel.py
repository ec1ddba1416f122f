"""The wheel in a fresh environment, started from an empty folder: it needs nothing of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCES = (*("ppo", "sweeps", "analysis", "hydra_plugins", "conf", "outputs/published"),
           *("pyproject.toml", "setup.py", "README.md", "LICENSE"))  # fmt: skip
TASK = ["env=inverted_pendulum", "total_steps=2048", "compile=false"]

pytestmark = pytest.mark.slow


class Installed(NamedTuple):
    """An environment with the wheel in it; what it depends on is that of the tests."""

    bin: Path
    site: Path

    def run(self, folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Start a console script, or `python` with a module of its own, in a folder."""
        return run(folder, str(self.bin / program), *words)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Start a program in a folder, without what a PYTHONPATH would let it see of the checkout."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as setuptools leaves its build folder behind."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, source / name)
    pip(built, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(source))
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A new environment that sees the dependencies of this one, but not this checkout."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    pip(place, "--python", str(place / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return Installed(place / "bin", site)


def pip(folder: Path, *words: str) -> None:
    """Run pip; what it printed, if it fails."""
    done = run(folder, sys.executable, "-m", "pip", *words)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def works(installed: Installed, tmp_path: Path) -> Callable[..., str]:
    """Start a program in an empty folder; what it printed, once it has succeeded."""

    def succeed(program: str, *words: str) -> str:
        done = installed.run(tmp_path, program, *words)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "Warning" not in done.stderr
        return done.stdout

    return succeed


def test_only_our_packages_are_installed_at_the_top(installed: Installed) -> None:
    folders = {path.name for path in installed.site.iterdir() if path.is_dir() and path.suffix != ".dist-info"}
    assert folders == {"ppo", "sweeps", "analysis", "hydra_plugins"}


def test_every_package_of_the_checkout_is_installed(installed: Installed) -> None:
    for package in ("ppo", "sweeps", "analysis", "hydra_plugins"):
        here, there = (
            {str(path.relative_to(root)) for path in (root / package).rglob("*.py")} for root in (ROOT, installed.site)
        )
        assert here == there


def test_every_yaml_is_installed(installed: Installed) -> None:
    here = {str(path.relative_to(ROOT / "conf")) for path in (ROOT / "conf").rglob("*.yaml")}
    there = {str(path.relative_to(installed.site / "ppo/conf")) for path in installed.site.rglob("ppo/conf/**/*.yaml")}
    assert here == there


@pytest.mark.parametrize("package", ["ppo", "sweeps", "analysis"])
def test_packages_are_marked_as_typed(installed: Installed, package: str) -> None:
    assert (installed.site / package / "py.typed").is_file()


def test_the_version_is_the_projects(works: Callable[..., str]) -> None:
    assert works("python", "-c", "import ppo; print(ppo.__version__)").strip() == PROJECT["version"]


@pytest.mark.parametrize("program", PROJECT["scripts"])
def test_help_is_printed(works: Callable[..., str], program: str) -> None:
    assert "usage" in works(program, "--help").lower()


def test_table_1_is_printed_from_the_published_records(works: Callable[..., str]) -> None:
    (row,) = [line for line in works("ppo-analysis", "table1").splitlines() if "Clipping, epsilon = 0.2" in line]
    assert "0.82" in row
    assert "21/21" in row


def test_a_sweep_is_planned(works: Callable[..., str]) -> None:
    assert "12 runs" in works("ppo-sweeps", "plan", "smoke")


def test_a_run_is_trained(works: Callable[..., str], tmp_path: Path) -> None:
    assert "score" in works("ppo", *TASK)
    assert len(list(tmp_path.glob("outputs/runs/*/*/*/result.json"))) == 1


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with a program and a package of the user's that have our names."""
    (tmp_path / "ppo.py").write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    for package in ("sweeps", "analysis"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [["ppo", *TASK], ["ppo", "-m", *TASK, "seed=0,1"], ["ppo-sweeps", "plan", "smoke"], ["ppo-analysis", "table1"]],
    ids=lambda words: " ".join(words[:2]),
)
def test_console_scripts_ignore_modules_of_the_same_names(installed: Installed, others: Path, words: list[str]) -> None:
    done = installed.run(others, *words)
    assert done.returncode == 0, done.stderr
    assert "not ours" not in done.stderr


@pytest.mark.parametrize(
    ("module", "words", "script"),
    [("sweeps", ["plan", "smoke"], "ppo-sweeps"), ("analysis", ["table1"], "ppo-analysis")],
)
def test_a_module_that_would_import_somebody_elses_ppo_names_the_console_script(
    installed: Installed, tmp_path: Path, module: str, words: list[str], script: str
) -> None:
    (tmp_path / "ppo.py").write_text("", encoding="utf-8")
    done = installed.run(tmp_path, "python", "-m", module, *words)
    assert done.returncode == 2
    assert str(tmp_path / "ppo.py") in done.stderr
    assert script in done.stderr
    assert done.stderr.count("\n") == 1
