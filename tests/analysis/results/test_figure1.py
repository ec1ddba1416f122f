"""Figure 1 is the objective that is trained, drawn with named axes."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.results.figure1 import compute, draw


@pytest.mark.parametrize(
    ("ratio", "positive", "negative"),
    [(0.5, 0.5, -0.8), (0.8, 0.8, -0.8), (1.0, 1.0, -1.0), (1.2, 1.2, -1.2), (1.5, 1.2, -1.5), (0.0, 0.0, -0.8)],
)
def test_a_term_is_clipped_where_that_makes_it_smaller(ratio: float, positive: float, negative: float) -> None:
    frame = compute(0.2)
    row = frame[np.isclose(frame.ratio, ratio)].iloc[0]
    assert (row["A > 0"], row["A < 0"]) == pytest.approx((positive, negative), abs=1e-12)


def test_another_epsilon_clips_elsewhere() -> None:
    last, first = compute(0.3).iloc[-1], compute(0.3).iloc[0]
    assert (last["A > 0"], last["A < 0"], first["A < 0"]) == pytest.approx((1.3, -2.0, -0.7))


def test_there_is_a_panel_for_each_sign_with_named_axes() -> None:
    axes = draw(compute()).axes
    assert [axis.get_title() for axis in axes] == ["A > 0", "A < 0"]
    assert all(axis.get_xlabel() == "probability ratio r" and "L^{CLIP}" in axis.get_ylabel() for axis in axes)


def test_marks_show_where_optimisation_starts_and_where_it_is_clipped() -> None:
    for axis, start, edge in zip(draw(compute()).axes, (1, -1), (1.2, 0.8), strict=True):
        _, dot, line = axis.lines
        assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([1], [start])
        assert list(line.get_xdata()) == [edge, edge]
