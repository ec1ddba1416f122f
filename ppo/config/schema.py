"""Schemas: frozen dataclasses whose fields carry their rules and marks, built from plain mappings.

A rule says what a value must satisfy; a mark says what a key means to other modules: whether it may differ
inside a pack, whether it is part of a run's identity, whether it is younger than the first published run. Nothing else
lists keys by name.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ppo.errors import UserError, did_you_mean, invalid, shown

T = TypeVar("T")
Match = Callable[[Any], Any]
Convert = Callable[[Any, str], Any]  # value and its dotted key
F = TypeVar("F", bound=Callable[..., Any])


def cached(function: F) -> F:
    """`functools.cache`, without its doubts about whether a class can be hashed."""
    return cast(F, cache(function))


class Rule(NamedTuple):
    """What a value must satisfy beyond its type."""

    expected: str
    holds: Callable[[Any], bool]


class Interpolated(str):
    """A string that an interpolation like `${oc.env:SEED}` gave: read as a number where one is expected."""

    def __repr__(self) -> str:
        return f"Interpolated({str(self)!r})"


class Mark(NamedTuple):
    """What a key means to other modules."""

    meaning: str


class Added(NamedTuple):
    """A key younger than the first published run: at `neutral` it is no part of a run's identity."""

    neutral: Any


PER_RUN = Mark("may differ inside a pack; becomes a tensor [lane]")
PER_RUN_IF_SET = Mark("may differ inside a pack among runs that set it; whether it is set shapes the graph")
ONE_PER_PACK = Mark("of an execution key: all runs of a pack have the same value")
EXECUTION = Mark("says where and how fast, not what: no part of a run's identity")
CLIP_RANGE = Mark("the clipping range of a surrogate, which a schedule may anneal")
GAUSSIAN = Mark("of a Gaussian policy: changes nothing where actions are discrete")

LEAST, MOST = 1e-30, 1e30  # of numbers that become float32, which holds 1.2e-38 to 3.4e38: some room is left
MOST_ITEMS = 1000  # of a list
MOST_SEED = 2**128 - 1  # NumPy's own seeds have so many bits
UNFIT = re.compile(r"[\x00-\x1f\x7f]|\$\{")  # control characters, and what would be an interpolation when read again


def within(least: float, most: float) -> Rule:
    """A number between bounds that no real use exceeds."""
    shortest, longest = (re.sub(r"e([+-])0?", r"e\1", f"{bound:g}").replace("e+", "e") for bound in (least, most))
    return Rule(f"a number from {shortest} to {longest}", lambda v: least <= v <= most)


def integer(least: int, most: int) -> Rule:
    """An integer between bounds that no real use exceeds."""
    return Rule(f"an integer from {least} to {most}", lambda v: least <= v <= most)


def _is_folder(value: str) -> bool:
    """Whether a path can be that of a folder of ours: not empty or the root, and what every file system takes."""
    try:
        lengths = [len(part.encode()) for part in Path(value).parts]
    except UnicodeEncodeError:  # bytes of the command line that are no text
        return False
    fits = len(value.encode()) < 2048 and all(length < 256 for length in lengths) and not UNFIT.search(value)
    return value.strip() != "" and Path(value) != Path("/") and fits


Positive = Annotated[float, within(LEAST, MOST)]
NonNegative = Annotated[float, Rule("0 or a number from 1e-30 to 1e30", lambda v: v == 0 or LEAST <= v <= MOST)]
Fraction = Annotated[float, within(0, 1)]
Finite = Annotated[float, within(-MOST, MOST)]
Scale = Annotated[float, within(LEAST, 1e6)]  # a step size or a weight's norm: beyond it nothing stays finite
LogStd = Annotated[float, within(-40, 40)]  # its exponential squared is a float32
Seconds = Annotated[float, within(0, 1e9)]
Limit = Annotated[float, within(1e-3, 1e9)]  # in seconds
Count = Annotated[int, integer(1, 10**9)]
Loops = Annotated[int, integer(1, 10**6)]
Steps = Annotated[int, integer(1, 2**53)]  # beyond it a float64 no longer counts every step
Seed = Annotated[int, integer(0, MOST_SEED)]
Threads = Annotated[int, integer(1, 1024)]
Natural = Annotated[int, integer(0, 10**9)]
Folder = Annotated[str, Rule("a folder other than the root, its names of at most 255 printable bytes", _is_folder)]
Word = Annotated[str, Rule("printable characters on one line", lambda v: v.strip() != "" and v.isprintable())]
Sizes = Annotated[
    tuple[int, ...],
    Rule("a list of integers from 1 to 1000000000", lambda v: all(1 <= n <= 10**9 for n in v)),
    Rule(f"a list of at most {MOST_ITEMS} integers", lambda v: len(v) <= MOST_ITEMS),
]


@cached
def hints(cls: Any) -> dict[str, Any]:
    """The type of every field of a schema, rules and marks included."""
    found = get_type_hints(cls, include_extras=True)
    return {field.name: found[field.name] for field in dataclasses.fields(cls) if field.init}


