"""From a plain mapping to frozen dataclasses: unknown keys and impossible values are one-sentence errors."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from ppo.errors import UserError, near

T = TypeVar("T")


class Rule(NamedTuple):
    """What a value must satisfy beyond its type."""

    allowed: str
    holds: Callable[[Any], bool]


Positive = Annotated[float, Rule("a number above 0", lambda v: 0 < v < math.inf)]
NonNegative = Annotated[float, Rule("a number of at least 0", lambda v: 0 <= v < math.inf)]
Fraction = Annotated[float, Rule("a number from 0 to 1", lambda v: 0 <= v <= 1)]
Finite = Annotated[float, Rule("a finite number", math.isfinite)]
Count = Annotated[int, Rule("a whole number of at least 1", lambda v: v >= 1)]
Natural = Annotated[int, Rule("a whole number of at least 0", lambda v: v >= 0)]
Sizes = Annotated[tuple[int, ...], Rule("a list of whole numbers of at least 1", lambda v: all(n >= 1 for n in v))]


def build(cls: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """A `cls` from `values`; `path` is the dotted key that `values` stands at.

    Raises UserError naming the key, the value and what is allowed.
    """
    hints = get_type_hints(cls, include_extras=True)
    known = [f for f in fields(cls) if f.init]  # type: ignore[arg-type]
    for key in values:
        if key not in hints:
            raise UserError(f"unknown key {path}{key}: {near(str(key), hints)}.")
    arguments = {}
    for field in known:
        if field.name in values:
            arguments[field.name] = convert(values[field.name], hints[field.name], f"{path}{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise UserError(f"{path}{field.name} is missing: {describe(hints[field.name])} is needed.")
    return cls(**arguments)


def convert(value: Any, hint: Any, key: str) -> Any:
    """`value` as the type `hint`, or UserError."""
    if hasattr(hint, "__dataclass_fields__"):
        if not isinstance(value, Mapping):
            raise UserError(f"{key}={value!r} is not possible: it is a group of keys.")
        return build(hint, value, f"{key}.")
    converted = _match(value, hint)
    if converted is _NO:
        shown = "null" if value is None else value
        raise UserError(f"{key}={shown} is not possible: allowed is {describe(hint)}.")
    return converted


def describe(hint: Any) -> str:
    """What a type hint allows, in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return next(rule.allowed for rule in hint.__metadata__ if isinstance(rule, Rule))
    if origin is Literal:
        return " or ".join(str(a).lower() if isinstance(a, bool) else str(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(a) for a in args)
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", dict: "a mapping"}
    return "null" if hint is type(None) else names.get(hint, "a group of keys")


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
    """`value` as bool, int, float, str or None: 1e6 is a whole number, 3 is a number, true is neither."""
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
