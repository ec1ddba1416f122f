"""Figures 1 and 3: the numbers behind them by hand, and drawings that say what their axes are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.results import figures
from analysis.results.figures import FORMATS, draw_figure1, draw_figure3, save
from analysis.store import load_sweep
from tests.analysis.folders import complaint, entry, write_done, write_list, write_state, write_sweep

START = {"pdf": b"%PDF-", "svg": b"<?xml", "png": b"\x89PNG\r\n"}


def curves(store: Path, episodes: list[list[tuple[int, float]]], env: str = "Hopper-v5") -> pd.DataFrame:
    """Figure 3 of one setting on one task, a seed for each list of episodes."""
    entries = [entry(env, seed) for seed in range(len(episodes))]
    for run, held in zip(entries, episodes, strict=True):
        write_done(store, run, episodes=held)
    write_list(store, entries)
    return figures.figure3(load_sweep("mine", store))


def columns(frame: pd.DataFrame, *names: str) -> list[tuple[float, ...]]:
    return list(frame[list(names)].itertuples(index=False, name=None))


CLIP = "Clipping, epsilon = 0.2"


def panels(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.get_visible()]


def marks(axis: Axes) -> list[float]:
    """The heights of the paper's marks."""
    return [float(line.get_ydata()[0]) for line in axis.lines if line.get_marker() == "*"]


# -- figure 1 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "positive", "negative"),
    [(0.5, 0.5, -0.8), (0.8, 0.8, -0.8), (1.0, 1.0, -1.0), (1.2, 1.2, -1.2), (1.5, 1.2, -1.5), (0.0, 0.0, -0.8)],
)
def test_a_term_is_clipped_where_that_makes_it_smaller(ratio: float, positive: float, negative: float) -> None:
    frame = figures.figure1(0.2)
    row = frame[np.isclose(frame.ratio, ratio)].iloc[0]
    assert (row["A > 0"], row["A < 0"]) == pytest.approx((positive, negative), abs=1e-12)


def test_another_epsilon_clips_elsewhere() -> None:
    last, first = figures.figure1(0.3).iloc[-1], figures.figure1(0.3).iloc[0]
    assert (last["A > 0"], last["A < 0"], first["A < 0"]) == pytest.approx((1.3, -2.0, -0.7))


def test_figure_1_has_a_panel_for_each_sign_with_named_axes() -> None:
    axes = panels(draw_figure1(figures.figure1()))
    assert [axis.get_title() for axis in axes] == ["A > 0", "A < 0"]
    assert all(axis.get_xlabel() == "probability ratio r" and "L^{CLIP}" in axis.get_ylabel() for axis in axes)


def test_figure_1_marks_where_optimisation_starts_and_where_it_is_clipped() -> None:
    for axis, start, edge in zip(panels(draw_figure1(figures.figure1())), (1, -1), (1.2, 0.8), strict=True):
        _, dot, line = axis.lines
        assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([1], [start])
        assert list(line.get_xdata()) == [edge, edge]


# -- the numbers of figure 3 -------------------------------------------------------------------------------------------


def test_a_curve_is_mean_lowest_and_highest_of_the_seeds(tmp_path: Path) -> None:
    frame = curves(tmp_path, [[(10, 1.0), (20, 5.0)], [(10, 3.0), (20, -1.0)]])
    assert columns(frame, "step", "mean", "low", "high") == [(10, 2.0, 1.0, 3.0), (20, 2.0, -1.0, 5.0)]
    assert columns(frame, "env", "label", "seeds") == [("Hopper-v5", "Clip", 2)] * 2


def test_episodes_of_a_stretch_are_averaged_before_the_seeds(tmp_path: Path) -> None:
    frame = curves(tmp_path, [[(1, 0.0), (5, 0.0), (10, 3.0)], [(10, 5.0)]])
    assert columns(frame, "mean", "low", "high") == [(3.0, 1.0, 5.0)]


def test_a_stretch_in_which_no_episode_ended_keeps_the_value_before(tmp_path: Path) -> None:
    frame = curves(tmp_path, [[(10, 1.0), (30, 3.0)], [(10, 5.0), (20, 7.0), (30, 9.0), (40, 11.0)]])
    assert columns(frame, "step", "mean", "low") == [(10, 3.0, 1.0), (20, 4.0, 1.0), (30, 6.0, 3.0), (40, 7.0, 3.0)]


def test_a_seed_counts_from_its_first_episode(tmp_path: Path) -> None:
    frame = curves(tmp_path, [[(10, 1.0)], [(20, 3.0)]])
    assert columns(frame, "step", "mean", "high") == [(10, 1.0, 1.0), (20, 2.0, 3.0)]


def test_a_single_seed_is_its_own_mean_lowest_and_highest(tmp_path: Path) -> None:
    frame = curves(tmp_path, [[(10, 4.0)]])
    assert columns(frame, "mean", "low", "high", "seeds") == [(4.0, 4.0, 4.0, 1)]


def test_unfinished_runs_have_no_curve(tmp_path: Path) -> None:
    entries = [*write_sweep(tmp_path, [1.0]), entry(seed=1)]
    write_list(tmp_path, entries)
    write_state(tmp_path, entries[1], "running")
    assert set(figures.figure3(load_sweep("mine", tmp_path)).seeds) == {1}


