"""Output that never fails: whatever stdout and stderr are, or are not."""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Write `?` for what stdout and stderr cannot encode, such as Greek letters in Latin-1, and nothing if closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started us: `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
