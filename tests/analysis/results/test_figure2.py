"""Figure 2 is drawn from what a run recorded of its first update."""

from __future__ import annotations

from pathlib import Path

from analysis.results.figure2 import compute, draw
from tests.analysis.folders import Analysis, complaint, entry, load, write_done, write_sweep

LINE = "scale,kl,cpi,clipped,clip\n0.0,0.0,0.0,0.0,0.0\n1.0,0.25,0.5,0.4,0.3\n"


def recorded(store: Path) -> None:
    """Two runs, of which the second recorded its first update."""
    write_sweep(store, [1.0, 2.0])
    (store / entry(seed=1).folder / "interpolation.csv").write_text(LINE)


def test_it_is_what_a_run_recorded(tmp_path: Path) -> None:
    recorded(tmp_path)
    frame = compute(load(tmp_path))
    assert list(frame.columns) == ["scale", "kl", "cpi", "clipped", "clip"]
    assert frame.iloc[1].tolist() == [1.0, 0.25, 0.5, 0.4, 0.3]
    lines = draw(frame).axes[0].lines[:4]
    assert [line.get_ydata()[1] for line in lines] == [0.25, 0.5, 0.4, 0.3]


def test_runs_that_recorded_nothing_are_refused_with_the_command_that_does(tmp_path: Path) -> None:
    write_done(tmp_path, entry())
    write_sweep(tmp_path, [1.0])
    assert "ppo-sweeps run figure2" in complaint(compute, load(tmp_path))


def test_a_published_run_has_it_too(analysis: Analysis) -> None:
    recorded(analysis.store)
    analysis.prints("publish", "mine")
    assert compute(load(analysis.store / "published")).equals(compute(load(analysis.store)))


def test_it_says_whose_first_update_is_drawn(analysis: Analysis) -> None:
    recorded(analysis.store)
    assert "seed 1" in analysis.prints("figure2", "--sweep", "mine")
