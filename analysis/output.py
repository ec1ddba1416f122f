"""Where a command's results go: the terminal, or one JSON document, and files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import drawing, writers
from ppo.errors import UserError
from ppo.runs.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _check_folder(out: Path) -> None:
    """UserError where no files can be written, before anything is printed."""
    there = next((folder for folder in (out, *out.absolute().parents) if folder.exists()), None)
    if there is None or not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"--out {out} is invalid: expected a folder that can be written.")


class Output:
    """Shows tables and figures, and writes them to a folder if there is one."""

    def __init__(self, out: Path | None, *, as_json: bool, sweep: str = "") -> None:
        """`sweep`: whose results they are, in the names of files, where it is not the command's usual one."""
        if out is not None:
            _check_folder(out)
        self.out, self.as_json, self.suffix = out, as_json, f"-{sweep}" if sweep else ""
        self._tables: list[dict[str, Any]] = []
        self._written: list[str] = []
        self._facts: dict[str, Any] = {}

    def table(self, table: writers.Table, name: str) -> None:
        """Show a table, and write it in every format."""
        name += self.suffix
        if self.as_json:
            self._tables.append({"name": name, **writers.to_json(table)})
        else:
            writers.print_table(table)
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            paths = [self.out / f"{name}.{kind}" for kind in writers.FORMATS]
            for path, write in zip(paths, writers.FORMATS.values(), strict=True):
                write_atomically(path, write(table).encode())
            self.written(paths)

    def figure(self, figure: Figure, name: str, folder: Path | None = None) -> None:
        """Write a figure in every format, if there is a folder for it."""
        if (out := folder or self.out) is not None:
            self.written(drawing.save(figure, out, f"{name}{self.suffix}"))

    def written(self, paths: list[Path]) -> None:
        """Say which files were written."""
        self._written += map(str, paths)
        if not self.as_json:
            print(f"written: {', '.join(map(str, paths))}")

    def fact(self, name: str, value: Any, sentence: str) -> None:
        """Say something that is neither a table nor a file."""
        self._facts[name] = value
        if not self.as_json:
            print(sentence)

    def close(self) -> None:
        """Print the JSON document, if one was asked for."""
        if self.as_json:
            document = {"tables": self._tables, "written": self._written, **self._facts}
            sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n")
