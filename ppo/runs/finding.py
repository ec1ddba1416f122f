"""The run folders of a store, found by the hash in their names: the rest of a name and of its path is for people."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ppo.errors import UserError
from ppo.runs.row import RunRow

SEED_FOLDER = re.compile(r"seed-(\d+)-([0-9a-f]{12})(-\d+)?")  # a number at its end: trained afresh beside it
OLD_FOLDER = re.compile(r"seed=\d+-[0-9a-f]{8}(-\d+)?")


def located(rows: Sequence[RunRow], outputs: Path) -> list[RunRow]:
    """Rows of a store with the folders that their runs have now, which somebody may have moved or renamed."""
    gone = {row.run for row in rows if not (outputs / row.folder).is_dir()}
    found = folders_by_hash(outputs) if gone else {}
    moved = {run: found[run[:12]].relative_to(outputs).as_posix() for run in gone if run[:12] in found}
    return [row._replace(folder=moved.get(row.run, row.folder)) for row in rows]


def folders_by_hash(outputs: Path) -> dict[str, Path]:
    """The first 12 digits of a run's hash -> its folder, of every run of a store."""
    folders: dict[str, Path] = {}
    for folder in run_folders(outputs):
        match = SEED_FOLDER.fullmatch(folder.name)
        if match and not match[3]:
            folders.setdefault(match[2], folder)
    return folders


def run_folders(outputs: Path) -> Iterator[Path]:
    """The run folders of a store, in order; UserError for a store of version 0.1."""
    runs = outputs / "runs"
    for env in _folders(runs):
        for setting in _folders(runs / env):
            names = _folders(runs / env / setting)
            if old := next(filter(OLD_FOLDER.fullmatch, names), None):
                raise UserError(
                    f"outputs={outputs} is invalid: expected a store of this version, but {env}/{setting}/{old} was "
                    "written by version 0.1, which alone can read it; name another folder."
                )
            seeds = [match for match in map(SEED_FOLDER.fullmatch, names) if match]
            for match in sorted(seeds, key=lambda m: (int(m[1]), m[2], len(m[0]), m[0])):
                yield runs / env / setting / match[0]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link that leads to itself
        return False


def _folders(folder: Path) -> list[str]:
    """The names of a folder's folders, sorted; empty where there is none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_folder(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from None
