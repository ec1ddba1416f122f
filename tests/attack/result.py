"""What an attack came to: how often it was tried, and each time that something gave way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Result(NamedTuple):
    """A row of the table of attacks."""

    attack: str  # what was done, as the table has it
    tried: int
    broke: Sequence[str]  # one line for each time that it was not withstood: enough to do it again
    note: str = ""  # a figure beside the counts, such as how many of the tries were harmless

    @property
    def held(self) -> int:
        """How many tries were withstood."""
        return self.tried - len(self.broke)
