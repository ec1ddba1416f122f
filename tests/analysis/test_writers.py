"""A table in every format, character by character, whatever characters are in its cells."""

from __future__ import annotations

import html
import io
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from analysis.writers import (
    FORMATS,
    Table,
    csv,
    html_table,
    latex,
    markdown,
    number,
    print_table,
    score,
    to_json,
    worded,
)

TINY = Table(
    title="Table 0",
    header=["setting", "score", "runs"],
    rows=[["Clipping", "0.55", "3/4"], ["None", "-0.20", "4/4"]],
    notes=["Incomplete: 7 of 8.", "Mixed."],
    data=pd.DataFrame({"label": ["Clipping", "None"], "score": [0.55, -0.2], "low": [1 / 3, None], "done": [3, 4]}),
)
MARKDOWN = r"""
**Table 0**

| setting | score | runs |
|---|---:|---:|
| Clipping | 0.55 | 3/4 |
| None | -0.20 | 4/4 |

Incomplete: 7 of 8.••
Mixed.
""".replace("•", " ")
LATEX = r"""
\begin{table}
\centering
\caption{Table 0. Incomplete: 7 of 8. Mixed.}
\begin{tabular}{lrr}
\toprule
setting & score & runs \\
\midrule
Clipping & 0.55 & 3/4 \\
None & -0.20 & 4/4 \\
\bottomrule
\end{tabular}
\end{table}
"""
HTML = """
<table>
<caption>Table 0</caption>
<thead><tr><th>setting</th><th>score</th><th>runs</th></tr></thead>
<tbody>
<tr><th>Clipping</th><td>0.55</td><td>3/4</td></tr>
<tr><th>None</th><td>-0.20</td><td>4/4</td></tr>
</tbody>
</table>
<p>Incomplete: 7 of 8.</p><p>Mixed.</p>
"""
CSV = """
label,score,low,done
Clipping,0.55,0.3333333333333333,3
None,-0.2,,4
"""
TERMINAL = """
Table 0
setting   score  runs
Clipping   0.55   3/4
None      -0.20   4/4
Incomplete: 7 of 8.
Mixed.
"""
NASTY = "&%$#_{}~^\\ |<>\"'`*[b]"


def table_of(cell: str, *, columns: int = 2) -> Table:
    """A table that has one string in every place."""
    header = [cell] * columns
    return Table(cell, header, [header], [cell], pd.DataFrame({cell: [cell]}))


def printed(table: Table, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    print_table(table, console)
    return console.file.getvalue()


# -- golden ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "golden"), [("md", MARKDOWN), ("tex", LATEX), ("html", HTML), ("csv", CSV)])
def test_a_tiny_table_is_written_character_by_character(kind: str, golden: str) -> None:
    assert FORMATS[kind](TINY) == golden.removeprefix("\n")


def test_a_tiny_table_is_printed_character_by_character() -> None:
    lines = [line.rstrip() for line in printed(TINY).splitlines()]
    assert lines == TERMINAL.strip().splitlines()


def test_a_table_without_notes_ends_with_its_last_row() -> None:
    bare = TINY._replace(notes=[])
    assert markdown(bare).endswith("| None | -0.20 | 4/4 |\n")
    assert r"\caption{Table 0.}" in latex(bare)
    assert html_table(bare).rstrip().endswith("</table>")
    assert printed(bare).splitlines()[-1].startswith("None")


def test_there_are_four_kinds_of_files() -> None:
    assert list(FORMATS) == ["md", "tex", "html", "csv"]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_file_ends_with_one_newline(kind: str) -> None:
    written = FORMATS[kind](TINY)
    assert written.endswith("\n")
    assert not written.endswith("\n\n")


# -- escaping ----------------------------------------------------------------------------------------------------------


def test_columns_of_words_are_aligned_left_and_those_of_numbers_right() -> None:
    rows = [["Clip", "Hopper-v5", "-", "none", "- (0/3)"], ["None", "2D task", "-0.1", "1, 2", "- (0/3)"]]
    assert worded(TINY._replace(header=["a"] * 5, rows=rows)) == [True, False, False, False, False]
    rows[1][1] = "Walker2d-v5"
    table = TINY._replace(header=["a"] * 5, rows=rows)
    assert worded(table) == [True, True, False, False, False]
    assert r"\begin{tabular}{llrrr}" in latex(table)
    assert worded(TINY._replace(rows=[])) == [True, False, False]


def test_a_bar_in_a_cell_is_no_column_of_markdown() -> None:
    assert markdown(table_of("a|b")).splitlines()[2:5] == [r"| a\|b | a\|b |", "|---|---|", r"| a\|b | a\|b |"]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("&", r"\&"),
        ("%", r"\%"),
        ("$", r"\$"),
        ("#", r"\#"),
        ("_", r"\_"),
        ("{", r"\{"),
        ("}", r"\}"),
        ("~", r"\textasciitilde{}"),
        ("^", r"\^{}"),
        ("\\", r"\textbackslash{}"),
        ("d_targ = 0.01 & 95 %", r"d\_targ = 0.01 \& 95 \%"),
        (r"\{", r"\textbackslash{}\{"),  # what an escape is made of is not escaped again
    ],
)
def test_what_latex_would_obey_is_escaped_in_cells_and_caption(text: str, escaped: str) -> None:
    lines = latex(table_of(text)).splitlines()
    assert lines[2] == rf"\caption{{{escaped}. {escaped}}}"
    assert lines[5] == lines[7] == rf"{escaped} & {escaped} \\"


