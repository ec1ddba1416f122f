"""A code hash changes with what code does, and with nothing else: no docstring, import, file name or Python version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ppo.runs import code
from ppo.runs.code import code_hash, python_files

SOURCE = '''"""A module."""

from __future__ import annotations

import math


class Doubler:
    """Doubles."""

    factor: int = 2

    def double(self, x: float = 1.5, *, note: str = f"{math.pi:.2f} is {'pi'}") -> float:
        """Twice as much."""
        match note:
            case "pi":
                return math.pi
            case [first, *_] if first:
                return first
        return self.factor * x
'''


def hash_of(folder: Path, **files: str) -> str:
    """The hash of these modules in an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, source in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return code_hash(python_files(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "package"


def test_a_hash_is_eight_hex_digits(folder: Path) -> None:
    assert len(hash_of(folder, a=SOURCE)) == 8
    assert int(hash_of(folder, a=SOURCE), 16) >= 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class Doubler", "# Doubles.\nclass Doubler"),
        ("self.factor * x", "(self.factor\n            * x)  # more"),
        ('"""Twice as much."""', '"""2 x."""'),
        ('        """Twice as much."""\n', ""),
        ('"""A module."""', ""),
        ("import math\n", "import math\nimport os\nfrom typing import Any\n"),
        ("import math\n", "import math\nif TYPE_CHECKING:\n    from torch import Tensor\n"),
        ("        match note:", "        import os\n        match note:"),
    ],
)
def test_comments_layout_docstrings_and_imports_do_not_count(folder: Path, old: str, new: str) -> None:
    assert old in SOURCE
    assert hash_of(folder, a=SOURCE.replace(old, new)) == hash_of(folder, a=SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("factor: int = 2", "factor: int = 3"),
        ("1.5", "1.25"),
        ("self.factor * x", "x * self.factor"),
        ("case [first, *_]", "case [first]"),
        (".2f", ".3f"),
        ("return first", "return None"),
        ("class Doubler", "class Double"),
    ],
)
def test_a_change_of_what_code_does_counts(folder: Path, old: str, new: str) -> None:
    assert hash_of(folder, a=SOURCE.replace(old, new)) != hash_of(folder, a=SOURCE)


def test_the_places_of_files_do_not_count(folder: Path) -> None:
    other = "x = 1\n"
    assert hash_of(folder, a=SOURCE, b=other) == hash_of(folder, deep__er__a=other, b=SOURCE)


def test_a_file_more_counts_unless_it_says_nothing(folder: Path) -> None:
    alone = hash_of(folder, a=SOURCE)
    assert hash_of(folder, a=SOURCE, b="x = 1\n") != alone
    assert hash_of(folder, a=SOURCE, b='"""Only says what it is."""\nimport a\n') == alone


def test_files_that_are_not_python_do_not_count(folder: Path) -> None:
    alone = hash_of(folder, a=SOURCE)
    (folder / "notes.md").write_text("notes")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"\x00")
    assert code_hash(python_files(folder)) == alone


# -- other Pythons -----------------------------------------------------------------------------------------------------

COMPUTE = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("code_hash", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.code_hash(module.python_files(*map(pathlib.Path, sys.argv[2:]))))
"""


def pythons() -> list[str]:
    """The Pythons that the package supports, as far as they are installed here."""
    found = [shutil.which(f"python3.{minor}") for minor in range(11, 16)]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found += [str(path) for minor in range(11, 16) for path in root.glob(f"3.{minor}.*/bin/python")]
    return [python for python in found if python is not None]


def test_every_python_computes_the_same_hash(folder: Path) -> None:
    package = Path(code.__file__).parents[1]
    hash_of(folder, a=SOURCE)
    expected = code_hash(python_files(folder, package))
    versions = set()
    for python in pythons():
        command = [python, "-c", COMPUTE, code.__file__, str(folder), str(package)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "command not found" in done.stderr:  # a shim of a version that is not chosen
            continue
        assert done.stdout.strip() == expected, f"{python}: {done.stdout}{done.stderr}"
        versions.add(python)
    print(f"compared: {sorted(versions)} with {sys.version.split()[0]}")
