"""The state of the process that foreign code may change: compared at little cost after each call, and put back."""

from __future__ import annotations

import _locale
import decimal
import gc
import locale
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Container, Iterator
from importlib import import_module
from operator import attrgetter, is_
from typing import Any, NamedTuple

import numpy as np

from ppo.envs.descriptors import standard_streams

_signal: Any = import_module("_signal")  # what signal.py wraps into enumerations, a hundred times slower
_NAMES = (
    "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGABRT",
    "SIGSEGV", "SIGVTALRM", "SIGPROF", "SIGTSTP", "SIGCONT", "SIGRTMAX",
)  # fmt: skip
SIGNALS = tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))
OURS: dict[int, Any] = {}  # signal -> the handler that our own code set last
# As variables: the compiler would work out expressions of constants under the rounding of its own time.
_ONE, _HALF_STEP, _DENORMAL = 1.0, 2.0**-54, 5e-324
# As they are stored: looking at each decoded one takes ten times as long.
_variables: dict[Any, Any] = getattr(os.environ, "_data", {})


def set_handler(number: int, handler: Any) -> Any:
    """Our own code's signal.signal, so that it is not taken for foreign code's; returns the handler before."""
    before = signal.signal(number, handler)
    OURS[int(number)] = handler
    return before


def handler_of(number: int) -> Any:
    """The handler that a signal should have."""
    return OURS.get(int(number), _signal.getsignal(number))


class Part(NamedTuple):
    """A part of the state."""

    kind: str  # as a note says it
    look: Callable[[], Any]  # the same value, by ==, as long as nothing has changed
    put_back: Callable[[Any], object]  # given that value; returns False if it was our own code that changed it


class ProcessState:
    """The process as it was when this was made."""

    def __init__(self) -> None:
        self._parts = [*_plain_parts(), *_object_parts(), Part("standard streams", *standard_streams())]
        self._looks = [part.look for part in self._parts]
        self._before = [look() for look in self._looks]

    def differs(self) -> bool:
        """Whether anything has changed."""
        return [look() for look in self._looks] != self._before

    def put_back(self, leave: Container[str] = ()) -> Iterator[tuple[str, str | None]]:
        """Put back what has changed but for some kinds; yields what it was, and why it could not be if so."""
        changed = [(part, before) for part, before in self._changed() if part.kind not in leave]
        for part, before in changed:
            problem, foreign = None, True
            try:
                foreign = part.put_back(before) is not False
            except Exception as error:
                problem = str(error)
            if problem is None and part.look() != before:
                problem = "it has no effect"
            if foreign or problem:
                yield part.kind, problem
        for part, before in self._changed():  # by putting back the others: torch imports modules meanwhile
            if part.kind not in leave and not any(part is other for other, _ in changed):
                part.put_back(before)

    def _changed(self) -> list[tuple[Part, Any]]:
        return [(p, before) for p, before in zip(self._parts, self._before, strict=True) if p.look() != before]


# -- what is a plain value ---------------------------------------------------------------------------------------------


def _plain_parts() -> list[Part]:
    return [
        Part("the working directory", _working_directory, os.chdir),
        Part("NumPy's error handling", np.geterr, lambda old: np.seterr(**old)),
        Part("floating-point rounding", _rounding, _round_normally),
        Part("the locale", lambda: _locale.setlocale(_locale.LC_ALL), lambda old: locale.setlocale(locale.LC_ALL, old)),
        Part("blocked signals", lambda: _signal.pthread_sigmask(_signal.SIG_BLOCK, ()), _unblock),
        Part("an alarm", _alarms, _no_alarms),
        Part("the file mode mask", _mode_mask, os.umask),
        Part("garbage collection", lambda: (gc.isenabled(), gc.get_threshold()), _collect),
        *_torch_parts(),
    ]


def _torch_parts() -> list[Part]:
    """None where torch is not loaded, which takes seconds: there is nothing to be changed then."""
    if "torch" not in sys.modules:
        return []
    from ppo.envs import torch_settings

    return [Part("settings of torch", torch_settings.look, torch_settings.put_back)]


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return ""


def _rounding() -> tuple[bool, bool, bool]:
    """Whether sums are rounded up, or towards zero or down, and whether the smallest numbers are taken for zero."""
    return _ONE + _HALF_STEP > _ONE, _ONE - _HALF_STEP < _ONE, _DENORMAL * _ONE == 0


def _round_normally(old: tuple[bool, bool, bool]) -> None:
    import ctypes

    ctypes.CDLL(None).fesetround(0)  # FE_TONEAREST
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(old[2])


