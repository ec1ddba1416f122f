"""How a sweep ended: means by hand, each cell with its missing runs, failures grouped by cause (law 4)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ppo.runs.states import standing
from sweeps.planning.runs import Run
from sweeps.showing.report import Standings, cell, failure_lines, print_report
from tests.sweeps.folders import tiny_runs, write_done, write_status


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Clip, None and KL on two tasks, three seeds each."""
    return tiny_runs(tmp_path, seeds=3, envs=("inverted_pendulum", "reacher"))


def look(runs: list[Run]) -> Standings:
    return {run.hash: standing(run.folder) for run in runs}


def report(runs: list[Run], blocked: dict[str, str] | None = None) -> str:
    console = Console(file=io.StringIO(), width=400)
    print_report(console, runs, look(runs), blocked or {})
    return console.file.getvalue()  # type: ignore[attr-defined]


def fail(runs: list[Run], *errors: str) -> None:
    for run, error in zip(runs, errors, strict=False):
        write_status(run.folder, "failed", error=error)


# -- cells -------------------------------------------------------------------------------------------------------------


def test_a_cell_is_the_mean_of_its_runs(runs: list[Run]) -> None:
    for run, score in zip(runs, (1.0, 2.0, 6.3), strict=False):
        write_done(run.folder, score=score)
    assert cell(runs[:3], look(runs)) == "3.1"


def test_a_cell_reports_its_missing_runs(runs: list[Run]) -> None:
    write_done(runs[1].folder, score=-4.26)
    assert cell(runs[:3], look(runs)) == "-4.3 (1/3)"
    write_done(runs[2].folder, score=-4.26)
    assert cell(runs[:3], look(runs)) == "-4.3 (2/3)"


def test_a_cell_without_any_score_has_none(runs: list[Run]) -> None:
    assert cell(runs[:3], look(runs)) == "- (0/3)"


def test_a_failed_run_does_not_count_whatever_it_left(runs: list[Run]) -> None:
    write_done(runs[0].folder, score=10.0)
    write_status(runs[1].folder, "failed", score=99.0)
    assert cell(runs[:2], look(runs)) == "10.0 (1/2)"


def test_a_run_that_completed_no_episode_is_missing(runs: list[Run]) -> None:
    write_done(runs[0].folder, score=10.0)
    write_done(runs[1].folder, score=None)
    assert cell(runs[:2], look(runs)) == "10.0 (1/2)"


# -- the table ---------------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_setting_and_a_column_for_each_task(runs: list[Run]) -> None:
    for run in runs:
        if run.label != "KL":
            write_done(run.folder, score=run.config.seed + (10.0 if run.config.env.id == "Reacher-v5" else 0.0))
    title, _, table = report(runs).partition("setting")
    assert title.split() == ["Mean", "score", "of", "the", "last", "100", "training", "episodes"]
    assert [line.split() for line in f"setting{table}".splitlines()] == [
        ["setting", "InvertedPendulum-v5", "Reacher-v5"],
        ["Clip", "1.0", "11.0"],
        ["None", "1.0", "11.0"],
        ["KL", "-", "(0/3)", "-", "(0/3)"],
    ]


def test_a_label_is_shown_as_it_is_whatever_brackets_it_has(runs: list[Run]) -> None:
    assert "Clip [ours]" in report([runs[0]._replace(row=runs[0].row._replace(label="Clip [ours]"))])


# -- failures -----------------------------------------------------------------------------------


def test_failures_with_the_same_cause_are_reported_once_numbers_apart_the_most_common_first(runs: list[Run]) -> None:
    fail(runs, "ValueError: no", "a reward is not finite at step 12", "a reward is not finite at step 3456")
    assert failure_lines(runs, look(runs)) == [
        "2 failed: a reward is not finite at step 12",
        f"    for example {runs[1].folder}",
        "1 failed: ValueError: no",
        f"    {runs[0].folder}",
    ]


def test_causes_that_differ_in_words_are_reported_separately(runs: list[Run]) -> None:
    fail(runs, "ValueError: no", "ValueError: never")
    assert [line for line in failure_lines(runs, look(runs)) if "failed" in line] == [
        "1 failed: ValueError: no",
        "1 failed: ValueError: never",
    ]


def test_without_failures_there_are_no_lines(runs: list[Run]) -> None:
    write_done(runs[0].folder)
    assert failure_lines(runs, look(runs)) == []


def test_a_cause_with_brackets_is_shown_as_it_is(runs: list[Run]) -> None:
    fail(runs, "OSError: [Errno 28] No space left on [/data]")
    assert "1 failed: OSError: [Errno 28] No space left on [/data]" in report(runs)


def test_runs_that_were_refused_here_are_counted_by_reason(runs: list[Run]) -> None:
    printed = report(runs, {"a": "folder in use", "b": "disk full", "c": "folder in use"})
    assert "not trained here: 2 runs: folder in use\nnot trained here: 1 runs: disk full\n" in printed
