"""The runs of a sweep as one DataFrame, from run folders or published records; what is missing is told, not dropped.

A store is a folder with `sweeps/<name>/runs.json`, which lists the runs that make up a sweep, and `runs/`, where each
has its folder or, in a published store, its compact record.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from analysis.errors import UserError
from analysis.records import Record, read_json, read_published, read_run, record_path

STORES = (Path("outputs"), Path("outputs/published"))  # where a sweep is looked for, in this order


class Runs(NamedTuple):
    """A sweep's runs: one row for each that was declared, done or not."""

    sweep: str
    store: Path
    frame: pd.DataFrame  # columns of `COLUMNS`
    notes: list[str]  # what a reader of a table of these runs has to know


COLUMNS = (
    "label", "env", "setting", "seed", "run", "state", "score", "mean_return", "episodes", "steps", "seconds", "code",
    "commit", "path",
)  # fmt: skip


def find_store(sweep: str, stores: Sequence[Path] = STORES) -> Path:
    """The first store that has a sweep; UserError with the command that makes one."""
    for store in stores:
        if (store / "sweeps" / sweep / "runs.json").exists():
            return store
    where = " or ".join(map(str, stores))
    raise UserError(f"no run of sweep {sweep} under {where}: python -m sweeps run {sweep} makes them.")


def load_sweep(sweep: str, store: Path) -> Runs:
    """Every declared run of a sweep."""
    path = store / "sweeps" / sweep / "runs.json"
    listed = read_json(path)
    if listed is None or not isinstance(listed.get("runs"), list) or not listed["runs"]:
        raise UserError(f"{path} cannot be read as a list of runs: python -m sweeps run {sweep} writes it anew.")
    try:
        rows = [_row(entry, store) for entry in listed["runs"]]
    except (LookupError, TypeError):
        raise UserError(f"{path} lists a run without its keys: python -m sweeps run {sweep} writes it anew.") from None
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return Runs(sweep, store, frame, notes(frame))


def read_record(path: Path) -> Record:
    """The record of a finished run, from its folder or its compact file."""
    return read_published(path) if path.suffix == ".json" else read_run(path)


def notes(frame: pd.DataFrame) -> list[str]:
    """What is incomplete or mixed, in sentences."""
    told = []
    done = frame[frame.state == "done"]
    missing = frame[frame.state != "done"]
    if len(missing):
        states = ", ".join(f"{count} {state}" for state, count in missing.state.value_counts().sort_index().items())
        told.append(f"Incomplete: {len(done)} of {len(frame)} runs are done ({states}).")
    if done.score.isna().any():
        told.append(f"{int(done.score.isna().sum())} runs completed no episode and have no score.")
    if twice := int(done.duplicated(["label", "env", "seed"]).sum()):
        told.append(f"Duplicates: {twice} runs have the same setting, task and seed as another; all are counted.")
    codes = sorted(done.code.fillna("unknown").unique())
    if len(codes) > 1:
        told.append(f"Mixed: these runs were made by {len(codes)} versions of the training code ({', '.join(codes)}).")
    return told


def _row(entry: dict[str, Any], store: Path) -> dict[str, Any]:
    row = {key: entry[key] for key in ("label", "env", "setting", "seed")} | {"run": entry["hash"]}
    folder = store / entry["folder"]
    compact = record_path(store, entry["folder"])
    if compact.exists():
        held = read_json(compact) or {}
        result, state, path = held.get("result"), "done", compact
        row["mean_return"] = held.get("mean_return")
    else:
        status, path = read_json(folder / "status.json") or {}, folder
        state = str(status.get("state", "new"))
        result = read_json(folder / "result.json") if state in ("new", "done", "running") else None
        state = "done" if result else state.replace("done", "lost")
    for key in ("score", "episodes", "steps", "seconds", "code", "commit"):
        row[key] = (result or {}).get(key)
    return row | {"state": state if result else state.replace("done", "unreadable"), "path": path}
