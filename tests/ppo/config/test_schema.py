"""What fits a type and what does not; a mistake is told in one sentence with key, value and what is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from ppo.config.schema import Count, Finite, Fraction, Natural, NonNegative, Positive, Sizes, build, convert, describe
from ppo.errors import UserError, near


@dataclass(frozen=True)
class Inner:
    rate: Positive
    kind: Literal["fast", "slow"] = "fast"


@dataclass(frozen=True)
class Outer:
    size: Count
    inner: Inner


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (3, int, 3),
        (1e6, int, 1_000_000),  # how Hydra reads total_steps=1e6
        (3, float, 3.0),
        (3e-4, float, 3e-4),
        (True, bool, True),
        ("a", str, "a"),
        (7, str, "7"),  # a folder may be called 7
        (None, type(None), None),
        (None, Count | None, None),
        (5, Count | None, 5),
        ("slow", Literal["fast", "slow"], "slow"),
        (True, Literal["auto", True, False], True),
        ([64, 32], Sizes, (64, 32)),
        ([], Sizes, ()),
        (0, Natural, 0),
        (0, NonNegative, 0.0),
        (1, Fraction, 1.0),
        (-2, Finite, -2.0),
    ],
)
def test_what_fits_is_converted_to_the_exact_type(value: Any, hint: Any, expected: Any) -> None:
    converted = convert(value, hint, "key")
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1.5, int),
        ("3", int),
        (True, int),
        (False, float),
        (1, bool),
        ("true", bool),
        (True, str),
        (None, str),
        (0, type(None)),
        (math.inf, int),
        (math.nan, int),
        (1, Literal["auto", True, False]),
        ("Fast", Literal["fast", "slow"]),
        (0, Count),
        (-1, Natural),
        (0, Positive),
        (math.inf, Positive),
        (math.nan, Positive),
        (-1e-9, NonNegative),
        (math.inf, NonNegative),
        (1.0001, Fraction),
        (-0.0001, Fraction),
        (math.nan, Fraction),
        (math.inf, Finite),
        ([0], Sizes),
        ([1.5], Sizes),
        (64, Sizes),
        ("64", Sizes),
        ([[64]], Sizes),
        ({}, int),
    ],
)
def test_what_does_not_fit_is_refused_with_key_value_and_what_is_allowed(value: Any, hint: Any) -> None:
    with pytest.raises(UserError) as error:
        convert(value, hint, "some.key")
    shown = "null" if value is None else value
    assert str(error.value) == f"some.key={shown} is not possible: allowed is {describe(hint)}."


@pytest.mark.parametrize("hint", [Natural, Positive])
def test_a_number_too_long_for_a_float_is_refused_as_any_other(hint: Any) -> None:
    with pytest.raises(UserError):
        convert(10**400, hint, "some.key")


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "a whole number"),
        (bool, "true or false"),
        (Count, "a whole number of at least 1"),
        (Count | None, "a whole number of at least 1 or null"),
        (Fraction, "a number from 0 to 1"),
        (Sizes, "a list of whole numbers of at least 1"),
        (Literal["auto", True, False], "auto or true or false"),
        (Inner, "a group of keys"),
    ],
)
def test_what_is_allowed_is_said_in_words(hint: Any, words: str) -> None:
    assert describe(hint) == words


def test_groups_of_keys_become_frozen_dataclasses_and_defaults_fill_in() -> None:
    assert build(Outer, {"size": 2, "inner": {"rate": 1}}) == Outer(2, Inner(1.0, "fast"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": 2}, "inner is missing: a group of keys is needed."),
        ({"size": 2, "inner": {}}, "inner.rate is missing: a number above 0 is needed."),
        ({"inner": {"rate": 1}}, "size is missing: a whole number of at least 1 is needed."),
        ({"size": 2, "inner": 5}, "inner=5 is not possible: it is a group of keys."),
        ({"size": 2, "inner": {"rate": -1}}, "inner.rate=-1 is not possible: allowed is a number above 0."),
        (
            {"size": 2, "inner": {"rate": 1, "knid": "slow"}},
            "unknown key inner.knid: did you mean kind? allowed: kind, rate.",
        ),
        ({"size": 2, "inner": {"rate": 1}, "x": 0}, "unknown key x: allowed: inner, size."),
    ],
)
def test_each_mistake_has_its_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        build(Outer, values)
    assert str(error.value) == sentence


def test_the_nearest_names_come_first() -> None:
    assert near("hoper", ["walker2d", "hopper"]) == "did you mean hopper? allowed: hopper, walker2d"
    assert near("zzz", ["b", "a"]) == "allowed: a, b"


def test_a_long_list_of_names_is_not_shown() -> None:
    names = [f"task-{i:03}" for i in range(41)]
    assert near("zzz", names) == "41 names are known"
    assert near("task-0x7", names).startswith("did you mean task-0")
    assert "allowed" not in near("task-0x7", names)
