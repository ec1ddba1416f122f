"""One run of a sweep in short: the one shape of it on disk and in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ppo.config.schema import MOST_SEED
from ppo.runs.files import read_json


class RunRow(NamedTuple):
    """A run of a sweep: a line of `runs.json`, and what tables and lists know of it before they open its folder."""

    label: str  # of its setting, distinct for distinct settings of the sweep: the row of a table
    env: str  # the task's id
    setting: str  # readable name of the setting
    setting_hash: str  # 64 hex digits
    seed: int
    run: str  # 64 hex digits
    folder: str  # relative to the store, with forward slashes
    goal: int  # environment steps

    def to_json(self) -> dict[str, Any]:
        """As a mapping."""
        return self._asdict()

    @classmethod
    def from_json(cls, values: Any) -> RunRow:
        """The row of a mapping, which may have other keys as well; ValueError if it is malformed."""
        if not isinstance(values, Mapping):
            raise ValueError(f"a run must be a mapping, not {type(values).__name__}")
        for key, kind in _KINDS.items():
            if type(values.get(key)) is not kind:
                raise ValueError(f"{key} of a run must be of type {kind.__name__}, not {values.get(key)!r}")
        if not (0 <= values["seed"] <= MOST_SEED and 0 < values["goal"] < 2**63):
            raise ValueError(f"seed {values['seed']} or goal {values['goal']} of a run is out of range")
        folder = PurePosixPath(values["folder"])
        if folder.is_absolute() or ".." in folder.parts or not folder.parts:
            raise ValueError(f"folder {values['folder']!r} of a run is outside the store")
        return cls(*(values[key] for key in cls._fields))


_KINDS: dict[str, type] = {"seed": int, "goal": int} | dict.fromkeys(
    ("label", "env", "setting", "setting_hash", "run", "folder"), str
)


def read_rows(path: Path) -> list[RunRow]:
    """The runs that a `runs.json` lists, [] where there is none; ValueError if it is malformed."""
    if not os.path.lexists(path):
        return []
    content = read_json(path)
    if content is None or not isinstance(content.get("runs"), list):
        raise ValueError(f"{path} cannot be read as a list of runs")
    return [RunRow.from_json(row) for row in content["runs"]]
