"""What hangs is interrupted, so that an attack goes on and counts it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Hangs(BaseException):
    """A command took too long. No `Exception`, which the command might catch."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """While open, what takes longer raises Hangs."""
    before = signal.signal(signal.SIGALRM, _stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Hangs("it hangs")
