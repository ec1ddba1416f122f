"""Yaml files that people wrote: whatever is wrong with one is one sentence."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import yaml

from ppo.errors import UserError

MOST_BYTES = 256 * 1024  # of a file: yaml takes seconds for more
MOST_NODES = 10_000  # of a file, aliases followed: a few nested ones expand to billions
# Plain yaml reads 010 as 8 and 1:30 as 90.
ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|0b[01_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")


def text_of(path: Path, kind: str = "yaml", *, typed: bool = True, mapping: bool = False) -> str:
    """The text of a yaml file that is safe to load; UserError if it is none, recursive, or a bomb of aliases.

    `kind`: what it should be, in words; `typed`: it will be read with yaml's types, of which some numbers are odd;
    `mapping`: it must be one of keys.
    """
    try:
        text = _read(path)
        node = yaml.compose(text, yaml.SafeLoader)
        if typed:
            _check_numbers(path, node, set())
        _size(path, kind, node, {}, ())
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as {kind} ({first_line(error)}).") from None
    if mapping and not isinstance(node, yaml.MappingNode):
        raise UserError(f"{path} cannot be read as a config: expected a mapping of keys.")
    return text


def _read(path: Path) -> str:
    """The text of a file; ValueError for what is none, such as a device or a pipe, which would be waited for."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 1024} KB")
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _check_numbers(path: Path, node: yaml.Node | None, seen: set[int]) -> None:
    """UserError for a number that yaml reads as another one."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if not isinstance(node, yaml.ScalarNode):
        for inner in _inside(node):
            _check_numbers(path, inner, seen)
    elif node.style is None and ODD_NUMBER.fullmatch(node.value):
        line = node.start_mark.line + 1
        raise UserError(f"{path}, line {line}: {node.value} is invalid: expected a plain decimal number.")


def _inside(node: yaml.Node) -> list[yaml.Node]:
    """The nodes right below one that is no scalar."""
    return [x for pair in node.value for x in pair] if isinstance(node, yaml.MappingNode) else list(node.value)


def _size(path: Path, kind: str, node: yaml.Node | None, known: dict[int, int], above: tuple[int, ...]) -> int:
    """The number of nodes in a node, aliases followed."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in above:
        raise UserError(f"{path} cannot be read as {kind} (line {node.start_mark.line + 1} contains itself).")
    if id(node) not in known:
        known[id(node)] = 1 + sum(_size(path, kind, x, known, (*above, id(node))) for x in _inside(node))
    if known[id(node)] > MOST_NODES:
        raise UserError(f"{path} cannot be read as {kind} (its aliases expand to more than {MOST_NODES} values).")
    return known[id(node)]


class _Quoted(yaml.SafeDumper):
    """Quotes strings that our reader, which knows 3e-4, would take for numbers: a folder called 1e5."""


_Quoted.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\.?[0-9][0-9_]*\.?[0-9_]*[eE][-+]?[0-9]+"), list("-+.0123456789")
)


def dump(values: Any) -> str:
    """Values as yaml, from which the same values are read."""
    return yaml.dump(values, Dumper=_Quoted, sort_keys=False)


def first_line(error: Exception) -> str:
    """The first line of an error's message, without its full stop; of a yaml error, with the place."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
