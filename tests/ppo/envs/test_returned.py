"""What environments return is taken as it is meant, or refused: never broadcast, cast or guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ppo.data import Space
from ppo.envs import returned

VECTOR, FRAME = Space((3,), np.dtype(np.float64)), Space((2, 2), np.dtype(np.uint8))


@pytest.mark.parametrize("value", [np.arange(3.0), np.arange(3), np.ones(3, np.float32), [1, 2.5, 3], (0, 0, 1)])
def test_real_numbers_of_the_right_shape_are_an_observation(value: Any) -> None:
    assert returned.observation(value, VECTOR).tolist() == list(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros(1), "shape (1,)"),
        (np.zeros((1, 3)), "shape (1, 3)"),
        (0.0, "shape ()"),
        (None, "None"),
        ("abc", "'abc' (str)"),
        (["1", "2", "3"], "'1'"),
        ([[1], [2, 3], []], "[2, 3]"),
        (np.array([1, None, 2]), "None"),
        (np.zeros(3, complex), "complex"),
        ({"x": 1}, "dict"),
        (np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), "--"),
    ],
)
def test_anything_else_is_no_observation(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=r"expected an observation of shape \(3,\)") as caught:
        returned.observation(value, VECTOR)
    assert words in str(caught.value)


def test_a_frame_is_of_bytes() -> None:
    frame = np.full((2, 2), 255, np.uint8)
    assert returned.observation(frame, FRAME) is frame
    with pytest.raises(TypeError, match=r"type float64, expected .* type uint8"):
        returned.observation(frame / 255, FRAME)


@pytest.mark.parametrize("value", [1, 1.0, True, np.True_, np.float32(1), np.int64(1), np.array(1.0)])
def test_a_number_is_a_reward(value: Any) -> None:
    assert returned.reward(value) == 1.0


@pytest.mark.parametrize("value", [None, "1", [1.0], np.ones(1), np.ones(2), 1j, {}])
def test_anything_else_is_no_reward(value: Any) -> None:
    with pytest.raises(TypeError, match=r"the reward .* expected a number"):
        returned.reward(value)


@pytest.mark.parametrize("value", [True, np.True_, 1, np.int64(1), 1.0])
def test_true_and_one_end_an_episode(value: Any) -> None:
    assert returned.ending(value, "terminated") is True


@pytest.mark.parametrize("value", [None, "no", [], np.array([True]), 2, 0.5, float("nan")])
def test_anything_else_ends_nothing(value: Any) -> None:
    with pytest.raises(TypeError, match=r"truncated=.*expected true or false"):
        returned.ending(value, "truncated")


@pytest.mark.parametrize("value", [None, (1, 2, 3, 4), [1, 2, 3, 4, 5], "abcde"])
def test_a_step_returns_five_things(value: Any) -> None:
    with pytest.raises(TypeError, match=r"step returned .* expected a tuple of 5"):
        returned.parts(value, 5, "step")


def test_a_value_whose_text_is_odd_is_refused_all_the_same() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise SystemExit

    with pytest.raises(TypeError, match="cannot be shown"):
        returned.reward(Odd())
