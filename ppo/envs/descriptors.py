"""Standard input, output and error as descriptors: a file opened in place of a closed one would get our messages."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from typing import Any

_spares: dict[int, tuple[int, Any]] = {}  # standard descriptor -> its copy, and which file that is


def standard_streams() -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Whether file descriptors 0, 1 and 2 are open, and how to open them again."""
    for fd in (0, 1, 2):
        if fd not in _spares and _is_open(fd):
            spare = _copy_high(fd)
            _spares[fd] = spare, os.fstat(spare)[:3]

    def put_back(before: tuple[bool, ...]) -> None:
        for fd, was_open in enumerate(before):
            if was_open and not _is_open(fd):
                os.dup2(_source(fd), fd)
        for name, fd in (("stdout", 1), ("stderr", 2)):
            if getattr(getattr(sys, f"__{name}__"), "closed", False):
                fresh = open(fd, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
                if getattr(sys, name) is getattr(sys, f"__{name}__"):
                    setattr(sys, name, fresh)
                setattr(sys, f"__{name}__", fresh)

    def look() -> tuple[bool, bool, bool]:
        return _is_open(0), _is_open(1), _is_open(2)

    return look, put_back


def _is_open(fd: int) -> bool:
    try:
        os.get_inheritable(fd)
    except OSError:
        return False
    return True


def _copy_high(fd: int) -> int:
    """A copy of a descriptor, out of the way of those that are closed by counting up."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 512)
    except OSError:
        return os.dup(fd)


def _source(fd: int) -> int:
    """What a closed standard descriptor is put back from: its copy, or nowhere if that is closed, too."""
    spare, identity = _spares.get(fd, (-1, None))
    if spare >= 0 and _is_open(spare) and os.fstat(spare)[:3] == identity:
        return spare
    return os.open(os.devnull, os.O_RDWR)
