"""Which files of finished runs have been hashed already: those whose size, times and inode are what they were then.

Each store remembers it in `.verified.json`, written when the process ends. It is only a memory: where it is missing,
damaged or cannot be written, files are hashed again.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ppo.runs.files import read_bytes, sha256_of, write_atomically

NAME = ".verified.json"
RACY_SECONDS = 2.0  # a file this young may be written again without a new time: it is not remembered
WORTH_WRITING = 50  # new runs: fewer are hashed sooner than a large memory is written


def mismatches(folder: Path, result: Mapping[str, Any], *, thorough: bool = False) -> list[str]:
    """The files named by a result that are missing or other than it says, one sentence each; `thorough`: hash them all.

    `result` is sealed: it may be trusted to say what was written.
    """
    expected: Mapping[str, str] = result["sha256"]
    memory, before = memory_of(folder), _look(folder, result)
    if before is not None and not thorough and memory.knows(folder, before):
        return []
    damage = [text for name, digest in expected.items() if (text := _mismatch(folder, name, digest))]
    if not damage and before is not None and before == _look(folder, result):
        memory.add(folder, before)
    return damage


def _mismatch(folder: Path, name: str, digest: Any) -> str | None:
    if name != Path(name).name:
        return f"{name} is no file of a run folder"
    try:
        return None if sha256_of(folder / name) == digest else f"{name} is not what the run wrote"
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"


def _look(folder: Path, result: Mapping[str, Any]) -> tuple[int, str] | None:
    """The time of the newest of a result's files, in ns, and a digest of the result and all their stats."""
    seen: list[Any] = [result["digest"]]
    newest = 0
    try:
        for name in result["sha256"]:
            stat = os.stat(f"{folder}/{name}")
            newest = max(newest, stat.st_mtime_ns, stat.st_ctime_ns)
            seen.append((name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev))
    except (OSError, ValueError):
        return None
    return newest, hashlib.sha256(repr(seen).encode()).hexdigest()


class Memory:
    """What one store remembers."""

    def __init__(self, store: str | None) -> None:
        self.path = None if store is None else Path(store) / NAME
        self.pid, self.added = os.getpid(), 0
        self.known = _load(self.path) if self.path else {}
        atexit.register(self.write)

    def knows(self, folder: Path, look: tuple[int, str]) -> bool:
        """Whether a folder's files were hashed when they looked like this."""
        return self.known.get(_key(folder)) == look

    def add(self, folder: Path, look: tuple[int, str]) -> None:
        """Remember how a folder's files looked before and after they were hashed."""
        if look[0] < time.time_ns() - RACY_SECONDS * 1e9:
            self.known[_key(folder)] = look
            self.added += 1

    def write(self) -> None:
        """Write down what is new, with what other processes have written meanwhile."""
        if not self.path or self.added < WORTH_WRITING or self.pid != os.getpid():
            return
        merged = _load(self.path) | self.known
        with suppress(OSError):
            write_atomically(self.path, json.dumps({"looks": merged}, separators=(",", ":")).encode())
            self.added = 0


@lru_cache(maxsize=64)
def _memory(store: str | None) -> Memory:
    return Memory(store)


def memory_of(folder: Path) -> Memory:
    """The memory of a run folder's store, `<store>/runs/<env>/<setting>/<run>`; elsewhere that of this process."""
    store, _, inside = os.path.abspath(folder).rpartition(f"{os.sep}runs{os.sep}")
    return _memory((store or os.sep) if inside.count(os.sep) == 2 else None)


def _key(folder: Path) -> str:
    """The place of a run folder in its store; elsewhere its whole path."""
    path = os.path.abspath(folder)
    inside = path.rpartition(f"{os.sep}runs{os.sep}")[2]
    return inside if inside.count(os.sep) == 2 else path


def _load(path: Path) -> dict[str, tuple[int, str]]:
    """What a file remembers of runs whose files were old by its own file system's clock when it was written."""
    try:
        written = path.stat().st_mtime_ns
        looks = json.loads(read_bytes(path))["looks"]
        return {
            key: (newest, digest)
            for key, (newest, digest) in looks.items()
            if isinstance(newest, int) and isinstance(digest, str) and newest < written - RACY_SECONDS * 1e9
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
