"""Published stores: one compressed file per sweep, which is read without unpacking."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs.row import RunRow

SUFFIX = ".json.gz"


class Published(NamedTuple):
    """A published sweep."""

    sweep: str
    runs: list[RunRow]
    records: Mapping[str, Mapping[str, Any]]  # run (64 hex digits) -> result, config, learning curve and so on


def files(store: Path) -> list[Path]:
    """The published sweeps of a folder, in order."""
    return sorted(store.glob(f"*{SUFFIX}"))


def read(path: Path) -> Published:
    """A published sweep; ValueError if the file is damaged or something else, OSError if it cannot be read."""
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        records = content["records"]
        if not all(isinstance(record, dict) and isinstance(record["result"], dict) for record in records.values()):
            raise ValueError("a record has no result")
        return Published(str(content["sweep"]), [RunRow.from_json(row) for row in content["runs"]], records)
    except (gzip.BadGzipFile, EOFError, LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as a published sweep ({' '.join(str(error).split())[:200]})") from None
