"""Schemas: frozen dataclasses whose fields carry their rules and marks, built from plain mappings.

A rule says what a value must satisfy; a mark says what a key means to the rest of the house: whether it may differ
inside a pack, whether it is part of a run's identity, whether it is younger than the first published run. Nothing else
lists keys by name.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from ppo.errors import UserError, did_you_mean, invalid

T = TypeVar("T")


class Rule(NamedTuple):
    """What a value must satisfy beyond its type."""

    expected: str
    holds: Callable[[Any], bool]


class Mark(NamedTuple):
    """What a key means to the rest of the house."""

    meaning: str


class Added(NamedTuple):
    """A key younger than the first published run: at `neutral` it is no part of a run's identity."""

    neutral: Any


PER_RUN = Mark("may differ inside a pack; becomes a tensor [lane]")
PER_RUN_IF_SET = Mark("may differ inside a pack among runs that set it; whether it is set shapes the graph")
EXECUTION = Mark("says where and how fast, not what: no part of a run's identity")
CLIP_RANGE = Mark("the clipping range of a surrogate, which a schedule may anneal")

Positive = Annotated[float, Rule("a number above 0", lambda v: 0 < v < math.inf)]
NonNegative = Annotated[float, Rule("a number of at least 0", lambda v: 0 <= v < math.inf)]
Fraction = Annotated[float, Rule("a number from 0 to 1", lambda v: 0 <= v <= 1)]
Finite = Annotated[float, Rule("a finite number", math.isfinite)]
Count = Annotated[int, Rule("an integer of at least 1", lambda v: v >= 1)]
Natural = Annotated[int, Rule("an integer of at least 0", lambda v: v >= 0)]
Sizes = Annotated[tuple[int, ...], Rule("a list of integers of at least 1", lambda v: all(n >= 1 for n in v))]


@lru_cache
def hints(cls: Any) -> dict[str, Any]:
    """The type of every field of a schema, rules and marks included."""
    found = get_type_hints(cls, include_extras=True)
    return {field.name: found[field.name] for field in dataclasses.fields(cls) if field.init}


@lru_cache
def marks(cls: Any) -> dict[str, tuple[Any, ...]]:
    """The marks of every field of a schema, rules left out."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in hints(cls).items():
        metadata = hint.__metadata__ if get_origin(hint) is Annotated else ()
        found[name] = tuple(m for m in metadata if not isinstance(m, Rule))
    return found


def marked(cls: Any, mark: Mark) -> tuple[str, ...]:
    """The fields of a schema that carry a mark."""
    return tuple(name for name, found in marks(cls).items() if mark in found)


def neutral(cls: Any) -> dict[str, Any]:
    """The neutral value of every key that was added after the first published run."""
    return {name: m.neutral for name, found in marks(cls).items() for m in found if isinstance(m, Added)}


def defaults(cls: Any) -> Iterator[str]:
    """The fields with a Python default; a schema must have none, since values live in yaml."""
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING:
            yield field.name


def build(cls: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """A `cls` from `values`; `path` is the dotted key at which `values` stands.

    Raises UserError naming the key, the value and what is expected.
    """
    known: dict[str, Any] = hints(cls)  # type: ignore[arg-type]
    added = neutral(cls)
    for key in values:
        if key not in known:
            raise UserError(f"unknown key {path}{key}: {_expected_keys(str(key), known, path)}")
    arguments = {}
    for name, hint in known.items():
        if name in values:
            arguments[name] = convert(values[name], hint, f"{path}{name}")
        elif name in added:
            arguments[name] = added[name]
        elif next(f for f in dataclasses.fields(cls) if f.name == name).default is dataclasses.MISSING:  # type: ignore[arg-type]
            raise UserError(f"{path}{name} is missing: expected {describe(hint)}.")
    return cls(**arguments)


def _expected_keys(key: str, known: Mapping[str, Any], path: str) -> str:
    listed = ", ".join(f"{path}{name}" for name in sorted(known)) or f"no key under {path.rstrip('.')}"
    return f"expected {listed}.{did_you_mean(key, known, path)}"


def convert(value: Any, hint: Any, key: str) -> Any:
    """`value` as the type `hint`, or UserError."""
    if hasattr(hint, "__dataclass_fields__"):
        if not isinstance(value, Mapping):
            raise invalid(key, value, "a mapping of keys")
        return build(hint, value, f"{key}.")
    converted = _match(value, hint)
    if converted is _NO:
        raise invalid(key, value, describe(hint))
    return converted


def describe(hint: Any) -> str:
    """What a type hint accepts, in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return next((m.expected for m in hint.__metadata__ if isinstance(m, Rule)), describe(args[0]))
    if origin is Literal:
        return " or ".join(str(a).lower() if isinstance(a, bool) else str(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(a) for a in args)
    if origin is tuple:
        return f"a list of {describe(args[0])}"
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a string", dict: "a mapping"}
    return "null" if hint is type(None) else names.get(hint, "a mapping of keys")


_NO = object()


def _match(value: Any, hint: Any) -> Any:
    """`value` as `hint`, or _NO where it does not fit."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = _match(value, args[0])
        return inner if inner is not _NO and all(r.holds(inner) for r in args[1:] if isinstance(r, Rule)) else _NO
    if origin in (Union, types.UnionType):
        return next((m for m in (_match(value, a) for a in args) if m is not _NO), _NO)
    if origin is Literal:
        return next((a for a in args if type(a) is type(value) and a == value), _NO)
    if hint is dict:
        return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else _NO
    if origin is tuple:
        items = [_match(v, args[0]) for v in value] if isinstance(value, (list, tuple)) else [_NO]
        return _NO if _NO in items else tuple(items)
    return _scalar(value, hint)


def _scalar(value: Any, hint: Any) -> Any:
    """`value` as bool, int, float, str or None: 1e6 is an integer, 3 is a number, true is neither."""
    if hint is type(None):
        return None if value is None else _NO
    if isinstance(value, bool) or value is None or hint is bool:
        return value if isinstance(value, bool) and hint is bool else _NO
    if hint is str:
        return str(value) if isinstance(value, (str, int, float)) else _NO
    if not isinstance(value, (int, float)):
        return _NO
    try:
        number = float(value)
    except OverflowError:
        return _NO
    if hint is float:
        return number + 0.0  # zero has no sign
    return int(value) if hint is int and number.is_integer() else _NO
