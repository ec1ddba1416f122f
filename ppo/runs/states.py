"""How a run stands, from its folder alone: result, then heartbeat, then its process; unknown is not dead."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs.files import read_json

FRESH_SECONDS = 300.0  # a heartbeat this young means alive: compiling may keep a run silent for a minute or two


class State(StrEnum):
    """What is known of a run."""

    NEW = "new"  # nothing of it was trained
    PLANNED = "planned"  # interrupted, and saved
    QUEUED = "queued"  # a scheduler has it
    RUNNING = "running"
    LOST = "lost"  # its process is gone; it goes on from its checkpoint
    UNKNOWN = "unknown"  # silent, on a machine that cannot be asked from here
    DONE = "done"
    FAILED = "failed"
    PRUNED = "pruned"


TO_TRAIN = (State.NEW, State.PLANNED, State.LOST)


class Standing(NamedTuple):
    """A run's state and what its folder says of it."""

    state: State
    status: Mapping[str, Any]  # of status.json; empty where there is none
    result: Mapping[str, Any]  # of result.json; empty unless it is done

    @property
    def step(self) -> int:
        """Environment steps taken, as far as is written down."""
        return int(self.result.get("steps") or self.status.get("step") or 0)

    @property
    def where(self) -> str:
        """Who trains it, or did."""
        return f"process {self.status.get('pid')} on {self.status.get('host')}"


def standing(folder: Path, now: float | None = None) -> Standing:
    """How the run in a folder stands. It is done only if its result can be read, whatever its status says."""
    status = _sound(read_json(folder / "status.json") or {})
    state = status.get("state")
    if state in (None, "done", "running") and (result := read_json(folder / "result.json")):
        return Standing(State.DONE, status, result)  # "running": killed between writing the result and saying so
    if state == "running":
        return Standing(_of_running(folder, status, now or time.time()), status, {})
    if state == "done":
        return Standing(State.LOST, status, {})
    return Standing(State(state) if state in tuple(State) else State.NEW, status, {})


def _sound(status: Mapping[str, Any]) -> dict[str, Any]:
    """What a status says, less what is not of the kind that it should be: anybody may have written the file."""
    kinds: dict[str, Any] = {"heartbeat": (int, float), "step": int, "pid": int, "slurm": dict, "state": str}
    return {key: value for key, value in status.items() if isinstance(value, kinds.get(key, object))}


def _of_running(folder: Path, status: Mapping[str, Any], now: float) -> State:
    """Whether a run that was marked as running still is."""
    fresh = now - float(status.get("heartbeat") or 0) < FRESH_SECONDS
    if status.get("host") != socket.gethostname():
        return State.RUNNING if fresh else State.UNKNOWN
    if not process_lives(status.get("pid")):
        return State.LOST
    return State.RUNNING if fresh or _locked(folder) else State.LOST  # another program may have its number by now


def _locked(folder: Path) -> bool:
    """Whether a writer holds the folder. Only for silent ones: for an instant this keeps a new writer out."""
    try:
        with (folder / ".lock").open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def process_lives(pid: Any) -> bool:
    """Whether a process of this machine is there and no zombie."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    try:  # a killed child that nobody waited for yet is still listed
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True
