"""What environments print: kept for their own runs' logs, up to a limit, and not shown where others print."""

from __future__ import annotations

import io
from typing import Any

from ppo.errors import text_of

MOST = 64 * 1024  # characters that a run's environments may print while one process trains it
DROPPED = "... more output was dropped"


class Output(io.TextIOBase):
    """Stands in for stdout and stderr while foreign code runs; what is written belongs to the lane of the moment.

    What is written past Python, to file descriptor 1 or 2, goes where those lead: a terminal or the log of the pack.
    """

    encoding, errors, line_buffering = "utf-8", "replace", True

    def __init__(self) -> None:
        self.lane = -1
        self.behind: Any = None  # the stream that our own messages go to
        self._kept: dict[int, list[str]] = {}
        self._left: dict[int, int] = {}
        self.buffer = _Bytes(self)

    def over(self, stream: Any) -> Output:
        """This, in front of a stream."""
        self.behind = stream
        return self

    def write(self, text: str) -> int:
        """Keep what fits."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        left = self._left.setdefault(self.lane, MOST)
        if left > 0:
            kept = text_of(text, left + 1)[:left]
            self._left[self.lane] = left = left - max(len(kept), 1)
            self._kept.setdefault(self.lane, []).extend([kept] if left > 0 else [kept, f"\n{DROPPED}"])
        return len(text)

    def take(self, lane: int) -> str:
        """What a lane printed since the last time; nothing if it was white space only."""
        return "".join(self._kept.pop(lane, [])).rstrip()

    def close(self) -> None:
        """Stay open: the next lane prints too."""

    def fileno(self) -> int:
        """The descriptor behind it, for who hands it to a subprocess."""
        return int(self.behind.fileno())

    def writable(self) -> bool:
        """It is."""
        return True


class _Bytes(io.RawIOBase):
    """The binary side of an Output."""

    def __init__(self, text: Output) -> None:
        self._text = text

    def write(self, content: Any) -> int:
        """Keep what fits."""
        data = bytes(content)
        self._text.write(data[: MOST + 1].decode("utf-8", "replace"))
        return len(data)

    def close(self) -> None:
        """Stay open."""

    def writable(self) -> bool:
        """It is."""
        return True
