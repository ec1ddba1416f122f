"""The csv files of a run folder: rows are added, forced to disk, and cut back."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ppo.runs.files import write_atomically


def start_table(path: Path, columns: Sequence[str], size: int | None) -> None:
    """Cut a table back to a size in bytes, or start it with its header."""
    if size is None:
        write_atomically(path, (",".join(columns) + "\n").encode())
    else:
        os.truncate(path, size)


def append_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a table, in one write."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with path.open("ab") as file:
        file.write(text.getvalue().encode())


def sync(path: Path) -> int:
    """Force a file to disk; returns its size in bytes."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_size


def cut_to_whole_rows(path: Path) -> None:
    """Drop what follows the last end of line: a full disk may have taken part of a row."""
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


def formatted(value: Any) -> str:
    """A cell of updates.csv."""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
