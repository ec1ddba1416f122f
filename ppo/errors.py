"""Errors that a user can fix: one sentence each, in the same form everywhere."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any


class UserError(Exception):
    """A user's mistake: one sentence, exit status 2, nothing started."""


class Busy(UserError):
    """A run folder has a writer already: later it will be free, or its run done."""


def invalid(key: str, value: Any, expected: str, hint: str = "") -> UserError:
    """The error of a value that does not fit: `KEY=VALUE is invalid: expected WHAT.`, then a hint."""
    return UserError(f"{key}={shown(value)} is invalid: expected {expected}.{hint}")


def unknown(key: str, value: str, choices: Iterable[str]) -> UserError:
    """The error of a value that is none of the choices, with the nearest matches."""
    names = sorted(choices)
    listed = ", ".join(names) if len(names) <= 40 else f"one of {len(names)} names"
    return invalid(key, value, listed or "nothing (there is no choice)", did_you_mean(value, names))


def shown(value: Any) -> str:
    """A value as it would be typed after `key=`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{shown(v)}" for k, v in value.items()) + "}"
    return str(value)


def one_line(error: BaseException) -> str:
    """An exception in one line of bounded length: its type and its message, whatever they are."""
    text, name = " ".join(text_of(error, 2000).split()), type_name(error)
    return f"{name}: {text[:300]}" if text else name


def text_of(value: object, most: int, show: Callable[[Any], Any] = str) -> str:
    """A value of other people's making as encodable text of at most `most` characters and `...`."""
    try:
        text = str.__str__(show(value))  # of a subclass of str, too
    except BaseException:
        return "(its text cannot be shown)"
    text = text if len(text) <= most else f"{text[:most]}..."
    return text.encode("utf-8", "backslashreplace").decode()


def type_name(value: object) -> str:
    """The name of a value's class, which may be as odd as its text."""
    return text_of(type.__dict__["__name__"].__get__(type(value)), 100)


def printable(error: object) -> str:
    """A sentence as a line of a terminal: the values in it may have control characters."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error))


def did_you_mean(word: str, choices: Iterable[str], prefix: str = "") -> str:
    """` Did you mean X?` for the nearest choices, or nothing."""
    close = difflib.get_close_matches(word, sorted(choices), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(prefix + name for name in close)}?" if close else ""
