"""Whose code an environment is: the installed packages that register environments, and the modules of one of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ppo.envs.base import Origin

_OWN = "gymnasium"


def registering(name: str) -> str | None:
    """The package whose code has an id, or its namespace, in a file that registers environments. Imports nothing."""
    namespace = name.rpartition("/")[0]
    wanted = [name, *([f"{namespace}/"] if namespace else [])]
    quoted = [f"{quote}{text}" for text in wanted for quote in ("'", '"')]
    for module, file in _files():
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if "register(" in text and any(each in text for each in quoted):
            return module
    return None


def _files() -> Iterator[tuple[str, Path]]:
    """The source of the installed packages that speak of Gymnasium in their requirements, each with its top module."""
    for distribution in importlib.metadata.distributions():
        if any(requirement.lower().startswith(_OWN) for requirement in distribution.requires or ()):
            for path in distribution.files or ():
                if path.suffix == ".py" and len(path.parts) > 1 and ".." not in path.parts:
                    yield path.parts[0], Path(str(path.locate()))


def origins(spec: Any) -> tuple[Origin, ...]:
    """The code of a registered environment and its wrappers outside Gymnasium; `spec` is Gymnasium's EnvSpec."""
    entries = [spec.entry_point, *(wrapper.entry_point for wrapper in spec.additional_wrappers)]
    modules = dict.fromkeys(filter(None, map(_module_of, entries)))
    return tuple(_origin(module) for module in modules if module.partition(".")[0] != _OWN)


def _module_of(entry: Any) -> str | None:
    if isinstance(entry, str):
        return entry.partition(":")[0]
    return getattr(getattr(entry, "func", entry), "__module__", None)  # of a functools.partial, its function's


def _origin(module: str) -> Origin:
    packages = _distributions().get(module.partition(".")[0])
    package = packages[0] if packages else None
    return Origin(module, _place_of(module), package, importlib.metadata.version(package) if package else None)


@lru_cache
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def _place_of(module: str) -> Path | None:
    """The folder of a module's package, or its file if it is a module on its own."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin).parent if spec.parent else Path(spec.origin)
