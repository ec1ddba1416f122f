"""The runs of a sweep as short entries, composed once and kept: a cache that may be deleted at any time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ppo.config.compose import CONF
from ppo.config.identity import setting_name
from ppo.runs.files import read_json, write_json
from ppo.runs.provenance import PACKAGE
from sweeps.home import Home
from sweeps.planning.runs import Run, outputs_of, sweep_runs
from sweeps.planning.spec import load


class Entry(NamedTuple):
    """What looking after a run needs to know of it."""

    label: str
    env: str
    setting: str
    seed: int
    hash: str
    folder: str
    goal: int  # environment steps


class Catalogue(NamedTuple):
    """A sweep's entries, and the store that they are in."""

    outputs: str
    entries: list[Entry]


def catalogue(name: str, overrides: Sequence[str], only: Sequence[str]) -> Catalogue:
    """The entries of a sweep under overrides; UserError as from `sweep_runs`."""
    outputs = next((o.partition("=")[2] for o in overrides if o.startswith("outputs=")), "outputs")
    path = Home(Path(outputs), load(name).name).path / f"catalogue-{_digest(name, overrides, only)}.json"
    if held := read_json(path):
        return Catalogue(held["outputs"], [Entry(*entry) for entry in held["entries"]])
    runs = sweep_runs(load(name), overrides, only)
    found = Catalogue(str(outputs_of(runs)), [to_entry(run) for run in runs])
    if path.parent.is_dir():  # the sweep was run once: looking at it makes no folders
        for old in path.parent.glob("catalogue-*.json"):
            old.unlink(missing_ok=True)
        write_json(path, found._asdict())
    return found


def to_entry(run: Run) -> Entry:
    """A run in short."""
    config = run.config
    goal = config.goal
    return Entry(run.label, config.env.id, setting_name(config), config.seed, run.hash, str(run.folder), goal)


def _own_files(name: str, seen: tuple[str, ...] = ()) -> list[Path]:
    """The file of a sweep that is not in `conf/`, and those that it includes."""
    if not name.endswith(".yaml") or name in seen:
        return []
    return [Path(name), *(path for included in load(name).include for path in _own_files(included, (*seen, name)))]


def _digest(*arguments: object) -> str:
    """Of what is asked and of everything that the answer depends on."""
    digest = hashlib.sha256(json.dumps(arguments).encode())
    files = [*CONF.rglob("*.yaml"), *PACKAGE.rglob("*.py"), *Path(__file__).resolve().parents[1].rglob("*.py")]
    for path in [*sorted(files), *_own_files(str(arguments[0]))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
