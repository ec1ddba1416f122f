"""Figures are files in every format, the same on every machine, whatever its matplotlib settings are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from analysis.drawing import FORMATS, house_style, legend, line_style, save, subplots, title

START = {"pdf": b"%PDF-", "svg": b"<?xml", "png": b"\x89PNG\r\n"}


@house_style()
def drawn() -> matplotlib.figure.Figure:
    """One line, with a title and a label that would be markup."""
    figure, axes = subplots(1, 1, (3.0, 2.0))
    (line,) = axes[0, 0].plot([0, 1], [1, 2])
    axes[0, 0].set(xlabel="million steps", ylabel="return")
    title(axes[0, 0], "$env$-v0")
    legend(figure, {"50$ vs 60$": line}, loc="outside lower center")
    return figure


def test_a_figure_is_saved_in_every_format(tmp_path: Path) -> None:
    paths = save(drawn(), tmp_path / "new" / "folder", "it")
    assert [path.name for path in paths] == ["it.pdf", "it.svg", "it.png"]
    assert set(FORMATS) == set(START)
    assert all(path.read_bytes().startswith(START[path.suffix[1:]]) for path in paths)


def test_words_of_an_svg_are_words_and_none_is_markup(tmp_path: Path) -> None:
    (path,) = save(drawn(), tmp_path, "it", ["svg"])
    assert all(word in path.read_text() for word in ("$env$-v0", "million steps", "return", "50$ vs 60$"))


def test_the_users_settings_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [path.read_bytes() for path in save(drawn(), tmp_path / "before", "it")]
    for name, value in {"text.usetex": True, "font.size": 30, "axes.facecolor": "red", "savefig.dpi": 10}.items():
        monkeypatch.setitem(matplotlib.rcParams, name, value)
    assert [path.read_bytes() for path in save(drawn(), tmp_path / "after", "it")] == before
    assert matplotlib.rcParams["text.usetex"] is True


def test_28_settings_look_different() -> None:
    assert len({tuple(line_style(number).values()) for number in range(28)}) == 28


def test_drawing_needs_no_display_and_no_valid_backend(tmp_path: Path) -> None:
    code = "import sys; from analysis.__main__ import main; status = main(['figure3', '--out', sys.argv[1]])"
    code += "; print(status, 'matplotlib.pyplot' in sys.modules)"  # pyplot is what chooses a window system
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.endswith("0 False\n")