def _alarms() -> tuple[bool, bool]:
    get = _signal.getitimer  # the third timer is the watchdog's
    return get(_signal.ITIMER_REAL)[0] > 0, get(_signal.ITIMER_PROF)[0] > 0


def _no_alarms(_: Any) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)


def _unblock(old: Any) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _collect(old: tuple[bool, tuple[int, int, int]]) -> None:
    gc.set_threshold(*old[1])
    (gc.enable if old[0] else gc.disable)()


def _mode_mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# -- what is an object: kept, and compared by identity -----------------------------------------------------------------


def _object_parts() -> list[Part]:
    return [_handlers(), _environment(), _interpreter(), _collected(), _warnings(), _logging(), _decimal()]


def _handlers() -> Part:
    for number, handler in list(OURS.items()):
        if _signal.getsignal(number) is not handler:  # somebody has set another one since
            del OURS[number]
    kept, get = [_signal.getsignal(number) for number in SIGNALS], _signal.getsignal

    def put_back(_: bool) -> bool:
        changed = False
        for place, number in enumerate(SIGNALS):
            kept[place] = OURS.get(number, kept[place])
            if get(number) is not kept[place]:
                signal.signal(number, signal.SIG_DFL if kept[place] is None else kept[place])
                changed = True
        return changed

    return Part("signal handlers", lambda: all(map(is_, map(get, SIGNALS), kept)), put_back)


def _environment() -> Part:
    kept, zone = dict(_variables), time.tzname

    def put_back(_: bool) -> None:
        decode = getattr(os.environ, "decodevalue", os.fsdecode)
        for name in set(_variables) | set(kept):
            if name not in kept:
                del os.environ[decode(name)]
            elif _variables.get(name) != kept[name]:
                os.environ[decode(name)] = decode(kept[name])
        time.tzset()

    return Part("environment variables", lambda: _variables == kept and time.tzname == zone, put_back)


def _interpreter() -> Part:
    trace, profile, hook = sys.gettrace(), sys.getprofile(), sys.excepthook
    depth, interval = sys.getrecursionlimit(), sys.getswitchinterval()

    def put_back(_: bool) -> None:
        sys.settrace(trace)
        sys.setprofile(profile)
        sys.excepthook = hook
        sys.setrecursionlimit(max(sys.getrecursionlimit(), depth))  # a larger one harms nobody else
        sys.setswitchinterval(interval)

    def same() -> bool:
        hooks = sys.gettrace() is trace and sys.getprofile() is profile and sys.excepthook is hook
        return hooks and sys.getrecursionlimit() >= depth and sys.getswitchinterval() == interval

    return Part("settings of the interpreter", same, put_back)


def _collected() -> Part:
    callbacks, kept = gc.callbacks, list(gc.callbacks)

    def put_back(_: bool) -> None:
        gc.callbacks = callbacks
        callbacks[:] = kept

    def same() -> bool:
        now = gc.callbacks
        return now is callbacks and len(now) == len(kept) and all(map(is_, now, kept))

    return Part("callbacks of garbage collection", same, put_back)


def _warnings() -> Part:
    filters, kept = warnings.filters, list(warnings.filters)

    def put_back(_: bool) -> None:
        filters[:] = kept  # type: ignore[index]
        warnings.filters = filters
        getattr(warnings, "_filters_mutated", lambda: None)()

    def same() -> bool:
        now = warnings.filters
        return now is filters and len(now) == len(kept) and all(map(is_, now, kept))

    return Part("warning filters", same, put_back)


def _logging() -> Part:
    root, manager = logging.root, logging.root.manager
    level, disabled, handlers = root.level, manager.disable, list(root.handlers)

    def put_back(_: bool) -> None:
        root.setLevel(level)
        manager.disable = disabled
        root.handlers[:] = handlers

    def same() -> bool:
        now = root.handlers
        settings = root.level == level and manager.disable == disabled
        return settings and len(now) == len(handlers) and all(map(is_, now, handlers))

    return Part("logging", same, put_back)


def _decimal() -> Part:
    context = decimal.getcontext()
    kept = context.copy()
    names = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
    settings = attrgetter(*names, "traps")
    expected = settings(kept)  # the traps are those of the copy, which nobody else has

    def put_back(_: bool) -> None:
        decimal.setcontext(context)
        for name in names:
            setattr(context, name, getattr(kept, name))
        context.traps.update(kept.traps)

    def same() -> bool:
        now = decimal.getcontext()
        return now is context and settings(now) == expected

    return Part("the context of decimal", same, put_back)
