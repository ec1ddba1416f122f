"""The child's side of a measurement: a training program that advances by whole iterations on request.

The programs to compare are started once, warmed up, and then asked in turn, one iteration or a few at a time. So
neighbouring measurements are seconds apart, and a machine that slows down slows both. Messages are lines of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


class Gate:
    """Called between iterations. Blocks until more are asked for; returns True when there is no more to do."""

    def __init__(self, taken: Callable[[], int]) -> None:
        self.replies, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no reply
        self.taken = taken  # environment steps so far, of all runs of this process
        self.seconds: list[float] = []  # of each iteration
        self.steps: list[int] = []
        self.left, self.last, self.before = 0, time.perf_counter(), 0
        self.entered = False
        self.on_start: Callable[[bool], None] = lambda _replay: None  # before the clock of a measurement starts
        self.on_end: Callable[[], dict[str, Any]] = dict  # after it has stopped; what to reply besides the seconds

    def __call__(self) -> bool:
        if not self.entered:  # the first iteration is the warm-up: it compiles
            self.entered, self.left = True, 1
            self._mark()
            return False
        self.seconds.append(time.perf_counter() - self.last)
        self.steps.append(self.taken() - self.before)
        self.left -= 1
        self._mark()
        return False if self.left else self._wait()

    def reply(self, **values: Any) -> None:
        """Send one message."""
        self.replies.write(json.dumps(values) + "\n")
        self.replies.flush()

    def _mark(self) -> None:
        """An iteration starts now."""
        self.before, self.last = self.taken(), time.perf_counter()

    def _wait(self) -> bool:
        measured = {"seconds": self.seconds, "steps": self.steps}
        self.reply(**measured, peak_bytes=peak_bytes(), now=time.monotonic(), **self.on_end())
        line = sys.stdin.readline()
        order: dict[str, Any] = json.loads(line) if line else {"iterations": 0}  # end of file: whoever measures is gone
        if not order["iterations"]:
            self.last = time.perf_counter()
            return True
        os.sched_setaffinity(0, {order["core"]})
        self.seconds, self.steps, self.left = [], [], order["iterations"]
        self.on_start(order["replay"])
        self._mark()
        return False


def peak_bytes() -> int:
    """The most memory this process has had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
