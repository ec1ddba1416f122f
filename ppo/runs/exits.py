"""How a command ends: its exit status, and one sentence on stderr for a mistake or an interruption."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum

from ppo.errors import UserError, printable
from ppo.runs.files import is_full
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
        status = int(command())
        sys.stdout.flush()
        return status
    except UserError as error:
        sys.stderr.write(f"{printable(error)}\n")
        return Exit.MISTAKE
    except BrokenPipeError:  # the reader of our output, such as head, has closed it
        _leave_stdout()
        return Exit.DONE
    except OSError as error:
        if not is_full(error) and error.errno != errno.EIO:  # EIO: the terminal is gone
            raise
        sys.stderr.write(f"{error.filename or 'the output'} cannot be written: {error.strerror}.\n")
        _leave_stdout()
        return Exit.FAILED
    except KeyboardInterrupt as interrupted:
        sys.stderr.write(f"{interrupted}\n" if interrupted.args else "interrupted\n")
        return Exit.INTERRUPTED


def _leave_stdout() -> None:
    """Write no more to stdout, which Python would try again at its end."""
    with suppress(OSError, ValueError):  # it may have been closed, or be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
