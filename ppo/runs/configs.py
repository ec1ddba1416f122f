"""The `config.yaml` of a run folder, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ppo.config.identity import run_hash
from ppo.config.run import to_config
from ppo.errors import UserError
from ppo.runs.files import read_bytes

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster


def read_config(path: Path) -> Any:
    """What a config says; None if it cannot be read."""
    try:
        return yaml.load(read_bytes(path), Loader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None


def run_of(content: Any) -> str | None:
    """The hash of the run that a config describes; None if it is not of this version, or needs other modules."""
    try:
        return run_hash(to_config(content))
    except (UserError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def goal_of(content: Any) -> int | None:
    """The steps at which the run that a config describes is done; None as in `run_of`."""
    try:
        return to_config(content).goal
    except (UserError, TypeError, ValueError, AttributeError, RecursionError):
        return None
