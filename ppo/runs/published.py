"""Published stores: one compressed file per sweep, which is read without unpacking."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs.files import write_atomically
from ppo.runs.results import is_result
from ppo.runs.row import RunRow

SUFFIX = ".json.gz"
DAMAGE = (  # what a damaged file may raise
    gzip.BadGzipFile, zlib.error, EOFError, LookupError, TypeError, AttributeError, ValueError, RecursionError,
)  # fmt: skip


class Published(NamedTuple):
    """A published sweep."""

    sweep: str
    runs: list[RunRow]
    records: Mapping[str, Mapping[str, Any]]  # run (64 hex digits) -> result, config, learning curve and so on


def files(store: Path) -> list[Path]:
    """The published sweeps of a folder, in order."""
    return sorted(store.glob(f"*{SUFFIX}"))


def path_of(store: Path, sweep: str) -> Path:
    """Where a published store has a sweep."""
    return store / f"{sweep}{SUFFIX}"


def read(path: Path) -> Published:
    """A published sweep; ValueError if the file is damaged or something else, OSError if it cannot be read."""
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        records = content["records"]
        for run, record in records.items():
            if not is_result(record["result"]):
                raise ValueError(f"the record of run {run[:12]} has no readable result")
            if record["result"].get("run") != run:
                raise ValueError(f"the record of run {run[:12]} is of another run")
        return Published(str(content["sweep"]), [RunRow.from_json(row) for row in content["runs"]], records)
    except DAMAGE as error:
        raise ValueError(f"{path} cannot be read as a published sweep ({' '.join(str(error).split())[:200]})") from None


def write(path: Path, published: Published) -> None:
    """Write a published sweep atomically; the same content gives the same bytes. Records are strict JSON."""
    content = published._asdict() | {"runs": [row.to_json() for row in published.runs]}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())
