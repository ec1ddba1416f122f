"""A table in every format: terminal, Markdown, LaTeX (booktabs), HTML, csv, JSON; its content was computed before.

LaTeX and HTML are not written by pandas' Styler, which escapes neither captions nor a row that starts with `[`.
"""

from __future__ import annotations

import html
import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

WIDE = 400  # columns of a pipe
NUMBER = re.compile(r"[-+]?\d|$|-( |$)|none$|-?inf|nan")  # how a cell of numbers begins


class Table(NamedTuple):
    """What is printed, and the numbers behind it."""

    title: str
    header: list[str]
    rows: list[list[str]]  # the first cell of each names it
    notes: list[str]  # sentences below the table
    data: pd.DataFrame  # unrounded, for csv and JSON


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits after the point, a hyphen where there is none; a real minus sign is not ASCII."""
    return "-" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def score(value: float | None) -> str:
    """A raw score, with a digit after the point where it is small."""
    return number(value, 1 if value is None or pd.isna(value) or abs(value) < 100 else 0)


def spread(mean: float, deviation: float, done: int, declared: int) -> str:
    """A mean score ± its deviation over runs, and how many of those declared are behind it where some are missing."""
    if not done:
        return f"- (0/{declared})"
    shown = f"{score(mean)} ± {score(deviation)}" if done > 1 else f"{score(mean)} (n=1)"
    return shown + (f" ({done}/{declared})" if done < declared else "")


def worded(table: Table) -> list[bool]:
    """Which columns are of words: the first, and those of which no cell begins as a number or says that it is none."""
    columns = list(zip(*table.rows, strict=True)) or [("",)] * len(table.header)
    return [i == 0 or not any(map(NUMBER.match, cells)) for i, cells in enumerate(columns)]


def markdown(table: Table) -> str:
    """For a page of documentation."""
    rules = ["---" if of_words else "---:" for of_words in worded(table)]
    lines = [f"**{table.title}**", "", _bar(table.header), f"|{'|'.join(rules)}|"]
    lines += [_bar(row) for row in table.rows]
    return "\n".join([*lines, "", *(note + "  " for note in table.notes)]).rstrip() + "\n"


def latex(table: Table) -> str:
    """For a paper; needs the package booktabs."""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(' '.join([table.title + '.', *table.notes]))}}}",
        r"\begin{tabular}{" + "".join("l" if of_words else "r" for of_words in worded(table)) + "}",
        r"\toprule",
        _tex_row(table.header),
        r"\midrule",
        *(_tex_row(row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def html_table(table: Table) -> str:
    """An HTML table, to be put into a page."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.header)
    body = "\n".join(
        "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for tag, c in _tagged(row)) + "</tr>" for row in table.rows
    )
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in table.notes)
    caption = f"<caption>{html.escape(table.title)}</caption>"
    return f"<table>\n{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n{notes}\n"


def csv(table: Table) -> str:
    """The unrounded numbers."""
    return table.data.to_csv(index=False, lineterminator="\n")


def to_json(table: Table) -> dict[str, Any]:
    """The unrounded numbers, and what a reader has to know of them."""
    rows = [{str(key): _plain(value) for key, value in row.items()} for row in table.data.to_dict("records")]
    return {"title": table.title, "notes": table.notes, "rows": rows}


def _plain(value: Any) -> Any:
    """A value as JSON has it; null for a number that is missing."""
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def print_table(table: Table, console: Console | None = None) -> None:
    """Print it for a person; into a pipe, every row is one line."""
    console = console or _Results(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)
    drawn = Drawn(box=None, pad_edge=False)
    for name, of_words in zip(table.header, worded(table), strict=True):
        drawn.add_column(Text(name), justify="left" if of_words else "right")
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    console.print(Text(table.title, style="bold"))
    console.print(drawn)
    for note in table.notes:
        console.print(Text(note), soft_wrap=True)


class _Results(Console):
    """A console whose closed reader ends the command, as elsewhere, and not with rich's exit status 1."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command."""
        raise BrokenPipeError


FORMATS: dict[str, Callable[[Table], str]] = {"md": markdown, "tex": latex, "html": html_table, "csv": csv}


def _bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|").replace("<", "&lt;").replace("\n", " ") for cell in cells) + " |"


def _tagged(row: Sequence[str]) -> list[tuple[str, str]]:
    return [("td" if i else "th", cell) for i, cell in enumerate(row)]


_TEX = {"\\": r"\textbackslash{}", **{c: "\\" + c for c in "&%$#_{}"}, "~": r"\textasciitilde{}", "^": r"\^{}"}
_TEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$"}


def _tex(text: str) -> str:
    return "".join(_TEX.get(c, c) for c in text)


def _tex_row(cells: Sequence[str]) -> str:
    guard = "{}" if cells[0][:1] in ("[", "*") else ""  # else the end of the row before would take it as its argument
    return guard + " & ".join(map(_tex, cells)) + r" \\"
