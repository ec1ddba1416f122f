"""Overrides, in Hydra's grammar: read, multiplied out for several runs, and applied to a composed config."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, RangeSweep, ValueType
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ppo.config import hints
from ppo.config.files import first_line
from ppo.config.flatten import flatten
from ppo.config.groups import groups
from ppo.errors import UserError, invalid

# Overrides that a sweep has by the thousand; Hydra's parser takes a millisecond for each.
NUMBER = re.compile(r"(?P<key>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)=(?P<value>-?(?:0|[1-9][0-9]*)(?P<real>\.[0-9]+)?"
                    r"(?P<power>e-?[0-9]+)?)", re.ASCII)  # fmt: skip
FOLDERS = re.compile(r"(?P<key>\+{0,2}(?:outputs|run_dir)=)(?P<value>.+)", re.DOTALL)
BEYOND_HYDRA = re.compile(r"[^\x00-\x7f]|[=#;&!^|<>]")  # what Hydra's grammar knows inside quotes only
A_NUMBER = re.compile(r"[-+]?\.?\d[\w.+-]*")  # as the name of a folder it stays as typed
IN_HYDRAS_WORDS = re.compile(r"[,'\"(\[{\\]|\$\{")  # a list, quotes, a function, an interpolation
MOST_RUNS = 100_000  # of one command: each is composed and kept


def parse(overrides: Sequence[str]) -> list[Override]:
    """Overrides as Hydra's own parser reads them; UserError where it does not understand one."""
    return [_parse(with_folders(override)) for override in overrides]


def with_folders(override: str) -> str:
    """An override of a folder as Hydra can read it: the user's home for ~, and other than ASCII letters in quotes."""
    match = FOLDERS.fullmatch(override)
    if match is None:
        return override
    value = match["value"]
    if value.startswith("~") and not IN_HYDRAS_WORDS.search(value):
        with suppress(RuntimeError):  # nobody has this name
            value = str(Path(value).expanduser())
    if (BEYOND_HYDRA.search(value) or A_NUMBER.fullmatch(value)) and not IN_HYDRAS_WORDS.search(value):
        value = f"'{value}'"
    return f"{match['key']}{value}"


@lru_cache(maxsize=65536)  # a sweep says the same few things again and again
def _parse(override: str) -> Override:
    if match := NUMBER.fullmatch(override):
        value = float(match["value"]) if match["real"] or match["power"] else int(match["value"])
        return Override(OverrideType.CHANGE, match["key"], ValueType.ELEMENT, value, input_line=override)
    try:
        parsed = OverridesParser.create().parse_override(override)
    except (HydraException, OmegaConfBaseException, ValueError, RecursionError) as error:
        reason = " ".join(first_line(error).split()).partition(" expecting ")[0]
        raise UserError(f"{override!r} is not an override ({reason}): expected key=value.") from None
    if not parsed.key_or_group:
        raise UserError(f"{override!r} is not an override (it has no key): expected key=value.")
    return parsed


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Hydra's multirun grammar: the product of all values, the last axis fastest; every run's own overrides."""
    axes = [_axis(o) if o.is_sweep_override() else [o.input_line or ""] for o in parse(overrides)]
    check_count(math.prod(map(len, axes)))
    return [list(combination) for combination in itertools.product(*axes)]


def check_count(runs: int) -> None:
    """UserError for more runs than one command can have."""
    if runs > MOST_RUNS:
        raise UserError(f"these values make {runs:,} runs: expected at most {MOST_RUNS:,}.")


def _axis(override: Override) -> list[str]:
    """One override for each value of an axis; UserError if there is none, or one twice."""
    key = override.get_key_element()
    try:
        lines = [f"{key}={value}" for value in itertools.islice(_values(override), MOST_RUNS + 1)]
    except (HydraException, ValueError, ArithmeticError) as error:  # of a range with step 0, or nan in it
        raise UserError(f"{override.input_line} is invalid: expected values ({first_line(error)}).") from None
    check_count(len(lines))
    if not lines:
        raise UserError(f"{override.input_line} has no values: expected at least one.")
    seen: dict[str, str] = {}
    for line in lines:
        first = seen.setdefault(repr(_plain_number(_parse(line).value())), line)
        if first is not line:
            raise UserError(f"{override.input_line} has the value {line.partition('=')[2]} twice: remove one of them.")
    return lines


def _values(override: Override) -> Iterator[str]:
    if override.value_type == ValueType.INTERVAL_SWEEP:
        raise UserError(f"{override.input_line} is invalid: expected values, a,b,c; intervals are for searches.")
    if override.value_type == ValueType.RANGE_SWEEP:
        check_count(_length(override.value()))  # type: ignore[arg-type]
    if override.value_type != ValueType.GLOB_CHOICE_SWEEP:
        yield from override.sweep_string_iterator()
    elif override.key_or_group not in groups():
        raise UserError(f"{override.input_line} is invalid: expected values, or a glob of {', '.join(groups())}.")
    else:
        yield from override.value().filter(list(groups()[override.key_or_group]))  # type: ignore[union-attr]


def _length(values: RangeSweep) -> int:
    """Roughly how many values a range has, without making them; none if its step is 0, which Hydra refuses."""
    span = float(values.stop or 0) - float(values.start or 0)
    return max(0, math.floor(span / values.step)) if values.step else 0


def meaning(value: str) -> str:
    """What a typed value means, however it is spelled: the same for 1e-3 and 0.001."""
    return repr(_plain_number(_parse(f"key={value}").value()))


def _plain_number(value: Any) -> Any:
    """A number however it was spelled: 1 and 1.0 are one value."""
    try:
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    except OverflowError:  # more digits than a float has; a schema refuses it
        return value


def leaves(override: Override) -> list[tuple[str, Any]]:
    """The dotted keys that an override sets, and their values; of a mapping, each of its keys."""
    key, value = override.key_or_group.lstrip("/"), override.value()
    if not isinstance(value, dict) or not value:
        return [(key, value)]
    return list(flatten(value, f"{key}.").items())


def updated(values: Mapping[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """Values with some of their keys set; what is not touched is shared. UserError for a key that is not there."""
    new = dict(values)
    fresh: set[str] = set()  # dotted mappings that are already copies
    for override in overrides:
        for key, value in leaves(override):
            *path, leaf = key.split(".")
            node = _copied(new, path, fresh)
            if node is None or leaf not in node:
                raise hints.unknown_key(key, values)
            if isinstance(node[leaf], dict):
                raise invalid(key, value, f"one of its keys, {', '.join(f'{key}.{k}' for k in node[leaf])}")
            node[leaf] = value
    check_complete(new)
    return new


def _copied(values: dict[str, Any], path: Sequence[str], fresh: set[str]) -> dict[str, Any] | None:
    """The mapping at a path, copied on the way where it has not been yet; None if there is none."""
    node, dotted = values, ""
    for name in path:
        dotted += f"{name}."
        inner = node.get(name)
        if not isinstance(inner, dict):
            return None
        if dotted not in fresh:
            node[name] = inner = dict(inner)
            fresh.add(dotted)
        node = inner
    return node


def check_complete(values: Mapping[str, Any], path: str = "") -> None:
    """UserError if a value that a yaml leaves to the user (???) was not given."""
    for key, value in values.items():
        if isinstance(value, dict):
            check_complete(value, f"{path}{key}.")
        elif value == "???":
            raise UserError(f"{path}{key} is missing: expected {path}{key}=VALUE.")
