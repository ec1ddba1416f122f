"""Yaml files that people wrote: whatever is wrong with one is one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ppo.errors import UserError

MOST_NODES = 10_000  # of a file, aliases followed: a few nested ones expand to billions
# Plain yaml reads 010 as 8 and 1:30 as 90.
ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|0b[01_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")


def text_of(path: Path) -> str:
    """The text of a yaml file that is safe to load; UserError if it is none, recursive, or a bomb of aliases."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        _size(path, yaml.compose(text, yaml.SafeLoader), {}, ())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as yaml ({first_line(error)}).") from None
    return text


def _size(path: Path, node: yaml.Node | None, known: dict[int, int], above: tuple[int, ...]) -> int:
    """The number of nodes in a node, aliases followed."""
    if node is None or isinstance(node, yaml.ScalarNode):
        if node is not None and node.style is None and ODD_NUMBER.fullmatch(node.value):
            line = node.start_mark.line + 1
            raise UserError(f"{path}, line {line}: {node.value} is invalid: expected a plain decimal number.")
        return 1
    if id(node) in above:
        raise UserError(f"{path} cannot be read as yaml (line {node.start_mark.line + 1} contains itself).")
    if id(node) not in known:
        inner = [x for pair in node.value for x in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_size(path, x, known, (*above, id(node))) for x in inner)
    if known[id(node)] > MOST_NODES:
        raise UserError(f"{path} cannot be read as yaml (its aliases expand to more than {MOST_NODES} values).")
    return known[id(node)]


def first_line(error: Exception) -> str:
    """The first line of an error's message, without its full stop; of a yaml error, with the place."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