@cached
def marks(cls: Any) -> dict[str, tuple[Any, ...]]:
    """The marks of every field of a schema, rules left out; UserError for what is neither and would have no effect."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in hints(cls).items():
        metadata = hint.__metadata__ if get_origin(hint) is Annotated else ()
        if odd := [m for m in metadata if not isinstance(m, (Rule, Mark, Added))]:
            expected = "expected a type, then rules and marks, such as Annotated[Positive, PER_RUN]"
            raise UserError(f"field {name} of {cls.__name__} is invalid: {expected}, not {odd[0]}.")
        found[name] = tuple(m for m in metadata if not isinstance(m, Rule))
    return found


@cached
def marked(cls: Any, mark: Mark) -> tuple[str, ...]:
    """The fields of a schema that carry a mark."""
    return tuple(name for name, found in marks(cls).items() if mark in found)


@cached
def neutral(cls: Any) -> dict[str, Any]:
    """The neutral value of every key that was added after the first published run, of the key's exact type."""
    added = {name: m.neutral for name, found in marks(cls).items() for m in found if isinstance(m, Added)}
    return {name: convert(value, hints(cls)[name], f"{cls.__name__}.{name}") for name, value in added.items()}


def defaults(cls: Any) -> Iterator[str]:
    """The fields with a Python default; a schema must have none, since values live in yaml."""
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING:
            yield field.name


def build(cls: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """A `cls` from `values`; `path` is the dotted key of `values`, with a dot at its end.

    Raises UserError naming the key, the value and what is expected.
    """
    known, added = _converters(cls), neutral(cls)
    for key in values:
        if key not in known:
            raise UserError(f"unknown key {path}{key}: {_expected_keys(str(key), known, path)}")
    arguments = {}
    for name, converted in known.items():
        if name in values:
            arguments[name] = converted(values[name], f"{path}{name}")
        elif name in added:
            arguments[name] = added[name]
        else:
            raise UserError(f"{path}{name} is missing: expected {describe(hints(cls)[name])}.")
    return cls(**arguments)


def _expected_keys(key: str, known: Mapping[str, Any], path: str) -> str:
    listed = ", ".join(f"{path}{name}" for name in sorted(known)) or f"no key under {path.rstrip('.')}"
    return f"expected {listed}.{did_you_mean(key, known, path)}"


def convert(value: Any, hint: Any, key: str) -> Any:
    """`value` as the type `hint`, or UserError."""
    return _converter(hint)(value, key)


def _converter(hint: Any) -> Convert:
    """A function that gives a value as `hint`, or raises UserError naming the key."""
    match = _matcher(hint)

    def converted(value: Any, key: str) -> Any:
        found = match(value)
        if found is _NO:
            raise invalid(key, value, describe(hint))
        return found

    def built(value: Any, key: str) -> Any:
        if not isinstance(value, Mapping):
            raise invalid(key, value, "a mapping of keys")
        return build(hint, value, f"{key}.")

    return built if dataclasses.is_dataclass(hint) else converted


@cached
def _converters(cls: Any) -> dict[str, Convert]:
    return {name: _converter(hint) for name, hint in hints(cls).items()}


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


def _matcher(hint: Any) -> Match:
    """A function that gives a value as `hint`, or _NO where it does not fit."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _ruled(_matcher(args[0]), [r for r in args[1:] if isinstance(r, Rule)])
    if origin in (Union, types.UnionType):
        options = [_matcher(a) for a in args]
        return lambda value: next((m for option in options if (m := option(value)) is not _NO), _NO)
    if origin is Literal:
        return lambda value: next((a for a in args if _is_same(value, a)), _NO)
    if origin is tuple:
        return _listed(_matcher(args[0]))
    if hint is dict:
        return lambda value: {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else _NO
    return lambda value: _scalar(value, hint)


def _ruled(match: Match, rules: Sequence[Rule]) -> Match:
    def matched(value: Any) -> Any:
        inner = match(value)
        return inner if inner is not _NO and all(rule.holds(inner) for rule in rules) else _NO

    return matched


def _listed(match: Match) -> Match:
    def matched(value: Any) -> Any:
        items = [match(v) for v in value] if isinstance(value, (list, tuple)) else [_NO]
        return _NO if any(item is _NO for item in items) else tuple(items)

    return matched


def _is_same(value: Any, literal: Any) -> bool:
    if isinstance(value, Interpolated):
        return str(value) == shown(literal)
    return type(literal) is type(value) and bool(literal == value)


def _read(text: Interpolated, hint: Any) -> Any:
    """An interpolated string, read as a `hint`."""
    words = {"true": True, "false": False, "null": None}
    if hint is str:
        return str(text)
    if text.lower() in words:
        return words[text.lower()]
    try:
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    except ValueError:
        return str(text)


def _scalar(value: Any, hint: Any) -> Any:
    """`value` as bool, int, float, str or None: 1e6 is an integer, 3 is a number, true is neither."""
    if isinstance(value, Interpolated):
        value = _read(value, hint)
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
