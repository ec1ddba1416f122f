"""What a sweep is called in a store, and how it is trained: one of conf/sweep by its name, any other by its file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ppo.config.groups import CONF

FOLDER = CONF / "sweep"
SUFFIX = ".yaml"


def sweep_name(path: Path) -> str:
    """The name of a sweep file's sweep: its stem; of a file elsewhere than in conf/sweep, with digits of its path."""
    where = path.expanduser().resolve()
    if where.parent == FOLDER.resolve():
        return path.stem
    return f"{path.stem}-{hashlib.sha256(str(where).encode()).hexdigest()[:6]}"


def named(sweep: str) -> str:
    """A sweep's name, of its name or the path of its file."""
    return sweep_name(Path(sweep)) if sweep.endswith(SUFFIX) else sweep


def how_to_train(sweep: str, command: str = "run") -> str:
    """The command that trains a sweep, given by its name or the path of its file, which a name only suggests."""
    known = sweep.endswith(SUFFIX) or (FOLDER / f"{sweep}{SUFFIX}").is_file()
    return f"ppo-sweeps {command} {sweep if known else re.sub('-[0-9a-f]{6}$', '', sweep) + SUFFIX}"
