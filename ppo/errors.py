"""The errors that a user is told in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's: told in one sentence, exit status 2, nothing started."""


class Busy(UserError):
    """A run folder has a writer already: it will be free later, or the run be done."""


def near(word: str, allowed: Iterable[str]) -> str:
    """What is allowed, as the end of a sentence; the nearest matches to `word` first, if there are any."""
    names = sorted(allowed)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{hint}allowed: {', '.join(names)}" if len(names) <= 40 else hint.strip() or f"{len(names)} names are known"
