"""Which run a process is working for at this moment, in a file that outlives it: whom to blame when it is killed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Marker = NDArray[np.uint32]  # [1 + L]: 1 + the lane worked for, 0 for all of them at once; then each lane's run hash


def make_marker(path: Path | None, runs: Sequence[str]) -> Marker:
    """A marker of lanes that train these runs (8 hex digits each), kept in a file if there is a path."""
    size = 1 + len(runs)
    marker: Marker = np.zeros(size, np.uint32) if path is None else np.memmap(path, np.uint32, "w+", shape=(size,))
    marker[1:] = [int(run, 16) for run in runs]
    return marker


def marked_run(path: Path) -> str | None:
    """The run that a process was working for when it last wrote to its marker; None if no single one."""
    try:
        marker = np.fromfile(path, np.uint32)
    except OSError:
        return None
    lane = int(marker[0]) if len(marker) else 0
    return f"{marker[lane]:08x}" if 0 < lane < len(marker) else None