@pytest.mark.parametrize(("text", "escaped"), [("<b>", "&lt;b&gt;"), ("&", "&amp;"), ("&lt;", "&amp;lt;")])
def test_what_html_would_obey_is_escaped_everywhere(text: str, escaped: str) -> None:
    written = html_table(table_of(text))
    assert written.count(escaped) == 6  # caption, two columns, two cells, a note
    assert f"<th>{escaped}</th><td>{escaped}</td>" in written


def test_html_is_read_back_as_what_was_written() -> None:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            found.append(data)

    reader = Reader()
    reader.feed(html_table(table_of(NASTY)))
    reader.close()
    assert [text for text in found if text.strip()] == [NASTY] * 6
    assert html.unescape(html.escape(NASTY)) == NASTY


@pytest.mark.parametrize("text", ["a,b", 'say "a"', "two\nlines", NASTY])
def test_csv_is_read_back_as_what_was_written(text: str) -> None:
    frame = pd.read_csv(io.StringIO(csv(table_of(text))))
    assert frame.columns.tolist() == frame.iloc[0].tolist() == [text]


def test_csv_keeps_every_digit() -> None:
    data = pd.DataFrame({"score": [0.1 + 0.2, 1 / 3, 1e-17]})
    assert pd.read_csv(io.StringIO(csv(TINY._replace(data=data)))).score.tolist() == data.score.tolist()


def test_brackets_are_printed_and_are_no_markup_of_the_terminal() -> None:
    assert printed(table_of("[bold]x[/bold] :smile:")).count("[bold]x[/bold] :smile:") == 6


def test_a_long_note_is_not_broken_into_lines() -> None:
    note = "word " * 40 + "end."
    assert printed(TINY._replace(notes=[note])).splitlines()[-1] == note


def test_json_keeps_every_digit_and_has_null_for_what_is_missing() -> None:
    assert to_json(TINY) == {
        "title": "Table 0",
        "notes": TINY.notes,
        "rows": [
            {"label": "Clipping", "score": 0.55, "low": 1 / 3, "done": 3},
            {"label": "None", "score": -0.2, "low": None, "done": 4},
        ],
    }


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.126, "0.13"), (-0.126, "-0.13"), (3, "3.00"), (1234.5, "1234.50"), (None, "-"), (float("nan"), "-")],
)
def test_a_number_has_two_digits_and_what_is_none_is_a_hyphen(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_number_can_have_other_digits() -> None:
    assert (number(1.26, 1), number(1.26, 0)) == ("1.3", "1")


@pytest.mark.parametrize(
    ("value", "text"),
    [(-6.54, "-6.5"), (99.94, "99.9"), (100.4, "100"), (-2345.6, "-2346"), (None, "-"), (float("nan"), "-")],
)
def test_a_raw_score_has_a_digit_after_the_point_where_it_is_small(value: float | None, text: str) -> None:
    assert score(value) == text


# -- LaTeX, compiled ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on PATH")
@pytest.mark.parametrize("table", [TINY, table_of(NASTY, columns=5), table_of("± 95 %", columns=3)])
def test_the_latex_compiles(tmp_path: Path, table: Table) -> None:
    path = tmp_path / "table.tex"
    head = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    path.write_text(f"{head}{latex(table)}\\end{{document}}\n", encoding="utf-8")
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "table.pdf").read_bytes().startswith(b"%PDF")
