"""One writer per folder: exclusive locks that end with their process."""

from __future__ import annotations

import fcntl
import io
import os
from pathlib import Path

from ppo.runs.files import NO_LINKS, open_regular


def acquire(path: Path) -> io.TextIOWrapper | None:
    """Lock a file, creating it if need be; None if another process has it locked. Closing the file releases it.

    Raises OSError where the file cannot be opened or the file system has no locks.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o666), "r+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        file.close()
        raise
    return file


def holds(file: io.TextIOWrapper, path: Path) -> bool:
    """Whether a lock is still ours: foreign code may have closed its descriptor, and opened another file as that."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def release(file: io.TextIOWrapper, path: Path) -> None:
    """Let others lock a file, even if a forked child still has it open."""
    if holds(file, path):
        fcntl.flock(file, fcntl.LOCK_UN)
        file.close()
    else:
        _lost.append(file)


_lost: list[io.TextIOWrapper] = []  # never closed: their descriptors may be other files' by now


def is_locked(path: Path) -> bool:
    """Whether some process has a file locked. For an instant this keeps others from locking it."""
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
