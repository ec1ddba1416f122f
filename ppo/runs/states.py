"""The state of a run, from its folder alone: its result, then its heartbeat, then its process.

What counts where files contradict one another or cannot be read:

- A `result.json` that fits its digest, its folder and the files that it names: done, whatever status.json says or is.
- A `result.json` that does not: damaged.
- No result: what status.json says. Single values of the wrong type are left out, and the run goes on without them; a
  status.json that is no mapping or names no state is damaged, since nobody knows what the run had come to.
- No result, and a `config.yaml` that is of another run than its folder or its status says: damaged.

Checkpoints and unfinished tables are verified by who resumes from them, not here. A damaged run has ended: it is shown,
never trained as if nothing were the matter, and on `retry` what is damaged is set aside.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs import results
from ppo.runs.files import read_json, sha256_of
from ppo.runs.finding import SEED_FOLDER
from ppo.runs.locks import is_locked
from ppo.runs.machine import process_lives

FRESH_SECONDS = 300.0  # a heartbeat this recent means alive: a compiling run may be silent for a minute or two
KINDS: dict[str, Any] = {  # of the values in status.json
    "state": str, "attempts": int, "host": str, "pid": int, "heartbeat": (int, float), "step": int, "total_steps": int,
    "error": str, "slurm": dict, "compiled": bool, "code": dict, "run": str, "config": str,
}  # fmt: skip


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
    DAMAGED = "damaged"  # something in its folder does not fit


TO_TRAIN = (State.NEW, State.PLANNED, State.LOST)
ENDED = (State.DONE, State.FAILED, State.DAMAGED)
TO_RETRY = (State.FAILED, State.UNKNOWN, State.DAMAGED)  # trained when asked for explicitly


class Standing(NamedTuple):
    """A run's state and what its folder says about it."""

    state: State
    status: Mapping[str, Any]  # of status.json; empty where there is none
    result: Mapping[str, Any]  # of result.json; empty unless the run is done
    damage: str = ""  # what does not fit, if the run is damaged: file and reason

    @property
    def error(self) -> str | None:
        """Why the run is not done, if it has failed, is damaged, or was paused for a reason."""
        return self.damage or (None if self.state == State.DONE else self.status.get("error"))

    @property
    def step(self) -> int:
        """Environment steps taken, as far as is recorded."""
        return int(self.result.get("steps") or self.status.get("step") or 0)

    @property
    def where(self) -> str:
        """The process that trains it, or did."""
        return f"process {self.status.get('pid')} on {self.status.get('host')}"


def standing(folder: Path, now: float | None = None) -> Standing:
    """The standing of the run in a folder, whose result and the files that it names are verified."""
    status, unreadable = _read_status(folder)
    found = results.examine(folder)
    if found.damage:
        return Standing(State.DAMAGED, status, {}, "; ".join(found.damage))
    if found.result is not None:
        return Standing(State.DONE, status, found.result)
    if damage := unreadable or foreign_config(folder, status):
        return Standing(State.DAMAGED, status, {}, damage)
    state = status.get("state")
    if state == "running":
        return Standing(_of_running(folder, status, now or time.time()), status, {})
    if state == "done":
        return Standing(State.LOST, status, {})
    return Standing(State(state) if state else State.NEW, status, {})


def read_status(folder: Path) -> dict[str, Any]:
    """`status.json` without values of the wrong type; empty where there is none."""
    return _read_status(folder)[0]


def _read_status(folder: Path) -> tuple[dict[str, Any], str]:
    """The usable values of `status.json`, and why it cannot be used if it is there and says no state."""
    path = folder / "status.json"
    content = read_json(path)
    if content is None:
        return {}, "status.json cannot be read" if os.path.lexists(path) else ""
    status = {k: value for k, value in content.items() if value is None or _fits(value, KINDS.get(k, object))}
    if status.get("state") not in tuple(State):
        return status, "status.json names no state"
    return status, ""


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a type, and a number of a size that can be."""
    return isinstance(value, kind) and (not isinstance(value, (int, float)) or abs(value) < 2**63)


def foreign_config(folder: Path, status: Mapping[str, Any]) -> str:
    """Why `config.yaml` cannot be that of the run in a folder; empty if it can be, or if there is none.

    Where its bytes are not those that status.json recorded, what counts is which run it describes.
    """
    path, recorded = folder / results.CONFIG, status.get("config")
    try:
        if sha256_of(path) == recorded:
            return ""
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror})"
    from ppo.runs.configs import read_config, run_of  # slower to load than what most readers need

    named = SEED_FOLDER.fullmatch(folder.name)
    expected = str(status.get("run") or (named[2] if named else ""))
    found = run_of(read_config(path))
    judged = found is not None or recorded  # else another version's, or of modules that are not loaded here
    fits = not judged or (found or "?").startswith(expected)
    return "" if fits else f"{path.name} is not that of run {expected[:12]}"


def _of_running(folder: Path, status: Mapping[str, Any], now: float) -> State:
    """Whether a run that is marked as running still is."""
    fresh = abs(now - float(status.get("heartbeat") or 0)) < FRESH_SECONDS  # a clock that is ahead proves nothing
    if status.get("host") != socket.gethostname():
        return State.RUNNING if fresh else State.UNKNOWN
    if not process_lives(status.get("pid")):
        return State.LOST
    # Another program may have the process's number by now: only who is silent is asked for its lock.
    return State.RUNNING if fresh or is_locked(folder / ".lock") else State.LOST
