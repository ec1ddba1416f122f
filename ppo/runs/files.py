"""Writing files so that a crash, a kill, a full disk or a lost machine never leaves a broken one."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
DISK_FULL = "the disk was full; the run goes on when there is space"
FULL = (errno.ENOSPC, errno.EDQUOT)
PASSING = (*FULL, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT)
ASIDE = ".aside"  # suffix of files that are being written


def write_atomically(path: Path, content: bytes) -> None:
    """Write aside, fsync, rename, fsync the folder: `path` holds its old content or all of the new one."""
    aside = write_aside(path, content)
    try:
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_aside(path: Path, content: bytes) -> Path:
    """Write what is to replace `path` under a name beside it, fsynced; returns that name.

    The name is unique and never one that exists, so that two writers do not collide and no link is followed.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{ASIDE}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        aside.unlink(missing_ok=True)
        error.filename = str(path)
        raise
    return aside


def append(path: Path, content: bytes) -> None:
    """Add to a file, creating it if need be; OSError if it is a link, or a pipe that nobody reads."""
    with open_to_append(path) as file:
        file.write(content)


def open_to_append(path: Path) -> io.BufferedWriter:
    """A file to be added to, created if need be; OSError if it is a link, or a pipe that nobody reads."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | NO_LINKS
    return os.fdopen(os.open(path, flags, 0o666), "ab")


def truncate(path: Path, size: int) -> None:
    """Cut a file to a size; OSError if it is a link."""
    descriptor = os.open(path, os.O_WRONLY | NO_LINKS)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def probe(folder: Path) -> None:
    """OSError unless files can be made in a folder."""
    write_aside(folder / "probe", b"").unlink()


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk, where its file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left aside; only for who alone writes in the folder."""
    for path in folder.glob(f".*{ASIDE}"):
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename a file to the first free one of NAME.bad, NAME.bad-2, ...; for who alone writes in its folder."""
    aside = free_name(path)
    path.rename(aside)
    return aside


def copy_aside(path: Path) -> Path:
    """Copy a file to the name that `set_aside` would give it."""
    aside = free_name(path)
    write_atomically(aside, path.read_bytes())
    return aside


def free_name(path: Path) -> Path:
    """The first of NAME.bad, NAME.bad-2, ... that does not exist."""
    aside, number = path.with_name(f"{path.name}.bad"), 2
    while os.path.lexists(aside):
        aside, number = path.with_name(f"{path.name}.bad-{number}"), number + 1
    return aside


def fresh_sibling(path: Path) -> Path:
    """The first of `path`-2, `path`-3, ... that does not exist."""
    number = 2
    while (sibling := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return sibling


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a full disk or an exhausted quota."""
    return _is_of(error, FULL)


def is_passing(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is the machine's at this moment, and says nothing about the file."""
    return _is_of(error, PASSING)


def _is_of(error: BaseException | None, numbers: tuple[int, ...]) -> bool:
    while error is not None:
        number = errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
        if number in numbers:
            return True
        error = error.__cause__ or error.__context__
    return False


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a mapping as strict JSON (NaN becomes null), atomically."""
    finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in value.items()}
    write_atomically(path, (json.dumps(finite, indent=2, allow_nan=False) + "\n").encode())


def open_regular(path: Path) -> io.FileIO:
    """A regular file, to be read; OSError for anything else in its place, and never a wait for a pipe's writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return io.FileIO(descriptor)


def read_bytes(path: Path) -> bytes:
    """The content of a regular file; OSError as from `open_regular`."""
    with open_regular(path) as file:
        return file.readall()


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file's mapping, or None if there is none that can be read."""
    try:
        value = json.loads(read_bytes(path))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
