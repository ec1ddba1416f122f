"""Run folders as a list to filter, and what one run wrote down."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TextIO

import yaml

from ppo.errors import UserError, near
from ppo.runs.states import State, standing

DONE = 0
FOLLOW_SECONDS = 1.0
# Columns that need no config; any other is a dotted key of config.yaml.
COLUMNS = (
    "state", "env", "setting", "seed", "hash", "step", "score", "episodes", "seconds", "attempts", "host", "pid",
    "heartbeat", "error", "code", "commit", "folder",
)  # fmt: skip


def print_listing(options: argparse.Namespace) -> int:
    """Print the runs of a store that match every filter."""
    columns = options.columns.split(",")
    filters = dict(_filter(text) for text in options.filters)
    needs_config = any(key not in COLUMNS for key in [*columns, *filters])
    found = [describe(folder, needs_config) for folder in run_folders(Path(options.outputs))]
    _check([*columns, *filters], found)
    rows = [[shown(row.get(c)) for c in columns] for row in found if _matches(row, filters)]
    if options.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *rows])
        return DONE
    _print_aligned([columns, *rows])
    print(f"{len(rows)} runs under {options.outputs}")
    return DONE


def _print_aligned(rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def run_folders(outputs: Path) -> Iterator[Path]:
    """The run folders of a store, in order."""
    for env in sorted((outputs / "runs").glob("*")):
        for setting in sorted(env.glob("*")):
            yield from sorted(setting.glob("seed=*"), key=lambda p: (len(p.name), p.name))


def describe(folder: Path, with_config: bool = False) -> dict[str, Any]:
    """A run folder as columns."""
    seen = standing(folder)
    seed, _, run_hash = folder.name.removeprefix("seed=").partition("-")
    row: dict[str, Any] = {"env": folder.parent.parent.name, "setting": folder.parent.name, "seed": seed}
    row["hash"] = run_hash
    row |= {key: seen.status.get(key) for key in ("attempts", "host", "pid", "heartbeat")}
    row |= {key: seen.result.get(key) for key in ("score", "episodes", "seconds", "code", "commit")}
    row |= {"state": seen.state, "step": seen.step, "folder": folder}
    row["error"] = seen.status.get("error") if seen.state == State.FAILED else None
    return (_config(folder) | row) if with_config else row


def shown(value: Any) -> str:
    """A cell."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) and value < 1e6 else str(value)


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = yaml.load((folder / "config.yaml").read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError):
        return {}
    return dict(_leaves(content, "")) if isinstance(content, dict) else {}


def _leaves(values: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _filter(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{text!r} is not a filter: key=value is allowed, with * and ? in the value.")
    return key, value


def _matches(row: dict[str, Any], filters: dict[str, str]) -> bool:
    return all(any(fnmatchcase(shown(row.get(k)), p) for p in v.split(",")) for k, v in filters.items())


def _check(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """UserError for a column that no run has."""
    known = {*COLUMNS, *(key for row in rows for key in row)}
    for column in columns:
        if rows and column not in known:
            raise UserError(f"column {column} is unknown: {near(column, COLUMNS)}, and keys of config.yaml.")


def print_logs(options: argparse.Namespace, out: TextIO) -> int:
    """Print a run's log and traceback; with `follow`, go on printing what is added until it has ended."""
    folder = find(options.run, Path(options.outputs))
    offset = 0
    while True:
        offset = _print_from(folder / "log.txt", offset, out)
        state = standing(folder).state
        if not options.follow or state in (State.DONE, State.FAILED):
            break
        time.sleep(FOLLOW_SECONDS)
    _print_from(folder / "log.txt", offset, out)
    if state == State.FAILED:
        _print_from(folder / "traceback.txt", 0, out)
    return DONE


def find(run: str, outputs: Path) -> Path:
    """The folder of a run, by its path or by its hash or a part of its folder's name."""
    if (Path(run) / "config.yaml").exists():
        return Path(run)
    found = [folder for folder in run_folders(outputs) if run in folder.name]
    if len(found) != 1:
        some = ", ".join(folder.name for folder in found[:5]) or "none"
        raise UserError(f"run {run} is {len(found)} folders under {outputs} ({some}): one is needed.")
    return found[0]


def _print_from(path: Path, offset: int, out: TextIO) -> int:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except OSError:
        return offset
    out.write(content.decode(errors="replace"))
    out.flush()
    return offset + len(content)
