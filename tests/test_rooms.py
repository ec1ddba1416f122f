"""Law 5: one way in; law 6: sweeps stands on ppo, analysis on neither (tests/analysis looks at what it loads)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {"ppo": {"sweeps", "analysis"}, "sweeps": {"analysis"}, "analysis": {"ppo", "sweeps", "torch"}}


TRAINERS = {"ppo.session": "ppo/train.py", "ppo.pack": "ppo/session.py"}  # module -> the only file that may run it


def modules(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it, but for those it needs for its types only."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typed = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    for_types = {inner for node in typed for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node not in for_types:
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported(path: Path) -> set[str]:
    """The top-level packages of those modules."""
    return {name.partition(".")[0] for name in modules(path)}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_it_stands_on(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert files
    assert {str(path): found for path in files if (found := imported(path) & FORBIDDEN[room])} == {}


@pytest.mark.parametrize("module", TRAINERS)
def test_everything_trains_through_one_function(module: str) -> None:
    rooms = [path for room in ("ppo", "sweeps", "hydra_plugins") for path in (ROOT / room).rglob("*.py")]
    assert [str(path.relative_to(ROOT)) for path in rooms if module in modules(path)] == [TRAINERS[module]]
