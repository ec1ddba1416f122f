"""A hash of what source code says: independent of Python's version, docstrings, comments, imports and file names.

Imports nothing but the standard library, so that any Python can compute it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

LEFT_OUT = ("type_ignores", "type_params", "kind")  # fields that only some versions of Python have, or that say nothing
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_hash(files: Iterable[Path]) -> str:
    """Eight hex digits of the code in these files; files that only import, or are empty, do not count."""
    texts = sorted(filter(None, (canonical(path.read_bytes()) for path in files)))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]


def python_files(*places: Path) -> list[Path]:
    """The Python files among these files and under these folders."""
    return sorted({file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])})


def canonical(source: bytes) -> str:
    """The code of a file as one line, without what no number depends on; empty if nothing is left."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        for _, value in ast.iter_fields(node):
            if isinstance(value, list):
                value[:] = [item for item in value if not _only_imports(item)]
    return _text(tree) if tree.body else ""


def _only_imports(node: object) -> bool:
    """An import, or imports that only type checkers see."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return not node.orelse and all(map(_only_imports, node.body))
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _text(node: object) -> str:
    """Type and fields of a node, without empty fields, which not every version of Python lists."""
    if isinstance(node, ast.AST):
        fields = (f"{k}={_text(v)}" for k, v in ast.iter_fields(node) if v not in (None, []) and k not in LEFT_OUT)
        return f"{type(node).__name__}({','.join(fields)})"
    return f"[{','.join(map(_text, node))}]" if isinstance(node, list) else repr(node)
