"""Published stores: one compressed file per sweep, which is read without unpacking."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs.files import read_bytes, write_atomically
from ppo.runs.results import DIGEST, digest_of, is_result
from ppo.runs.row import RunRow

SUFFIX = ".json.gz"
HEADER = bytes.fromhex("1f8b08000000000002ff")  # of gzip, without a name and a time
DAMAGE = (  # what a damaged file may raise
    gzip.BadGzipFile, zlib.error, EOFError, LookupError, TypeError, AttributeError, ValueError, RecursionError,
)  # fmt: skip


class Published(NamedTuple):
    """A published sweep."""

    sweep: str
    runs: list[RunRow]
    records: Mapping[str, Mapping[str, Any]]  # run (64 hex digits) -> result, config, learning curve and so on
    damage: Mapping[str, str] = {}  # run whose record does not fit -> why


def files(store: Path) -> list[Path]:
    """The published sweeps of a folder, in order."""
    return sorted(store.glob(f"*{SUFFIX}"))


def path_of(store: Path, sweep: str) -> Path:
    """Where a published store has a sweep."""
    return store / f"{sweep}{SUFFIX}"


def read(path: Path) -> Published:
    """A published sweep; ValueError if the file is damaged or something else, OSError if it cannot be read.

    A record that does not fit is left out, and named with the reason.
    """
    try:
        text = gzip.decompress(_content(path))
        content = json.loads(text)
        damage = {str(run): _misfit(run, record) for run, record in content["records"].items()}
        records = {run: record for run, record in content["records"].items() if not damage[run]}
        rows = [RunRow.from_json(row) for row in content["runs"]]
        return Published(str(content["sweep"]), rows, records, {run: why for run, why in damage.items() if why})
    except DAMAGE as error:
        raise ValueError(f"{path} cannot be read as a published sweep ({' '.join(str(error).split())[:200]})") from None


def _content(path: Path) -> bytes:
    """The bytes of a file; ValueError unless it begins as we write it: gzip checks all but its own header."""
    content = read_bytes(path)
    if not content.startswith(HEADER):
        raise ValueError("it does not begin as a published sweep does")
    return content


def _misfit(run: str, record: Any) -> str:
    """Why a record cannot be that of a run; empty if it can. Records of earlier versions have no digest."""
    if not (isinstance(record, Mapping) and isinstance(record.get("result"), Mapping) and is_result(record["result"])):
        return "its record has no readable result"
    if record["result"].get("run") != run:
        return "its record is of another run"
    if DIGEST in record and record[DIGEST] != digest_of(record):
        return "its record does not fit its digest"
    return ""


def write(path: Path, sweep: str, runs: Sequence[RunRow], records: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a published sweep atomically; the same content gives the same bytes. Records are strict JSON, sealed."""
    sealed = {run: {**record, DIGEST: digest_of(record)} for run, record in records.items()}
    content = {"sweep": sweep, "runs": [row.to_json() for row in runs], "records": sealed}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())
