"""The state of a run, from its folder alone: its result, then its heartbeat, then its process."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs.files import read_json
from ppo.runs.locks import is_locked
from ppo.runs.machine import process_lives

FRESH_SECONDS = 300.0  # a heartbeat this recent means alive: a compiling run may be silent for a minute or two
KINDS: dict[str, Any] = {  # of the values in status.json
    "state": str, "attempts": int, "host": str, "pid": int, "heartbeat": (int, float), "step": int, "total_steps": int,
    "error": str, "slurm": dict, "compiled": bool, "code": dict,
}  # fmt: skip

RESULT_KINDS: dict[str, Any] = dict.fromkeys(("score", "seconds"), (int, float)) | dict.fromkeys(
    ("seed", "episodes", "steps", "pack_size"), int) | dict.fromkeys(
    ("run", "env", "suite", "algorithm", "surrogate", "setting", "setting_hash", "commit"), str) | dict.fromkeys(
    ("compiled", "mixed_modes"), bool) | {"code": (dict, str), "versions": dict}  # fmt: skip


class State(StrEnum):
    """The state of a run, as far as its folder and its scheduler say."""

    NEW = "new"  # never trained
    PLANNED = "planned"  # interrupted and saved
    QUEUED = "queued"  # submitted to a scheduler
    RUNNING = "running"
    LOST = "lost"  # its process has ended without a word; it resumes from its checkpoint
    UNKNOWN = "unknown"  # silent, on another machine: it may be alive
    DONE = "done"
    FAILED = "failed"


TO_TRAIN = (State.NEW, State.PLANNED, State.LOST)
ENDED = (State.DONE, State.FAILED)


class Standing(NamedTuple):
    """A run's state and what its folder says about it."""

    state: State
    status: Mapping[str, Any]  # of status.json; empty where there is none
    result: Mapping[str, Any]  # of result.json; empty unless the run is done

    @property
    def step(self) -> int:
        """Environment steps taken, as far as is recorded."""
        return int(self.result.get("steps") or self.status.get("step") or 0)

    @property
    def where(self) -> str:
        """The process that trains it, or did."""
        return f"process {self.status.get('pid')} on {self.status.get('host')}"


def standing(folder: Path, now: float | None = None) -> Standing:
    """The standing of the run in a folder. It is done only if its result can be read, whatever its status says."""
    status = read_status(folder)
    state = status.get("state")
    if state in (None, "done", "running") and (result := read_result(folder)):
        return Standing(State.DONE, status, result)  # "running": killed after writing the result, before the status
    if state == "running":
        return Standing(_of_running(folder, status, now or time.time()), status, {})
    if state == "done":
        return Standing(State.LOST, status, {})
    return Standing(State(state) if state in tuple(State) else State.NEW, status, {})


def read_result(folder: Path) -> dict[str, Any] | None:
    """`result.json`; None where there is none, or something else in its place."""
    result = read_json(folder / "result.json")
    return result if result is not None and is_result(result) else None


def is_result(values: Mapping[str, Any]) -> bool:
    """Whether the values that a result has are of the right types, and finite."""
    present = {key: kind for key, kind in RESULT_KINDS.items() if values.get(key) is not None}
    finite = all(math.isfinite(value) for value in map(values.get, present) if isinstance(value, float))
    return finite and all(isinstance(values[key], kind) for key, kind in present.items())


def read_status(folder: Path) -> dict[str, Any]:
    """`status.json` without values of the wrong type; empty where there is none."""
    status = read_json(folder / "status.json") or {}
    return {key: value for key, value in status.items() if value is None or isinstance(value, KINDS.get(key, object))}


def _of_running(folder: Path, status: Mapping[str, Any], now: float) -> State:
    """Whether a run that is marked as running still is."""
    fresh = abs(now - float(status.get("heartbeat") or 0)) < FRESH_SECONDS  # a clock that is ahead proves nothing
    if status.get("host") != socket.gethostname():
        return State.RUNNING if fresh else State.UNKNOWN
    if not process_lives(status.get("pid")):
        return State.LOST
    # Another program may have the process's number by now: only who is silent is asked for its lock.
    return State.RUNNING if fresh or is_locked(folder / ".lock") else State.LOST
