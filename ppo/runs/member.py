"""A run on its way through a pack, and how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppo.config.run import Config
from ppo.errors import Busy, UserError, one_line
from ppo.runs.files import DISK_FULL, is_full
from ppo.runs.folder import RunFolder

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """How one run ended."""

    config: Config
    folder: Path
    result: dict[str, Any] | None = None  # of a run that is done
    error: str | None = None  # of a run that failed
    paused: bool = False  # by a full disk: `error` says so, and the run goes on when asked again
    refused: bool = False  # its folder cannot be used: `error` is a sentence about that
    trained: bool = True  # False: it was done before


@dataclass
class Member:
    """A run on its way through a pack."""

    outcome: Outcome
    folder: RunFolder
    compiled: bool  # its mode, which is that of its whole pack
    seconds: float = 0.0  # trained before this process
    skipped: int = 0  # gradient steps
    mixed: bool = False  # whether it was resumed in another mode
    resumes: list[dict[str, Any]] = field(default_factory=list)  # at which step, whether exactly, what was different
    started: float = field(default_factory=time.monotonic)  # when its pack did
    saved: float = field(default_factory=time.monotonic)  # when it was last

    @property
    def config(self) -> Config:
        """The run."""
        return self.outcome.config

    @property
    def ended(self) -> bool:
        """Whether the run is done or has failed."""
        return self.outcome.result is not None or self.outcome.error is not None

    @property
    def total_seconds(self) -> float:
        """Wall time in training, this process and earlier ones."""
        return self.seconds + time.monotonic() - self.started


def open_all(members: Sequence[Member]) -> list[Member]:
    """Open all folders, and return whose could be; the others are refused, or wait for space, and their mates go on.

    Busy if a folder has another writer.
    """
    opened = []
    for member in members:
        try:
            member.folder.open(compiled=member.compiled)
            opened.append(member)
        except Busy:
            raise
        except UserError as error:
            refuse(member, str(error))
        except OSError as error:
            if is_full(error):
                fail(member, error, member.folder.step)
            else:
                refuse(member, f"run folder {member.folder.path} cannot be written: {error.strerror}.")
    return opened


def refuse(member: Member, reason: str) -> None:
    """End a member whose folder cannot be used, without a word in it."""
    member.outcome.error, member.outcome.refused = reason, True
    member.folder.close()


def fail(member: Member, error: Exception, step: int) -> None:
    """End a member with an error; one that a full disk stopped is only paused, and goes on when there is space."""
    full = is_full(error)
    member.outcome.error = DISK_FULL if full else one_line(error)
    log.error("%s %s at step %d: %s", member.folder.path, "paused" if full else "failed", step, member.outcome.error)
    if full:
        member.outcome.paused = True
        member.folder.pause(step, DISK_FULL)
    else:
        member.folder.fail(error, step)
