"""How every figure is drawn: colours, line styles and files, whatever the user's own matplotlib settings are."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppo.runs.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
# Okabe and Ito's colours, distinguishable with every kind of colour vision; line styles for print without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # words of an SVG stay words
    "svg.hashsalt": "0",
}
DOTS_PER_INCH = 200


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever the user's own settings are; also a decorator."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for name, value in SETTINGS.items():
            matplotlib.rcParams[name] = value
        yield


def subplots(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, Any]:
    """A figure and its axes [rows, columns], of a size in inches, without a display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def line_style(number: int) -> dict[str, str]:
    """Colour and line of the setting with this number; 28 settings look different."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": STYLES[number // len(COLOURS) % len(STYLES)],
    }


def title(axis: Axes, text: str, **options: Any) -> None:
    """A title that is not ours, such as a task's id: `$` is a dollar, not markup."""
    axis.set_title(text, parse_math=False, **options)


def legend(figure: Figure, entries: dict[str, Artist], **options: Any) -> None:
    """A legend outside the panels: label -> what it explains. Labels are plain text, also `_a` and `$a$`."""
    box = figure.legend(list(entries.values()), [str(i) for i in range(len(entries))], frameon=False, **options)
    for text, label in zip(box.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(label)


@house_style()
def save(figure: Figure, out: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a figure in every format; the same numbers give the same files."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{kind}" for kind in formats]
    no_date = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    for path in paths:
        content = io.BytesIO()
        kind = path.suffix[1:]
        figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata=no_date.get(kind))
        write_atomically(path, content.getvalue())
    return paths
