"""What fits a type and what does not; a mistake is one sentence with the key, the value and what is expected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from ppo.config.schema import (
    PER_RUN,
    Added,
    Count,
    Finite,
    Folder,
    Fraction,
    Interpolated,
    Natural,
    NonNegative,
    Positive,
    Sizes,
    build,
    convert,
    describe,
    neutral,
)
from ppo.errors import UserError, did_you_mean, invalid, shown, unknown


@dataclass(frozen=True)
class Inner:
    rate: Positive
    kind: Annotated[Literal["fast", "slow"], Added(neutral="fast")]


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
        (Interpolated("3"), int, 3),  # as ${oc.env:SEED} gives it
        (Interpolated("1e6"), Count, 1_000_000),
        (Interpolated("3e-4"), Positive, 3e-4),
        (Interpolated("3"), str, "3"),
        (Interpolated("010"), str, "010"),
        (Interpolated("false"), bool, False),
        (Interpolated("null"), Count | None, None),
        (Interpolated("true"), Literal["auto", True, False], True),
        (Interpolated("slow"), Literal["fast", "slow"], "slow"),
        ([Interpolated("64"), 32], Sizes, (64, 32)),
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
        ("", Folder),
        (" ", Folder),
        ("/", Folder),
        (Interpolated("x"), int),
        (Interpolated("1.5"), Count),
        (Interpolated("nan"), Positive),
        (Interpolated("true"), int),
        (Interpolated("Auto"), Literal["auto", True, False]),
    ],
)
def test_what_does_not_fit_is_refused_with_key_value_and_what_is_expected(value: Any, hint: Any) -> None:
    with pytest.raises(UserError) as error:
        convert(value, hint, "some.key")
    assert str(error.value) == f"some.key={shown(value)} is invalid: expected {describe(hint)}."


@pytest.mark.parametrize("hint", [Natural, Positive])
def test_a_number_too_long_for_a_float_is_refused_as_any_other(hint: Any) -> None:
    with pytest.raises(UserError):
        convert(10**400, hint, "some.key")


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "an integer"),
        (bool, "true or false"),
        (Count, "an integer from 1 to 1000000000"),
        (Count | None, "an integer from 1 to 1000000000 or null"),
        (Fraction, "a number from 0 to 1"),
        (Sizes, "a list of integers from 1 to 1000000000"),
        (Literal["auto", True, False], "auto or true or false"),
        (Inner, "a mapping of keys"),
    ],
)
def test_what_is_expected_is_said_in_words(hint: Any, words: str) -> None:
    assert describe(hint) == words


def test_zero_has_no_sign() -> None:
    assert math.copysign(1, convert(-0.0, Finite, "key")) == 1


def test_mappings_become_frozen_dataclasses_and_added_keys_are_neutral_where_they_are_missing() -> None:
    assert build(Outer, {"size": 2, "inner": {"rate": 1}}) == Outer(2, Inner(1.0, "fast"))


def test_a_neutral_value_has_the_exact_type_of_its_key() -> None:
    @dataclass(frozen=True)
    class Late:
        scale: Annotated[Positive, Added(neutral=1)]

    assert type(neutral(Late)["scale"]) is float


@pytest.mark.parametrize(
    ("values", "start", "words"),
    [
        ({"size": 2}, "inner is missing", ["expected a mapping of keys"]),
        ({"size": 2, "inner": {}}, "inner.rate is missing", ["expected a number from 1e-30 to 1e30"]),
        ({"inner": {"rate": 1}}, "size is missing", ["expected an integer from 1 to"]),
        ({"size": 2, "inner": 5}, "inner=5 is invalid", ["expected a mapping of keys"]),
        ({"size": 2, "inner": {"rate": -1}}, "inner.rate=-1 is invalid", ["expected a number from 1e-30 to 1e30"]),
        ({"size": 2, "inner": {"rate": 1, "knid": 1}}, "unknown key inner.knid", ["Did you mean inner.kind?"]),
        ({"size": 2, "inner": {"rate": 1}, "x": 0}, "unknown key x", ["expected inner, size"]),
    ],
)
def test_each_mistake_is_one_sentence(values: dict[str, Any], start: str, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        build(Outer, values)
    sentence = str(error.value)
    assert sentence.startswith(start)
    assert "\n" not in sentence
    assert all(word in sentence for word in words)


# -- errors ------------------------------------------------------------------------------------------------------------


def test_what_is_neither_rule_nor_mark_is_refused_and_not_ignored() -> None:
    @dataclass(frozen=True)
    class Wrong:
        epsilon: Annotated[float, Positive, PER_RUN]

    with pytest.raises(UserError, match="epsilon of Wrong"):
        build(Wrong, {"epsilon": -1.0})


def test_a_value_is_shown_as_it_would_be_typed() -> None:
    shown_error = invalid("key", [1, None, True, {"a": "b"}], "a number")
    assert str(shown_error) == "key=[1,null,true,{a:b}] is invalid: expected a number."


def test_near_matches_are_suggested_and_far_ones_are_not() -> None:
    assert did_you_mean("hoper", ["walker2d", "hopper"]) == " Did you mean hopper?"
    assert did_you_mean("hoper", ["hopper"], "env.") == " Did you mean env.hopper?"
    assert did_you_mean("zzz", ["hopper"]) == ""


def test_a_long_list_of_names_is_not_shown() -> None:
    names = [f"task-{i:03}" for i in range(41)]
    assert "task-001" not in str(unknown("env", "zzz", names))
    assert "Did you mean task-0" in str(unknown("env", "task-0x7", names))
    assert "task-001" in str(unknown("env", "zzz", names[:40]))
