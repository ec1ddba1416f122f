"""The one guard through which environments that are other people's code are called (law 8).

They step in the trainer's process. Whatever a call raises becomes an ordinary exception of its own lane; what it
changes in the process is put back before another lane's turn; what it prints goes to its own run's log.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ppo.envs.base import Marker
from ppo.envs.limits import Limits, OpenFiles
from ppo.envs.output import Output
from ppo.envs.process import ProcessState, handler_of
from ppo.envs.watchdog import WATCH, TooLong
from ppo.errors import UserError, text_of, type_name

LONGEST_TEXT = 2000  # of an exception's message


class ForeignError(Exception):
    """What an environment raised that is no ordinary exception, or whose text cannot be written down."""


class Foreign:
    """Calls foreign code for the lanes of one lock-step; `marker` names the lane meanwhile."""

    def __init__(self, marker: Marker) -> None:
        self._marker = marker
        self._pid = os.getpid()
        self._inside = -1  # the lane whose code is running
        self._output = Output()
        self._noted: set[tuple[int, str]] = set()
        self._changes: dict[int, list[str]] = defaultdict(list)
        self._files = OpenFiles()
        self._limits = Limits()
        self.refresh()

    def refresh(self) -> None:
        """Take the process as it is now for how it should be: our own code may have changed it since the last call."""
        self._state = ProcessState()
        self._files.look()
        if self._limits.put_back():
            for lane in range(len(self._marker) - 1):
                self._note(lane, "limits of the process", who="an environment of this pack")

    def call(self, lane: int, function: Callable[..., Any], *args: Any) -> Any:
        """`function(*args)` for a lane. Raises an ordinary Exception with a printable text, whatever it raises.

        Costs some microseconds, and next to nothing inside another call for the same lane: one of these may be put
        around all that a lane does in a step.
        """
        if self._inside == lane:
            return function(*args)
        streams, failure, result = (sys.stdout, sys.stderr), None, None
        self._marker[0] = lane + 1
        WATCH.calls += 1
        self._inside = self._output.lane = WATCH.lane = lane
        sys.stdout = sys.stderr = self._output.over(streams[1])
        try:
            try:
                result = function(*args)
            finally:
                WATCH.lane = -1  # from here on the watchdog interrupts nothing
        except BaseException as error:
            failure = self._failure(error)
        finally:
            self._end_child()
            self._inside = -1
            sys.stdout, sys.stderr = streams
        if self._state.differs():
            failure = self._put_back(lane, failure)
        if self._files.look():
            leak = self._files.failure(lane)
            failure = failure or leak
        self._marker[0] = 0
        if failure is not None:
            raise failure
        return result

    def _failure(self, error: BaseException) -> Exception:
        """What a lane fails of; raises the interruption of a person who has asked twice."""
        if isinstance(error, KeyboardInterrupt) and handler_of(signal.SIGINT) is signal.default_int_handler:
            raise error  # as long as the first one is still to come, none is raised but by the environment itself
        return plain(error)

    def _end_child(self) -> None:
        """A forked child that comes back from foreign code must not touch our files."""
        if os.getpid() != self._pid:
            os._exit(0)

    def _put_back(self, lane: int, failure: Exception | None) -> Exception | None:
        """Put the process back to where it was, and note what was changed; why the lane cannot go on, if so."""
        for kind, problem in self._state.put_back():
            if problem is None:
                self._note(lane, kind)
            else:
                failure = failure or ForeignError(f"the environment changed {kind}, which cannot be undone: {problem}")
        return failure

    def _note(self, lane: int, kind: str, who: str = "the environment") -> None:
        if (lane, kind) not in self._noted:
            self._noted.add((lane, kind))
            self._changes[lane].append(f"{who} changed {kind}: put back")

    def take_notes(self, lane: int) -> list[str]:
        """What a lane's environments changed and was put back, since the last time; each kind once."""
        return self._changes.pop(lane, [])

    def take_output(self, lane: int) -> str:
        """What a lane's environments printed since the last time."""
        return self._output.take(lane)


def plain(error: BaseException) -> Exception:
    """What foreign code raised as an ordinary exception with a printable text of bounded length."""
    if isinstance(error, TooLong):
        return TimeoutError(f"one step took more than {error.seconds:g} seconds")
    text = text_of(error, LONGEST_TEXT)
    if isinstance(error, Exception):
        if isinstance(error, UserError) or _is_harmless(error, text):
            return error
        return _replaced(error, f"{type_name(error)}: {text}" if text else type_name(error))
    if isinstance(error, SystemExit):
        code = text_of(error.code, LONGEST_TEXT, show=repr)
        return _replaced(error, f"the environment called sys.exit({code})")
    return _replaced(error, f"the environment raised {type_name(error)}" + (f": {text}" if text else ""))


def _is_harmless(error: Exception, text: str) -> bool:
    """Whether an exception can be shown as it is, with all that it was raised from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < 20:
        seen.add(id(link))
        if isinstance(link, BaseExceptionGroup) or getattr(link, "__notes__", None):
            return False
        try:
            if str(link) != (text if link is error else text_of(link, LONGEST_TEXT)):
                return False
        except BaseException:
            return False
        link = link.__cause__ or link.__context__
    return link is None


def _replaced(error: BaseException, text: str) -> ForeignError:
    found = ForeignError(text)
    found.__traceback__ = error.__traceback__
    found.__suppress_context__ = True
    return found
