"""The `config.yaml` of a run folder, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ppo.config.flatten import flatten
from ppo.config.identity import essence, run_hash
from ppo.config.run import EXECUTION_KEYS, Config, to_config
from ppo.errors import UserError, one_line
from ppo.runs.files import read_bytes

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster


LARGEST, MOST_NESTED = 1 << 18, 500  # bytes; marks that may each begin a level, of which too many overflow C's stack


def read_config(path: Path) -> Any:
    """What a config says; None if it cannot be read."""
    try:
        content = read_bytes(path)
        marks = sum(map(content.count, (b"[", b"{", b"- ", b"-\t", b"? ", b"?\t")))
        return None if len(content) > LARGEST or marks > MOST_NESTED else yaml.load(content, Loader)
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


def differing_keys(path: Path, config: Config) -> list[str]:
    """The keys in which the run of a config.yaml differs from ours; empty if it is ours or there is none yet."""
    try:
        content = yaml.load(path.read_bytes(), Loader)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)}): fix or delete it.") from None
    ours, theirs = flatten(essence(config)), flatten(_essence_of(content))
    return sorted(k for k in ours | theirs if theirs.get(k, _ABSENT) != ours.get(k, _ABSENT))


def differs(path: Path, config: Config) -> bool:
    """Whether a config.yaml is there and not that of our run."""
    try:
        return bool(differing_keys(path, config))
    except UserError:
        return True


_ABSENT = object()


def _essence_of(content: Any) -> dict[str, Any]:
    """The identity of the run in a `config.yaml`; all that it says if it is not a run of this version."""
    try:
        return essence(to_config(content))
    except (UserError, TypeError, ValueError, AttributeError):
        return {k: v for k, v in content.items() if k not in EXECUTION_KEYS} if isinstance(content, dict) else {}
