"""How a command ends: its exit status, and one sentence on stderr for a mistake or an interruption."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import IntEnum

from ppo.errors import UserError, printable
from ppo.runs.files import DISK_FULL, is_full
from ppo.runs.terminal import prepare_streams


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0  # everything asked for is done
    FAILED = 1  # a run failed or is missing
    MISTAKE = 2  # the user's mistake: nothing was started
    FULL = 74  # of a worker: the disk was full, its runs are paused (EX_IOERR of sysexits.h)
    BUSY = 75  # another process writes the run folder (EX_TEMPFAIL of sysexits.h)
    INTERRUPTED = 130  # asked to stop; everything is saved


def exit_status(command: Callable[[], int]) -> int:
    """Run a command; its exit status, whatever ends it. Mistakes and interruptions are one sentence on stderr."""
    prepare_streams()
    try:
        return int(command())
    except UserError as error:
        sys.stderr.write(f"{printable(error)}\n")
        return Exit.MISTAKE
    except BrokenPipeError:  # the reader of our output, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except OSError as error:
        if not is_full(error):
            raise
        sys.stderr.write(f"{printable(UserError(error))}: {DISK_FULL}\n")
        return Exit.FAILED
    except KeyboardInterrupt as interrupted:
        sys.stderr.write(f"{interrupted}\n" if interrupted.args else "interrupted\n")
        return Exit.INTERRUPTED
