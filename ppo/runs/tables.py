"""The csv files of a run folder: rows are added by one writer, whose running sha256 knows all that it wrote."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs.files import append, read_bytes, truncate, write_atomically


class Mark(NamedTuple):
    """What a table had when it was forced to disk: a checkpoint knows that much of it."""

    size: int  # bytes
    sha256: str  # hex, of these bytes


class Table:
    """A csv file and what its one writer has written to it."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, columns
        self.size = self.lines = 0
        self._hash = hashlib.sha256()

    @property
    def rows(self) -> int:
        """Rows written, the header not counted."""
        return max(0, self.lines - 1)

    @property
    def mark(self) -> Mark:
        """All that was written."""
        return Mark(self.size, self._hash.hexdigest())

    def start(self) -> None:
        """Start the table with its header."""
        header = (",".join(self.columns) + "\n").encode()
        write_atomically(self.path, header)
        self._know(header)

    def cut(self, mark: Mark) -> None:
        """Go on from a mark, dropping what follows it; ValueError if the file does not begin with what was marked."""
        content = prefix(self.path, mark)
        truncate(self.path, mark.size)
        self._know(content)

    def append(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows, in one write."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        content = text.getvalue().encode()
        append(self.path, content)
        self._add(content)

    def sync(self) -> Mark:
        """Force the table to disk."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        return self.mark

    def _know(self, content: bytes) -> None:
        self.size, self.lines, self._hash = 0, 0, hashlib.sha256()
        self._add(content)

    def _add(self, content: bytes) -> None:
        self._hash.update(content)
        self.size += len(content)
        self.lines += content.count(b"\n")


def prefix(path: Path, mark: Mark) -> bytes:
    """The bytes of a file that were marked; ValueError if they are others."""
    try:
        content = read_bytes(path)[: mark.size]
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    if len(content) < mark.size:
        raise ValueError(f"{path.name} is shorter than it was")
    if hashlib.sha256(content).hexdigest() != mark.sha256:
        raise ValueError(f"{path.name} has changed before row {content.count(10)}")
    return content


def cut_to_whole_rows(path: Path) -> None:
    """Drop what follows the last end of line: a full disk may have taken part of a row."""
    if path.exists():
        content = path.read_bytes()
        truncate(path, content.rfind(b"\n") + 1)


def formatted(value: Any) -> str:
    """A cell of updates.csv."""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
