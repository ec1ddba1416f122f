"""The store: where run folders are, and how a run is found in it by its hash."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml

from ppo.config.compose import CONF
from ppo.config.identity import run_hash, short
from ppo.config.naming import folder_name
from ppo.config.run import Config
from ppo.runs.finding import folders_by_hash


@lru_cache
def default_store() -> str:
    """The store where none is named: `outputs` of conf/config.yaml."""
    return str(yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["outputs"])


def store_path(outputs: str) -> Path:
    """The folder that `outputs` names; `~` is the user's home."""
    return Path(outputs).expanduser()


def folder_of(config: Config, found: Mapping[str, Path] | None = None) -> Path:
    """The folder of a run: `run_dir`, else the one in the store that has its hash, else a new one's name.

    `found`: the store's folders by hash (`folders_by_hash`), for who asks for many runs.
    """
    if config.execution.run_dir is not None:
        return store_path(config.execution.run_dir)
    outputs = store_path(config.execution.outputs)
    name = outputs / "runs" / folder_name(config)
    if name.is_dir():
        return name
    return (folders_by_hash(outputs) if found is None else found).get(short(run_hash(config)), name)
