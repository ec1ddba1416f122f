"""Figure 3: curves and end scores computed by hand, and drawings that say what their axes are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.results.figure3 import compute, compute_ends, draw, to_table
from analysis.writers import markdown
from tests.analysis.folders import complaint, digest, entry, load, write_done, write_list, write_state, write_sweep

CLIP, VPG = "Clipping, epsilon = 0.2", "Vanilla PG, Adaptive"


def curves(store: Path, episodes: list[list[tuple[int, float]]], env: str = "Hopper-v5") -> pd.DataFrame:
    """The curves of one setting on one task, a seed for each list of episodes."""
    entries = [entry(env, seed) for seed in range(len(episodes))]
    for run, finished in zip(entries, episodes, strict=True):
        write_done(store, run, episodes=finished)
    write_list(store, entries)
    return compute(load(store))


def columns(frame: pd.DataFrame, *names: str) -> list[tuple[float, ...]]:
    return list(frame[list(names)].itertuples(index=False, name=None))


def panels(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.get_visible()]


def marks(axis: Axes) -> list[float]:
    """The heights of the paper's marks."""
    return [float(line.get_ydata()[0]) for line in axis.lines if line.get_marker() == "*"]


# -- curves ------------------------------------------------------------------------------------------------------------


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
    assert set(compute(load(tmp_path)).seeds) == {1}


def test_tasks_and_settings_are_separate_in_the_lists_order(tmp_path: Path) -> None:
    entries = [entry("Walker2d-v5"), entry("Hopper-v5"), entry("Hopper-v5", 0, "None", "none")]
    for run, ret in zip(entries, (1.0, 2.0, 3.0), strict=True):
        write_done(tmp_path, run, episodes=[(10, ret)])
    write_list(tmp_path, entries)
    assert columns(compute(load(tmp_path)), "env", "label", "mean") == [
        ("Walker2d-v5", "Clip", 1.0),
        ("Hopper-v5", "Clip", 2.0),
        ("Hopper-v5", "None", 3.0),
    ]


def test_a_sweep_of_which_nothing_is_done_has_no_curve(tmp_path: Path) -> None:
    write_list(tmp_path, [entry()])
    sentence = complaint(compute, load(tmp_path))
    assert "no run of sweep mine is done" in sentence


# -- the drawing -------------------------------------------------------------------------------------------------------


def frame_of(*tasks: str, labels: tuple[str, ...] = ("Clip",)) -> pd.DataFrame:
    rows = [(env, label, step, 2.0, 1.0, 3.0) for env in tasks for label in labels for step in (500_000, 1_000_000)]
    return pd.DataFrame(rows, columns=["env", "label", "step", "mean", "low", "high"]).assign(seeds=2)


def test_figure_3_has_a_panel_for_each_task_with_units() -> None:
    axes = panels(draw(frame_of("Hopper-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5", "HalfCheetah-v5")))
    titles = ["Hopper-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5", "HalfCheetah-v5"]
    assert [axis.get_title() for axis in axes] == titles
    assert {(axis.get_xlabel(), axis.get_ylabel()) for axis in axes} == {("million steps", "return")}


def test_a_line_is_the_mean_against_million_steps_and_its_band_is_lowest_to_highest() -> None:
    (axis,) = panels(draw(frame_of("Hopper-v5")))
    line, band = axis.lines[0], axis.collections[0].get_paths()[0].vertices
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0.5, 1.0], [2.0, 2.0])
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 3.0)


