"""Checkpoints of a run folder: the newest and the one before, each verified before anything of it is used.

A checkpoint is a line with its format and the sha256 of all that follows, a line of JSON with its run and what it knows
of the tables, and the payload of `torch.save`, of which torch sees no byte unless every one of the file is right.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ppo.errors import one_line
from ppo.runs.files import is_passing, read_bytes, set_aside, sync_folder, write_aside
from ppo.runs.tables import Mark, prefix

FORMAT = 3
NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint.old.pt"
MAGIC = b"ppo-sweeps checkpoint "


class TableDamaged(ValueError):
    """A checkpoint knows other rows than there are."""


class Loaded(NamedTuple):
    """The checkpoint to go on from, and what was found to be damaged before it."""

    state: dict[str, Any] | None  # None: there is none that fits
    tables: dict[str, Mark]
    damage: list[str]  # one sentence for each checkpoint that was set aside
    tables_damaged: bool


def save(folder: Path, run: str, state: Mapping[str, Any], tables: Mapping[str, Mark]) -> None:
    """Write a run's state and the marks of its tables; the last good checkpoint is kept beside it."""
    import torch  # takes a second to load, which reading a run folder does not need

    payload = io.BytesIO()
    torch.save(dict(state), payload)
    header = {"run": run, "tables": {name: list(mark) for name, mark in tables.items()}}
    aside = write_aside(folder / NEWEST, packed(header, payload.getbuffer()))
    if (folder / NEWEST).exists():
        (folder / NEWEST).replace(folder / PREVIOUS)
        sync_folder(folder)
    aside.replace(folder / NEWEST)
    sync_folder(folder)


def packed(header: Mapping[str, Any], payload: bytes | memoryview) -> bytes:
    """The bytes of a checkpoint."""
    line = json.dumps(header).encode() + b"\n"
    digest = hashlib.sha256(line)
    digest.update(payload)
    return b"".join((_first_line(digest.hexdigest()), line, payload))


def unpacked(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header and the payload of a checkpoint; ValueError unless every bit of it is as it was written."""
    end = content.find(b"\n") + 1
    if not content.startswith(MAGIC) or not end:
        raise ValueError("it is not a checkpoint of this version")
    rest = memoryview(content)[end:]
    if content[:end] != _first_line(hashlib.sha256(rest).hexdigest()):
        words = content[len(MAGIC) : end].split()
        if words and words[0].isdigit() and int(words[0]) != FORMAT:
            raise ValueError(f"its format is {int(words[0])}, that of another version; expected {FORMAT}")
        raise ValueError("it is damaged")
    split = content.index(b"\n", end) + 1
    header: dict[str, Any] = json.loads(content[end:split])
    return header, memoryview(content)[split:]


def load(folder: Path, run: str) -> Loaded:
    """The newest checkpoint that is whole, the run's, and fits its tables; those that do not are set aside.

    OSError or MemoryError where that cannot be found out now.
    """
    import torch

    damage: list[str] = []
    tables_damaged = False
    for path in (folder / NEWEST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            header, payload = unpacked(read_bytes(path))
            tables = _checked(folder, run, header)
            state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True)
        except Exception as error:  # torch.load raises whatever a file of other contents makes it raise
            if is_passing(error):
                raise
            tables_damaged |= isinstance(error, TableDamaged)
            aside = set_aside(path)
            damage.append(f"{path.name} cannot be used ({one_line(error)}): set aside as {aside.name}")
            continue
        return Loaded(state, tables, damage, tables_damaged)
    return Loaded(None, {}, damage, tables_damaged)


def reject(folder: Path, error: Exception) -> str:
    """Set aside the checkpoint that was loaded, since no run could be put to its state; says so."""
    path = next(path for path in (folder / NEWEST, folder / PREVIOUS) if path.exists())
    aside = set_aside(path)
    return (
        f"{path.name} cannot be gone on from ({one_line(error)}): set aside as {aside.name}; "
        "the next attempt starts from the one before, or from step 0"
    )


def damage_of(folder: Path, run: str | None = None) -> list[str]:
    """What does not fit of a folder's checkpoints, one sentence for each; nothing is changed, nothing unpickled."""
    damage = []
    for path in (folder / NEWEST, folder / PREVIOUS):
        try:
            header, _ = unpacked(read_bytes(path))
            _checked(folder, run or header["run"], header)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, LookupError, TypeError) as error:
            damage.append(f"{path.name} cannot be used ({one_line(error)})")
    return damage


def _checked(folder: Path, run: str, header: Mapping[str, Any]) -> dict[str, Mark]:
    """The marks of a checkpoint's tables; ValueError unless it is of this run, TableDamaged if they do not fit."""
    if header["run"] != run:
        raise ValueError(f"it belongs to run {header['run']}")
    tables = {name: Mark(*mark) for name, mark in header["tables"].items()}
    try:
        for name, mark in tables.items():
            prefix(folder / name, mark)
    except ValueError as error:
        raise TableDamaged(str(error)) from None
    return tables


def _first_line(digest: str) -> bytes:
    return MAGIC + f"{FORMAT} {digest}\n".encode()
