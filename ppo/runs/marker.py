"""Which run a process is working for at this moment, in a file that outlives it: whom to blame when it is killed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIGITS = 8  # of a run's hash; enough to name one of a pack
Marker = NDArray[np.uint32]  # [1 + L]: 1 + the current lane, 0 for all at once; then 8 digits of each lane's run hash


def make_marker(path: Path | None, runs: Sequence[str]) -> Marker:
    """A marker of lanes that train these runs (hex hashes), stored in a file if there is a path."""
    size = 1 + len(runs)
    marker: Marker = np.zeros(size, np.uint32) if path is None else _stored(path, size)
    marker[1:] = [int(run[:DIGITS], 16) for run in runs]
    return marker


def _stored(path: Path, size: int) -> Marker:
    """A marker of zeros in a file whose space is reserved: on a full disk OSError now, not SIGBUS later."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.ftruncate(descriptor, 4 * size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, 4 * size)
    finally:
        os.close(descriptor)
    return np.memmap(path, np.uint32, "r+", shape=(size,))


def marked_run(path: Path) -> str | None:
    """The first 8 digits of the run that a process last marked; None if it marked no single one."""
    try:
        marker = np.fromfile(path, np.uint32)
    except OSError:
        return None
    lane = int(marker[0]) if len(marker) else 0
    return f"{marker[lane]:08x}" if 0 < lane < len(marker) else None