def test_short_runs_are_drawn_against_thousand_steps() -> None:
    frame = frame_of("Hopper-v5")
    (axis,) = panels(draw(frame.assign(step=frame.step // 100)))
    assert (axis.get_xlabel(), list(axis.lines[0].get_xdata())) == ("thousand steps", [5.0, 10.0])


def test_the_papers_end_value_is_a_mark_at_the_last_step() -> None:
    (axis,) = panels(draw(frame_of("Hopper-v5", labels=(CLIP, "TRPO of 2017", "Clipping, epsilon = 0.1"))))
    assert marks(axis) == [2330.0, 2100.0]
    assert [list(line.get_xdata()) for line in axis.lines if line.get_marker() == "*"] == [[1.0], [1.0]]


def test_a_task_that_the_paper_does_not_have_has_no_mark() -> None:
    hopper, ant = panels(draw(frame_of("Hopper-v5", "Ant-v5", labels=(CLIP,))))
    assert (len(marks(hopper)), marks(ant)) == (1, [])


def test_eight_settings_differ_in_colour_or_in_line() -> None:
    labels = tuple("ABCDEFGH")
    (axis,) = panels(draw(frame_of("Ant-v5", labels=labels)))
    assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == 8


@pytest.mark.parametrize(("lowest", "scale"), [(-150.0, "linear"), (-250.0, "symlog")])
def test_a_setting_that_fell_a_hundred_times_as_far_does_not_flatten_the_others(lowest: float, scale: str) -> None:
    frame = frame_of("Ant-v5", "Hopper-v5", labels=("A", "B", "C"))
    frame.loc[(frame.env == "Ant-v5") & (frame.label == "A") & (frame.step == 1_000_000), "mean"] = lowest
    ant, hopper = panels(draw(frame))
    assert (ant.get_yscale(), hopper.get_yscale()) == (scale, "linear")


def test_a_task_whose_returns_are_mostly_0_is_drawn_as_it_is() -> None:
    frame = frame_of("Ant-v5", labels=("A", "B"))
    frame["mean"] = [0.0, 0.0, 0.0, -1.0]
    (axis,) = panels(draw(frame))
    assert axis.get_yscale() == "linear"


def test_every_setting_is_in_the_legend_once() -> None:
    (legend,) = draw(frame_of("Hopper-v5", "Swimmer-v5", labels=(CLIP, "B"))).legends
    assert [text.get_text() for text in legend.get_texts()] == [CLIP, "the paper's, same colour", "B"]


def test_labels_and_tasks_are_text_and_never_markup(tmp_path: Path) -> None:
    labels = ("50$ vs 60$", r"$\foo$", "_hidden")
    figure = draw(frame_of(r"$\env$-v0", labels=labels))
    (legend,) = figure.legends
    assert tuple(text.get_text() for text in legend.get_texts()) == labels
    for kind in ("svg", "png"):
        figure.savefig(tmp_path / f"it.{kind}")


def test_a_curve_never_averages_over_two_settings(tmp_path: Path) -> None:
    one, other = entry(), entry(seed=1)._replace(setting_hash=digest("another"))
    for run, ret in ((one, 1.0), (other, 5.0)):
        write_done(tmp_path, run, episodes=[(10, ret)])
    write_list(tmp_path, [one, other])
    frame = compute(load(tmp_path))
    assert list(frame["mean"]) == [1.0, 5.0]
    assert frame.label.nunique() == 2


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two of three seeds of PPO on Hopper, scoring 2000 and 2200; one run of vanilla PG; TRPO of 2017 never ran."""
    clip = [entry("Hopper-v5", seed, CLIP, "ppo-clip-epsilon=0.2") for seed in range(3)]
    others = [entry("Hopper-v5", 0, VPG, "vpg"), entry("Reacher-v5", 0, "TRPO of 2017", "trpo_2017")]
    for run, score in zip([*clip[:2], others[0]], [2000.0, 2200.0, 80.0], strict=True):
        write_done(tmp_path, run, score=score)
    write_list(tmp_path, [*clip, *others])
    return tmp_path


def test_each_cell_is_mean_and_sample_deviation_beside_the_papers_end(store: Path) -> None:
    frame = compute_ends(load(store)).set_index(["label", "env"])
    clip = frame.loc[(CLIP, "Hopper-v5")]
    assert (clip["mean"], clip.done, clip.declared, clip.paper) == (2100.0, 2, 3, 2330.0)
    assert clip["std"] == pytest.approx(np.sqrt(20000))
    assert frame.loc[("TRPO of 2017", "Reacher-v5")].paper == -115.0
    assert np.isnan(frame.loc[(VPG, "Hopper-v5")].paper)


def test_the_table_reports_what_is_missing(store: Path) -> None:
    runs = load(store)
    table = to_table(compute_ends(runs), runs)
    assert table.rows == [
        [CLIP, "2100 ± 141 (2/3)", "-"],
        ["    paper: PPO (Clip)", "2330", "-"],
        [VPG, "80.0 (n=1)", "-"],
        ["TRPO of 2017", "-", "- (0/1)"],
        ["    paper: TRPO", "-", "-115"],
    ]
    assert "Incomplete: 3 of 5 runs are done" in markdown(table)
