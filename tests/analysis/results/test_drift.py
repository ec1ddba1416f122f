"""How far policies moved, on hand-made runs with known answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.results import drift
from ppo.runs.row import RunRow
from tests.analysis.folders import Analysis, entry, load, write_done, write_list, write_state
from tests.sealed import reseal

NONE, CLIP = "No clipping", "Clipping"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two runs without clipping, whose policies moved by 0.25 and 5000 nats at most; one with, of a KL unknown."""
    none = [entry("Reacher-v5", seed, NONE, "ppo-none") for seed in range(3)]
    clip = entry("Reacher-v5", 0, CLIP, "ppo-clip")
    write_updates(tmp_path, none[0], -50.0, "1000,0.25,2.75,0,50\n2000,0.25,1.5,0,50\n")
    write_updates(tmp_path, none[1], -150.0, "1000,0.5,2.75,4,50\n1500,0.75,2.0,0,50\n2000,5000,-3.5,1,50\n")
    write_state(tmp_path, none[2], "failed")
    write_updates(tmp_path, clip, -5.0, "1000,nan,2.75,nan,50\n2000,nan,2.5,nan,50\n")
    write_list(tmp_path, [*none, clip])
    return tmp_path


def write_updates(store: Path, run: RunRow, score: float, rows: str) -> None:
    """A finished run whose returns fall to ten times its score, and rise again."""
    folder = write_done(store, run, score, [(500, score), (1000, 10 * score), (2000, score)])
    (folder / "updates.csv").write_text("step,kl,entropy,skipped,steps_per_second\n" + rows)
    reseal(folder)


def test_a_row_of_each_finished_run(store: Path) -> None:
    frame = drift.compute(load(store))
    assert list(frame[["label", "seed", "score", "worst"]].itertuples(index=False, name=None)) == [
        (NONE, 0, -50.0, -500.0),
        (NONE, 1, -150.0, -1500.0),
        (CLIP, 0, -5.0, -50.0),
    ]
    assert list(frame.kl_max)[:2] == [0.25, 5000.0]


def test_the_table_says_from_where_to_where_the_seeds_go(store: Path) -> None:
    runs = load(store)
    table = drift.to_table(drift.compute(runs), runs)
    assert table.rows == [
        [NONE, "Reacher-v5", "-100 ± 70.7 (2/3)", "-1500", "0.25 to 0.75", "5000", "2.8", "-3.5 to 1.5", "5"],
        [CLIP, "Reacher-v5", "-5.0 (n=1)", "-50.0", "-", "-", "2.8", "2.5", "-"],
    ]
    assert any("Incomplete: 3 of 4" in note for note in table.notes)


def test_the_figure_has_a_dot_for_each_run_at_its_settings_line(store: Path) -> None:
    figure = drift.draw(drift.compute(load(store)))
    scores, kl, entropy = figure.axes
    assert [label.get_text() for label in scores.get_yticklabels()] == [NONE, CLIP]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in scores.lines] == [
        ([-50.0, -150.0], [0, 0]),
        ([-5.0], [1]),
    ]
    assert [list(axis.lines[0].get_xdata()) for axis in (kl, entropy)] == [[0.25, 0.75], [1.5, -3.5]]
    assert [axis.get_xscale() for axis in figure.axes] == ["linear", "log", "linear"]
    assert "KL" in kl.get_xlabel()
    assert "entropy" in entropy.get_xlabel()


def test_scores_that_fell_far_are_drawn_on_a_logarithmic_axis_with_marks(store: Path) -> None:
    frame = drift.compute(load(store))
    frame.loc[0, "score"] = -2e4
    scores = drift.draw(frame).axes[0]
    assert scores.get_xscale() == "symlog"
    assert list(scores.get_xticks()) == [-1e4, 0]


def test_labels_are_text_and_never_markup(store: Path) -> None:
    frame = drift.compute(load(store)).replace({NONE: "50$ vs 60$", CLIP: r"$\foo$"})
    figure = drift.draw(frame)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["50$ vs 60$", r"$\foo$"]
    figure.savefig(store / "it.png")


def test_the_command_prints_the_table_and_writes_it_and_the_figure(analysis: Analysis, store: Path) -> None:
    out = analysis.prints("drift", "--sweep", "mine", f"outputs={store}", "--out", "tables")
    assert "0.25 to 0.75" in out
    assert {path.name for path in Path("tables").iterdir()} == {
        f"drift-mine.{kind}" for kind in ("md", "tex", "html", "csv", "pdf", "svg", "png")
    }
