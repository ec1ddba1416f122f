"""Notices foreign code that does not come back: first it is interrupted; if that has no effect, the process ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

GRACE = 10.0  # seconds, at most, from an interruption to the end of the process
LOOKS = 20  # at a call that takes as long as it may: a process that was suspended meanwhile is not taken for a hang
INTERRUPT = getattr(signal, "SIGRTMAX", signal.SIGUSR1)
KILL = getattr(signal, "SIGVTALRM", signal.SIGTERM)  # unlike SIGKILL it can only be our doing

log = logging.getLogger(__name__)


class TooLong(BaseException):
    """Raised inside foreign code that takes longer than it may; no Exception, which such code may catch."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it took more than {seconds:g} seconds")
        self.seconds = seconds


class Watch:
    """Which foreign call is running: written by the guard, read by the watchdog."""

    def __init__(self) -> None:
        self.calls = 0  # begun so far
        self.lane = -1  # for which the last one still runs; -1: it has ended
        self.late: tuple[int, float] | None = None  # the call that is to be interrupted, and its limit

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of INTERRUPT: end the call that is late, if it has not ended by itself."""
        late, self.late = self.late, None
        if late is not None and self.lane >= 0 and late[0] == self.calls:
            raise TooLong(late[1])


WATCH = Watch()  # of this process, as signals are the process's


class Timer:
    """How long the call of the moment has run, in looks at it; `seconds`: the limit of each lane.

    A lane beyond them, such as a pack's spare one, may take as long as the longest.
    """

    def __init__(self, watch: Watch, seconds: Sequence[float]) -> None:
        self.watch, self.seconds = watch, seconds
        self.pause = min([*seconds, GRACE * LOOKS]) / LOOKS  # between looks
        self._call, self._ran, self._interrupted = -1, 0.0, False

    def look(self, passed: float) -> str | None:
        """After `passed` seconds: `interrupt` or `kill` if that is due now.

        Of a look that comes late, only the usual time counts: the process, or all of the machine, was suspended.
        """
        watch = self.watch
        lane, call = watch.lane, watch.calls
        if lane < 0 or call != self._call:
            self._call, self._ran, self._interrupted = call, 0.0, False
            return None
        self._ran += min(passed, 2 * self.pause)
        limit = self.seconds[lane] if lane < len(self.seconds) else max(self.seconds)
        if not self._interrupted and self._ran > limit:
            watch.late = (call, limit)
            self._interrupted = True
            return "interrupt"
        return "kill" if self._ran > limit + min(GRACE, limit) else None


@contextmanager
def watching(seconds: Sequence[float]) -> Iterator[None]:
    """While open, foreign calls have a limit, one for each lane. Only the main thread's can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    timer, ended = Timer(WATCH, seconds), threading.Event()
    before = signal.signal(INTERRUPT, WATCH.interrupt)
    thread = threading.Thread(target=_watch, args=(timer, ended), name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _limit_processor_time(0)
        WATCH.late = None
        signal.signal(INTERRUPT, before)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """While open, foreign code that belongs to no lane runs: nobody would be blamed for how it ends the process.

    TooLong is raised in it after so many seconds, and SystemExit in place of os._exit.
    """
    exit_at_once, process = os._exit, os.getpid()

    def leave(status: int) -> NoReturn:
        if os.getpid() == process:
            raise SystemExit(f"os._exit({status})")
        exit_at_once(status)  # a child that it has forked

    with watching([seconds]):
        WATCH.calls += 1
        WATCH.lane = 0
        os._exit = leave
        try:
            yield
        finally:
            os._exit = exit_at_once
            WATCH.lane = -1


def _watch(timer: Timer, ended: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
    looked = clock()
    while not ended.wait(timer.pause):
        # Code that keeps the interpreter's lock keeps this thread waiting, too; this timer needs no lock.
        longest = max(timer.seconds)
        _limit_processor_time(2 * (longest + min(GRACE, longest)))
        now = clock()
        due = timer.look(now - looked)
        looked = now
        if due == "interrupt":
            signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT)
        elif due == "kill":
            _kill(max(timer.seconds))


def _limit_processor_time(seconds: float) -> None:
    """Die of SIGVTALRM after so many seconds of processor time; 0: never."""
    with suppress(AttributeError, OSError):
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)


def _kill(seconds: float) -> None:
    """End the process, whose marker names the lane."""
    text = f"one step of an environment took more than {seconds:g} seconds and cannot be interrupted: process ends\n"
    with suppress(OSError):
        os.write(2, text.encode())
    os.kill(os.getpid(), KILL)
    time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGKILL)
