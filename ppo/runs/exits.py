"""The exit statuses of every command."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0  # everything asked for is done
    FAILED = 1  # a run failed or is missing
    MISTAKE = 2  # the user's mistake: nothing was started
    BUSY = 75  # another process writes the run folder (EX_TEMPFAIL of sysexits.h)
    INTERRUPTED = 130  # asked to stop; everything is saved
