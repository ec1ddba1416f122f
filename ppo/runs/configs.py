"""The `config.yaml` of a run folder, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ppo.config.flatten import flatten
from ppo.config.identity import essence, run_hash, setting_hash
from ppo.config.run import EXECUTION_KEYS, Config, to_config
from ppo.errors import UserError, one_line
from ppo.runs.files import read_bytes

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times faster
LARGEST, MOST_NESTED = 1 << 18, 500  # bytes; marks that may each begin a level, of which too many overflow C's stack
MARKS = (b"[", b"{", b"- ", b"-\t", b"? ", b"?\t")
UNREADABLE = (OSError, ValueError, yaml.YAMLError, RecursionError)


def read_config(path: Path) -> Any:
    """What a config says; None if it cannot be read."""
    try:
        return _read(path)
    except UNREADABLE:
        return None


def _read(path: Path) -> Any:
    """What a config says; one of `UNREADABLE` if it cannot be read."""
    content = read_bytes(path)
    if len(content) > LARGEST or sum(map(content.count, MARKS)) > MOST_NESTED:
        raise ValueError("it is too large or too deeply nested")
    return yaml.load(content, LOADER)


def run_of(content: Any) -> str | None:
    """The hash of the run that a config describes; None if it is not of this version, or needs other modules."""
    config = _config_of(content)
    return None if config is None else run_hash(config)


def facts_of(content: Any) -> dict[str, Any]:
    """What a result must say of the run that a config describes, and `goal`, its steps; empty as in `run_of`."""
    config = _config_of(content)
    if config is None:
        return {}
    facts = {"run": run_hash(config), "env": config.env.id, "seed": config.seed}
    return facts | {"setting_hash": setting_hash(config), "goal": config.goal}


def _config_of(content: Any) -> Config | None:
    try:
        return to_config(content)
    except (UserError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def differing_keys(path: Path, config: Config) -> list[str]:
    """The keys in which the run of a config.yaml differs from ours; empty if it is ours or there is none yet."""
    try:
        content = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except UNREADABLE as error:
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
    if (config := _config_of(content)) is not None:
        return essence(config)
    return {k: v for k, v in content.items() if k not in EXECUTION_KEYS} if isinstance(content, dict) else {}
