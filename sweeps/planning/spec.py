"""Sweep files: a named, declared set of runs, `conf/sweep/*.yaml`, readable as the table they make (DESIGN: words)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ppo.config.compose import CONF
from ppo.errors import UserError, near

FOLDER = CONF / "sweep"
KEYS = ("grid", "settings", "exclude", "include")
SETTING = "setting"  # names a run's label in `exclude`, beside the axes


@dataclass(frozen=True)
class Sweep:
    """A union of grids: settings x axes, less what is excluded, and runs of other sweeps."""

    name: str
    grid: dict[str, list[str]] = field(default_factory=dict)  # axis -> values, as on the command line
    settings: dict[str, list[str]] = field(default_factory=dict)  # label -> overrides
    exclude: list[dict[str, list[str]]] = field(default_factory=list)  # axis or `setting` -> values left out together
    include: dict[str, list[str] | None] = field(default_factory=dict)  # sweep -> its labels; None: all of them


def names() -> list[str]:
    """The sweeps there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Sweep:
    """The sweep of this name, or of a yaml file elsewhere; UserError if there is none or it makes no sense."""
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"sweep {name} is unknown: {near(name, names())}; or a path that ends in .yaml.")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as a sweep ({' '.join(str(error).split())}).") from None
    return parse(path.stem, content)


def parse(name: str, content: Any) -> Sweep:
    """The sweep that a mapping describes."""
    where = f"sweep {name}"
    content = _mapping(content, where)
    for key in content:
        if key not in KEYS:
            raise UserError(f"{where}: unknown key {key}: {near(str(key), KEYS)}.")
    grid = {str(axis): _axis(v, f"{where}: grid.{axis}") for axis, v in _get(content, "grid", where).items()}
    settings = {str(k): _overrides(v, f"{where}: setting {k!r}") for k, v in _get(content, "settings", where).items()}
    include = {str(k): _labels(v, f"{where}: include.{k}") for k, v in _get(content, "include", where).items()}
    if not (grid or settings or include):
        raise UserError(f"{where} names no run: grid, settings or include is needed.")
    entries = _list(content.get("exclude") or [], f"{where}: exclude")
    exclude = [_excluded(entry, grid, settings, where) for entry in entries]
    return Sweep(name, grid, settings, exclude, include)


def text(value: Any) -> str:
    """A yaml value as it would be typed after `key=`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "[" + ",".join(text(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{text(v)}" for k, v in value.items()) + "}"
    return str(value)


def _axis(values: Any, where: str) -> list[str]:
    listed = values if isinstance(values, list) else [values]
    if not listed:
        raise UserError(f"{where} has no values: a value or a list of values is needed.")
    return [text(v) for v in listed]


def _overrides(values: Any, where: str) -> list[str]:
    listed = _list(values or [], where)
    for value in listed:
        if not isinstance(value, str) or "=" not in value:
            raise UserError(f"{where}: {text(value)} is not an override: key=value is needed.")
    return listed


def _labels(values: Any, where: str) -> list[str] | None:
    return None if values is None else [str(v) for v in _list(values, where)]


def _excluded(
    entry: Any, grid: Mapping[str, list[str]], settings: Mapping[str, Any], where: str
) -> dict[str, list[str]]:
    entry = _mapping(entry, f"{where}: an entry of exclude")
    allowed: dict[str, list[str]] = dict(grid) | {SETTING: list(settings)}
    excluded = {}
    for key, values in entry.items():
        if key not in allowed:
            raise UserError(f"{where}: exclude names {key}, which is no axis: {near(str(key), allowed)}.")
        excluded[key] = _axis(values, f"{where}: exclude.{key}")
        for value in excluded[key]:
            if value not in allowed[key]:
                raise UserError(f"{where}: exclude.{key}={value} is none of its values: {near(value, allowed[key])}.")
    return excluded


def _get(content: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    return _mapping(content.get(key) or {}, f"{where}: {key}")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be a mapping of keys, not {text(value)!r}.")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise UserError(f"{where} must be a list, not {text(value)!r}.")
    return value


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, where plain yaml would let the second one win in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
