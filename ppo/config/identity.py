"""What makes a run that run: its hash, its setting's hash, and with whom it may share a pack (laws 1 and 3).

Nothing here lists keys by name: fields carry marks (`ppo.config.schema`). Identity never rests on a Python default.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ppo.config.run import GROUPS, LENGTH, Config, Execution, choice_mapping
from ppo.config.schema import EXECUTION, ONE_PER_PACK, PER_RUN, PER_RUN_IF_SET, marked, neutral

SHORT = 12  # digits of a hash in a folder's name


def essence(config: Config) -> dict[str, Any]:
    """The resolved config without execution keys, and without added keys at their neutral value."""
    values: dict[str, Any] = {key: getattr(config, key) for key in LENGTH}
    for group in GROUPS:
        if (choice := getattr(config, group)) is not None:
            values[group] = _essence_of_choice(choice, group)
    return values


def _essence_of_choice(choice: Any, group: str) -> dict[str, Any]:
    cls = type(choice)
    execution, added = marked(cls, EXECUTION), neutral(cls)
    return {
        key: value
        for key, value in choice_mapping(choice, group).items()
        if key not in execution and not (key in added and getattr(choice, key) == added[key])
    }


def run_hash(config: Config) -> str:
    """A run's identity, 64 hex digits; spelling and order of keys do not matter."""
    return _digest(essence(config))


def setting_hash(config: Config) -> str:
    """The identity of a run's setting: all but its seed and its task (suite and id), 64 hex digits."""
    return _digest(setting_essence(config))


def setting_essence(config: Config) -> dict[str, Any]:
    """A run's essence without its seed and its task; other keys of `env` count."""
    values = essence(config)
    del values["seed"]
    values["env"] = {key: value for key, value in values["env"].items() if key not in ("suite", "id")}
    return values


def short(digest: str) -> str:
    """The digits of a hash that name a folder."""
    return digest[:SHORT]


def pack_key(config: Config) -> str:
    """Runs with the same key can be trained in one pack: same task, network, shapes and loop counts."""
    values = essence(config)
    del values["seed"]
    values["surrogate"] = None if config.surrogate is None else config.surrogate.family()
    algorithm, cls = values["algorithm"], type(config.algorithm)
    for key in marked(cls, PER_RUN):
        algorithm.pop(key, None)
    for key in marked(cls, PER_RUN_IF_SET):
        algorithm[key] = getattr(config.algorithm, key) is not None
    values["execution"] = [getattr(config.execution, key) for key in marked(Execution, ONE_PER_PACK)]
    return _digest(values)


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