def test_tasks_and_settings_are_kept_apart_in_the_lists_order(tmp_path: Path) -> None:
    entries = [entry("Walker2d-v5"), entry("Hopper-v5"), entry("Hopper-v5", 0, "None", "none")]
    for run, ret in zip(entries, (1.0, 2.0, 3.0), strict=True):
        write_done(tmp_path, run, episodes=[(10, ret)])
    write_list(tmp_path, entries)
    assert columns(figures.figure3(load_sweep("mine", tmp_path)), "env", "label", "mean") == [
        ("Walker2d-v5", "Clip", 1.0),
        ("Hopper-v5", "Clip", 2.0),
        ("Hopper-v5", "None", 3.0),
    ]


def test_a_sweep_of_which_nothing_is_done_has_no_curve(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()])
    sentence = complaint(figures.figure3, load_sweep("mine", tmp_path))
    assert sentence == "no run of sweep mine is done: there is no curve to draw."


# -- the drawing of figure 3 -------------------------------------------------------------------------------------------


def frame_of(*tasks: str, labels: tuple[str, ...] = ("Clip",)) -> pd.DataFrame:
    rows = [(env, label, step, 2.0, 1.0, 3.0) for env in tasks for label in labels for step in (500_000, 1_000_000)]
    return pd.DataFrame(rows, columns=["env", "label", "step", "mean", "low", "high"]).assign(seeds=2)


def test_figure_3_has_a_panel_for_each_task_with_units() -> None:
    axes = panels(draw_figure3(frame_of("Hopper-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5", "HalfCheetah-v5")))
    titles = ["Hopper-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5", "HalfCheetah-v5"]
    assert [axis.get_title() for axis in axes] == titles
    assert {(axis.get_xlabel(), axis.get_ylabel()) for axis in axes} == {("million steps", "return")}


def test_a_line_is_the_mean_against_million_steps_and_its_band_is_lowest_to_highest() -> None:
    (axis,) = panels(draw_figure3(frame_of("Hopper-v5")))
    line, band = axis.lines[0], axis.collections[0].get_paths()[0].vertices
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0.5, 1.0], [2.0, 2.0])
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 3.0)


def test_the_papers_end_value_is_a_mark_at_the_last_step() -> None:
    (axis,) = panels(draw_figure3(frame_of("Hopper-v5", labels=(CLIP, "TRPO of 2017", "Clipping, epsilon = 0.1"))))
    assert marks(axis) == [2330.0, 2100.0]
    assert [list(line.get_xdata()) for line in axis.lines if line.get_marker() == "*"] == [[1.0], [1.0]]


def test_a_task_that_the_paper_does_not_have_has_no_mark() -> None:
    hopper, ant = panels(draw_figure3(frame_of("Hopper-v5", "Ant-v5", labels=(CLIP,))))
    assert (len(marks(hopper)), marks(ant)) == (1, [])


def test_eight_settings_are_told_apart_by_colour_or_by_line() -> None:
    labels = tuple("ABCDEFGH")
    (axis,) = panels(draw_figure3(frame_of("Ant-v5", labels=labels)))
    assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == 8


@pytest.mark.parametrize(("lowest", "scale"), [(-150.0, "linear"), (-250.0, "symlog")])
def test_a_setting_that_fell_a_hundred_times_as_far_does_not_flatten_the_others(lowest: float, scale: str) -> None:
    frame = frame_of("Ant-v5", "Hopper-v5", labels=("A", "B", "C"))
    frame.loc[(frame.env == "Ant-v5") & (frame.label == "A") & (frame.step == 1_000_000), "mean"] = lowest
    ant, hopper = panels(draw_figure3(frame))
    assert (ant.get_yscale(), hopper.get_yscale()) == (scale, "linear")


def test_a_task_whose_returns_are_mostly_0_is_drawn_as_it_is() -> None:
    frame = frame_of("Ant-v5", labels=("A", "B"))
    frame["mean"] = [0.0, 0.0, 0.0, -1.0]
    (axis,) = panels(draw_figure3(frame))
    assert axis.get_yscale() == "linear"


def test_every_setting_is_in_the_legend_once() -> None:
    (legend,) = draw_figure3(frame_of("Hopper-v5", "Swimmer-v5", labels=(CLIP, "B"))).legends
    assert [text.get_text() for text in legend.get_texts()] == [CLIP, "the paper's, same colour", "B"]


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_figure_is_saved_in_every_format(tmp_path: Path) -> None:
    paths = save(draw_figure3(frame_of("Hopper-v5")), tmp_path / "new" / "folder", "figure3")
    assert [path.name for path in paths] == ["figure3.pdf", "figure3.svg", "figure3.png"]
    assert set(FORMATS) == set(START)
    for path in paths:
        assert path.read_bytes().startswith(START[path.suffix[1:]])
        assert path.stat().st_size > 1000


def test_words_of_an_svg_are_words(tmp_path: Path) -> None:
    (path,) = save(draw_figure3(frame_of("Hopper-v5")), tmp_path, "figure3", ["svg"])
    assert all(word in path.read_text() for word in ("Hopper-v5", "million steps", "return", "Clip"))


def test_drawing_needs_no_display() -> None:
    code = "import sys; from analysis.results.figures import draw_figure1, figure1; draw_figure1(figure1())"
    code += "; print('matplotlib.pyplot' in sys.modules)"  # pyplot is what chooses a window system
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
