"""The tables of docs/results.md and docs/first_row.md are what the commands beside them print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.folders import Analysis

ROOT = Path(__file__).parents[2]
RESULTS, FIRST_ROW = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("results.md", "first_row.md"))
FROZEN = ["--reference", "zero_and_one.json"]
Rows = dict[str, dict[str, str]]


def rows(text: str, start: str) -> Rows:
    """The Markdown table that starts so: first cell -> header -> cell; environments without their version."""
    lines = text[text.index(f"| {start} |") :].partition("\n\n")[0].splitlines()
    head, _, *body = [[cell.strip().removesuffix("-v5") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


def as_printed(documented: Rows, printed: Rows) -> Rows:
    """The documented rows and columns, with the cells that are printed."""
    return {name: {column: printed[name][column] for column in row} for name, row in documented.items()}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Analysis:
    """The published runs, seen from an empty folder with Table 1's 0 and 1 in a file."""
    monkeypatch.chdir(tmp_path)
    analysis = Analysis(tmp_path, capsys)
    analysis.prints("table1", "--freeze", "zero_and_one.json")
    return analysis


def written(published: Analysis, name: str, *words: str) -> str:
    """The Markdown file that a command writes."""
    published.prints(*words, "--out", "tables")
    return Path(f"tables/{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "name", "words"),
    [
        ("## Table 1", "table1", ["table1"]),
        ("## Other ways to clip", "table1-clipping", ["table1", "--sweep", "clipping", *FROZEN]),
        ("## Figure 3", "figure3_ends", ["figure3"]),
    ],
)
def test_the_tables_are_what_is_printed(published: Analysis, heading: str, name: str, words: list[str]) -> None:
    documented, printed = (
        rows(text, "setting") for text in (RESULTS.partition(f"\n{heading}")[2], written(published, name, *words))
    )
    assert documented.keys() == printed.keys()
    assert documented == as_printed(documented, printed)


def test_ppo_beside_published_scores_is_what_is_printed(published: Analysis) -> None:
    head, rule, *body = [line for line in written(published, "scores", "scores").splitlines() if line.startswith("|")]
    kept = [head, rule, *(line for line in body if "Clipping" in line)]
    documented, printed = rows(RESULTS, "task | score, mean ± std"), rows("\n".join(kept), "task")
    assert documented.keys() == printed.keys()
    assert documented == as_printed(documented, printed)


def test_the_first_row_is_what_is_printed(published: Analysis) -> None:
    documented = rows(FIRST_ROW, "factor")
    normalised = rows(written(published, "table1-first_row", "table1", "--sweep", "first_row", *FROZEN), "setting")
    printed = rows(written(published, "drift", "drift"), "setting")
    assert documented.keys() == printed.keys() == normalised.keys()
    for name, row in printed.items():
        row["normalised"] = normalised[name]["score"]
        row["median KL of an iteration"], row["entropy at the end"] = row["KL"], row["last"]
    assert documented == as_printed(documented, printed)
