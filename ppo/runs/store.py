"""The store: where run folders are, and how a run is found in it by its hash."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import yaml

from ppo.config.compose import CONF
from ppo.config.identity import run_hash, short
from ppo.config.naming import folder_name
from ppo.config.run import Config
from ppo.errors import UserError

SEED_FOLDER = re.compile(r"seed-(\d+)-([0-9a-f]{12})(-\d+)?")  # a number at its end: trained afresh beside it
OLD_FOLDER = re.compile(r"seed=\d+-[0-9a-f]{8}(-\d+)?")


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
    if found is not None:
        return found.get(short(run_hash(config))) or outputs / "runs" / folder_name(config)
    name = outputs / "runs" / folder_name(config)
    return name if name.is_dir() else folders_by_hash(outputs).get(short(run_hash(config)), name)


def folders_by_hash(outputs: Path) -> dict[str, Path]:
    """The first 12 digits of a run's hash -> its folder, of every run of a store."""
    folders: dict[str, Path] = {}
    for folder in run_folders(outputs):
        match = SEED_FOLDER.fullmatch(folder.name)
        if match and not match[3]:
            folders.setdefault(match[2], folder)
    return folders


def run_folders(outputs: Path) -> Iterator[Path]:
    """The run folders of a store, in order; UserError for a store of version 0.1."""
    runs = outputs / "runs"
    for env in _folders(runs):
        for setting in _folders(runs / env):
            names = _folders(runs / env / setting)
            if old := next(filter(OLD_FOLDER.fullmatch, names), None):
                raise UserError(
                    f"outputs={outputs} is invalid: expected a store of this version, but {env}/{setting}/{old} was "
                    "written by version 0.1, which alone can read it; name another folder."
                )
            seeds = [match for match in map(SEED_FOLDER.fullmatch, names) if match]
            for match in sorted(seeds, key=lambda m: (int(m[1]), m[2], len(m[0]), m[0])):
                yield runs / env / setting / match[0]


def _folders(folder: Path) -> list[str]:
    """The names of a folder's folders, sorted; empty where there is none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from None
