"""Sweep files: a named, declared set of runs, `conf/sweep/*.yaml`, readable as the table that they make."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ppo.config import overrides as hydra_words
from ppo.config.compose import expand
from ppo.config.files import first_line, text_of
from ppo.errors import UserError, did_you_mean, shown
from ppo.runs.sweep_names import FOLDER, SUFFIX, sweep_name

KEYS = ("grid", "settings", "exclude", "include")
SETTING = "setting"  # names a label in `exclude`, beside the axes
EMPTY = (None, "", "null", "~")  # a key without a value, as Python objects and as yaml's strings


@dataclass(frozen=True)
class Sweep:
    """A union of grids: settings x axes, less what is excluded, and runs of other sweeps."""

    name: str  # of a file elsewhere than in conf/sweep: its stem and six digits of its path
    grid: dict[str, list[str]] = field(default_factory=dict)  # axis -> values, as on the command line
    settings: dict[str, list[str]] = field(default_factory=dict)  # label -> overrides
    exclude: list[dict[str, list[str]]] = field(default_factory=list)  # axis or `setting` -> values left out together
    include: dict[str, list[str] | None] = field(default_factory=dict)  # sweep -> its labels; None: all of them


def names() -> list[str]:
    """The sweeps in conf/sweep."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def file_of(name: str) -> Path:
    """The file of a sweep: one of conf/sweep by its name, any other by a path that ends in .yaml."""
    path = Path(name) if name.endswith(SUFFIX) else FOLDER / f"{name}{SUFFIX}"
    try:
        path = path.expanduser()
        found = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name that is too long, or of an unknown user, or none at all
        found = False
    if not found:
        other = "the path of an existing file" if name.endswith(SUFFIX) else "a path that ends in .yaml"
        expected = f"{', '.join(names())}, or {other}"
        raise UserError(f"sweep {name} is unknown: expected {expected}.{did_you_mean(name, names())}")
    return path


def load(name: str) -> Sweep:
    """The sweep of this name or file; UserError if there is none or it is invalid."""
    path = file_of(name)
    try:
        content = yaml.load(text_of(path, "a sweep", typed=False), _AsTyped)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as a sweep ({first_line(error)}).") from None
    return parse(sweep_name(path), content)


def parse(name: str, content: Any) -> Sweep:
    """The sweep that a mapping describes."""
    where = f"sweep {name}"
    content = _mapping(content, where)
    for key in content:
        if key not in KEYS:
            raise UserError(f"{where}: unknown key {key}: expected {', '.join(KEYS)}.{did_you_mean(str(key), KEYS)}")
    grid = {str(axis): _axis(str(axis), v, f"{where}: grid.") for axis, v in _get(content, "grid", where).items()}
    settings = {str(k): _overrides(v, f"{where}: setting {k!r}") for k, v in _get(content, "settings", where).items()}
    include = {str(k): _labels(v, f"{where}: include.{k}") for k, v in _get(content, "include", where).items()}
    if not (grid or settings or include):
        raise UserError(f"{where} defines no runs: add grid, settings or include.")
    _check_labels(settings, where)
    _check_overlap(grid, settings, where)
    entries = content.get("exclude")
    listed = [] if entries in EMPTY else _list(entries, f"{where}: exclude")
    exclude = [_excluded(entry, grid, settings, where) for entry in listed]
    return Sweep(name, grid, settings, exclude, include)


def _check_labels(settings: Mapping[str, Any], where: str) -> None:
    """UserError for labels that would not be seen, or could not be distinguished, in a table."""
    for label in settings:
        if label != " ".join(label.split()) or not label.isprintable():
            expected = "printable characters, with single spaces between words only"
            raise UserError(f"{where}: setting {label!r} is invalid: expected {expected}.")
    looks = Counter(unicodedata.normalize("NFKC", label) for label in settings)
    if alike := [label for label in settings if looks[unicodedata.normalize("NFKC", label)] > 1]:
        raise UserError(f"{where}: settings {' and '.join(map(ascii, alike))} look the same: rename one of them.")


def _check_overlap(grid: Mapping[str, Any], settings: Mapping[str, list[str]], where: str) -> None:
    """UserError for a setting that overrides an axis, of which only one value would be left."""
    for label, overrides in settings.items():
        for key, _ in [leaf for override in hydra_words.parse(overrides) for leaf in hydra_words.leaves(override)]:
            if key in grid:
                raise UserError(f"{where}: setting {label!r} overrides {key}, an axis of the grid: remove one of them.")


def _axis(axis: str, values: Any, where: str) -> list[str]:
    """The values of an axis; UserError if there are none or one twice."""
    listed = values if isinstance(values, list) else [] if values == "" else [values]
    expanded = [value for entry in listed for value in _expanded(axis, entry)]
    if not expanded:
        raise UserError(f"{where}{axis} has no values: expected a value or a list of values.")
    if repeated := [value for value, count in Counter(expanded).items() if count > 1]:
        raise UserError(f"{where}{axis} has the value {repeated[0]} twice: remove one of them.")
    return expanded


def _expanded(axis: str, value: Any) -> list[str]:
    """A value as it would be typed; several for `a,b` and `range(0,3)`, which mean in a file what they mean there."""
    text = shown(value)
    if isinstance(value, str) and ("," in value or "(" in value):
        return [line.partition("=")[2] for (line,) in expand([f"{axis}={text}"])]
    return [text]


def _overrides(values: Any, where: str) -> list[str]:
    listed = [] if values in EMPTY else _list(values, where)
    for value in listed:
        if not isinstance(value, str) or "=" not in value:
            raise UserError(f"{where}: {shown(value)} is not an override: expected key=value.")
    return listed


def _labels(values: Any, where: str) -> list[str] | None:
    return None if values in EMPTY else [str(v) for v in _list(values, where)]


def _excluded(
    entry: Any, grid: Mapping[str, list[str]], settings: Mapping[str, Any], where: str
) -> dict[str, list[str]]:
    entry = _mapping(entry, f"{where}: an entry of exclude")
    allowed: dict[str, list[str]] = dict(grid) | {SETTING: list(settings)}
    excluded = {}
    for key, values in entry.items():
        if key not in allowed:
            expected = f"expected {', '.join(allowed)}.{did_you_mean(str(key), allowed)}"
            raise UserError(f"{where}: exclude.{key} is not an axis: {expected}")
        excluded[key] = _labelled(key, values, f"{where}: exclude.")
        for value in excluded[key]:
            if value not in allowed[key]:
                expected = f"expected {', '.join(allowed[key])}.{did_you_mean(value, allowed[key])}"
                raise UserError(f"{where}: exclude.{key}={value} is invalid: {expected}")
    return excluded


def _labelled(key: str, values: Any, where: str) -> list[str]:
    """The values of an entry of `exclude`; labels are not expanded."""
    if key != SETTING:
        return _axis(key, values, where)
    return [str(v) for v in (values if isinstance(values, list) else [values])]


def _get(content: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = content.get(key)
    return {} if value in EMPTY else _mapping(value, f"{where}: {key}")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be a mapping of keys, not {shown(value)!r}.")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise UserError(f"{where} must be a list, not {shown(value)!r}.")
    return value


class _AsTyped(yaml.BaseLoader):
    """Reads every value as the string that was typed (010, 1:30, 1e-4), and refuses a duplicate key."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a string", key.start_mark)
            if key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)
