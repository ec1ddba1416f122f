"""Who imports whom (law 6): module names inside strings count; one way in (law 5); torch-free rooms; a short root."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("ppo", "sweeps", "analysis", "hydra_plugins")
MAY = {  # room -> what it may import of ours
    "ppo": ("ppo",),
    "sweeps": ("ppo", "sweeps"),
    "analysis": ("analysis", "ppo.runs", "ppo.config", "ppo.errors"),
}
EVALUATES = {"analysis/results/figure1.py": ("ppo.learning.surrogates",)}  # it draws an objective
TRAINERS = {"ppo.session": "ppo/train.py", "ppo.pack": "ppo/session.py"}  # module -> the only file that may run it
IMPORTERS = ("import_module", "__import__", "find_spec", "run_module", "resolve_name")
TORCH_FREE = ("ppo.config", "ppo.runs", "ppo.errors")
MOST_IN_THE_ROOT = 12


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it, but for those it needs for its types only."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typed = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    for_types = {inner for node in typed for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node not in for_types:
            assert node.level == 0, f"{path} imports relatively"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def named(path: Path) -> set[str]:
    """The modules of ours that a file names in its strings, in whatever way it may import them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    found = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings
        if "." in (name := node.value.partition(":")[0].strip(".")) and is_module(name)
    }
    return found | set(imported_by_name(tree))


def imported_by_name(tree: ast.AST) -> Iterator[str]:
    """Packages of ours named without a dot: `import_module("sweeps")`, `[python, "-m", "sweeps"]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in IMPORTERS:
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and a.value in OURS)
        elif isinstance(node, (ast.List, ast.Tuple)):
            values = [e.value if isinstance(e, ast.Constant) else None for e in node.elts]
            yield from (str(b) for a, b in itertools.pairwise(values) if a == "-m" and b in OURS)


def is_module(name: str) -> bool:
    """Whether a dotted name, or what is before its last dot, is a module of ours."""
    parts = name.split(".")
    if parts[0] not in OURS or not all(part.isidentifier() for part in parts):
        return False
    places = (ROOT.joinpath(*parts), ROOT.joinpath(*parts[:-1]))
    return any(place.is_dir() or place.with_suffix(".py").is_file() for place in places)


def forbidden(path: Path, room: str) -> list[str]:
    """The modules of ours that a file of a room must not import."""
    allowed = (*MAY[room], *EVALUATES.get(path.relative_to(ROOT).as_posix(), ()))
    used = {name for name in imports(path) | named(path) if name.partition(".")[0] in OURS}
    inside = {name for name in used if name in allowed or name.startswith(tuple(f"{a}." for a in allowed))}
    parents = {a.rpartition(".")[0] for a in allowed}  # `from ppo import errors` names `ppo` beside `ppo.errors`
    return sorted(used - inside - parents)


@pytest.mark.parametrize("room", MAY)
def test_a_room_imports_only_what_it_stands_on(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert files
    assert {str(path.relative_to(ROOT)): found for path in files if (found := forbidden(path, room))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import sweeps",
        "def f():\n    from sweeps.planning import plan",
        "import_module('sweeps')",
        "importlib.import_module('hydra_plugins.ppo_sweeps.launcher')",
        "PLUGIN = 'hydra_plugins.ppo_sweeps.launcher'",
        "ENTRY = 'sweeps.launching.worker:main'",
        "subprocess.run([sys.executable, '-m', 'sweeps'])",
        "subprocess.run([sys.executable, '-m', 'sweeps.launching.worker'])",
        "TARGET = f'{a}' 'x' + 'analysis.store.runs'",
    ],
)
def test_a_module_in_a_string_is_found(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for folder in ("ppo", "sweeps/launching", "sweeps/planning", "hydra_plugins/ppo_sweeps", "analysis"):
        (tmp_path / folder).mkdir(parents=True)
    for module in ("sweeps/launching/worker", "hydra_plugins/ppo_sweeps/launcher", "analysis/store"):
        (tmp_path / f"{module}.py").touch()
    (tmp_path / "ppo" / "mine.py").write_text(text)
    assert forbidden(tmp_path / "ppo" / "mine.py", "ppo")


@pytest.mark.parametrize(
    "text", ['"""Like sweeps.planning."""', "x = 'sweeps'", "x = 'python -m sweeps run x'", "import ppo"]
)
def test_a_word_that_is_no_import_is_not(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "sweeps" / "planning").mkdir(parents=True)
    (tmp_path / "ppo").mkdir()
    (tmp_path / "ppo" / "mine.py").write_text(text)
    assert forbidden(tmp_path / "ppo" / "mine.py", "ppo") == []


@pytest.mark.parametrize("module", TRAINERS)
def test_everything_trains_through_one_function(module: str) -> None:
    files = [path for room in ("ppo", "sweeps", "hydra_plugins") for path in (ROOT / room).rglob("*.py")]
    assert [str(path.relative_to(ROOT)) for path in files if module in imports(path) | named(path)] == [
        TRAINERS[module]
    ]


def test_config_and_runs_are_torch_free() -> None:
    rooms = [path for room in TORCH_FREE for path in [ROOT.joinpath(*room.split("."))]]
    files = [file for room in rooms for file in (room.rglob("*.py") if room.is_dir() else [room.with_suffix(".py")])]
    modules = sorted(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files)
    program = (
        "import sys; from importlib import import_module\n"
        f"for name in {modules}: import_module(name)\n"
        "from ppo.config import choices, identity, naming; from ppo.config.compose import compose\n"
        "runs = [compose([f'algorithm={name}']) for name in choices.algorithm.names()]\n"
        "print([naming.labels(runs, [''] * len(runs)), *map(identity.pack_key, runs)])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_root_of_ppo_is_the_drive_and_nothing_else() -> None:
    assert len(list((ROOT / "ppo").glob("*.py"))) <= MOST_IN_THE_ROOT
