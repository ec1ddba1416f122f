"""Limits of the process that environments may use up or change: open files above all."""

from __future__ import annotations

import errno
import os
import resource
from collections import Counter
from contextlib import suppress

_RESERVE = 64  # descriptors that are ours when environments have used up all others
_LIMITS = (resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_STACK)


class OpenFiles:
    """Who keeps how many files open: so that one run's leak does not keep its mates from writing theirs."""

    def __init__(self) -> None:
        self._kept: Counter[int] = Counter()  # by lane
        self._soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and self._soft > hard - _RESERVE > _RESERVE:
            self._soft = hard - _RESERVE
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._soft, hard))
        self._free = self._grown = 0

    def look(self) -> bool:
        """Whether another number of files is open than at the last look."""
        try:
            free = os.dup(0)  # the lowest number that is free
            os.close(free)
        except OSError as error:
            free = self._soft if error.errno == errno.EMFILE else self._free
        self._grown, self._free = free - self._free, free
        return self._grown != 0

    def failure(self, lane: int) -> Exception | None:
        """After a call for a lane that has opened or closed files: why it cannot go on, if too many are open by now."""
        self._kept[lane] += self._grown
        if self._free < self._soft - _RESERVE:
            return None
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._soft + _RESERVE, hard))
        if self._kept[lane] < max(self._kept.values()):
            return None  # a mate is to blame: it fails at the next file that it opens
        return OSError(errno.EMFILE, f"its environments keep {self._kept[lane]} files open, of {self._soft} at most")


class Limits:
    """Limits of the process and the processors that it may use: looked at now and then only."""

    def __init__(self) -> None:
        self._limits = {kind: resource.getrlimit(kind) for kind in _LIMITS}
        self._processors = self._now()

    def put_back(self) -> bool:
        """Put them back; returns whether they had been changed, and could be."""
        changed = False
        for kind, before in self._limits.items():
            if resource.getrlimit(kind) != before:
                with suppress(OSError, ValueError):
                    resource.setrlimit(kind, before)
                    changed = True
        if self._now() != self._processors:
            with suppress(OSError, AttributeError):
                os.sched_setaffinity(0, self._processors)
                changed = True
        return changed

    @staticmethod
    def _now() -> set[int]:
        return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
