"""The published runs: complete, quick to read, and what README.md and the page of the first row say of them is what is printed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.analysis.folders import Analysis, cells

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "outputs" / "published"
README, FIRST_ROW = ROOT / "README.md", PUBLISHED / "first_row.md"
Rows = dict[str, dict[str, str]]


def table(text: str, start: str) -> Rows:
    """A Markdown table by its first column, then by its header; environments without their version."""
    lines = text[text.index(f"| {start} |") :].partition("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip().removesuffix("-v5") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def shared(told: Rows, printed: Rows) -> tuple[Rows, Rows]:
    """The rows and columns of `told`, as told and as printed."""
    return told, {name: {column: printed[name].get(column, "-") for column in row} for name, row in told.items()}


def test_the_published_results_print_within_three_seconds() -> None:
    words = [sys.executable, "-m", "analysis", "table1", "--sweep", "figure3", "--store", "outputs/published"]
    seconds = []
    for _ in range(2):  # the first may have to wait for the disk
        start = time.perf_counter()
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
    assert (done.returncode, done.stderr) == (0, "")
    assert cells(done.stdout, "Clipping, epsilon = 0.2")[4:6] == ["21/21", "0.82"]
    assert min(seconds) < 3


@pytest.mark.parametrize("sweep", ["table1", "random", "first_row", "clipping"])
def test_what_is_published_is_complete(sweep: str) -> None:
    folders = [run["folder"] for run in json.loads((PUBLISHED / "sweeps" / sweep / "runs.json").read_text())["runs"]]
    assert all((PUBLISHED / f"{folder}.json").is_file() for folder in folders)


FREEZE = ["table1", "--freeze", "zero_and_one.json"]
FROZEN = ["--reference", "zero_and_one.json"]


@pytest.mark.parametrize(
    ("page", "start", "commands", "written", "columns"),
    [
        (README, "setting | score | 95 % interval | runs | paper", [["table1"]], "table1", {}),
        (README, "setting | score | 95 % interval | runs |\n", [FREEZE, ["table1", "--sweep", "clipping", *FROZEN]], "table1", {}),
        (README, "mean ± std of 3 seeds", [["figure3"]], "figure3_ends", {}),
        (
            FIRST_ROW,
            "factor",
            [["drift"]],
            "drift",
            {"median KL of an iteration": "KL", "entropy at the end": "last"},
        ),
        (FIRST_ROW, "factor", [FREEZE, ["table1", "--sweep", "first_row", *FROZEN]], "table1", {"normalised": "score"}),
    ],
)
