"""A sweep's own folder, `<outputs>/sweeps/<name>/`: who drives it, its packs, its jobs. Runs live elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ppo.config.identity import run_hash, setting_name
from ppo.config.run import Config, to_config, to_mapping
from ppo.errors import UserError
from ppo.runs.files import read_json, write_json
from ppo.runs.states import process_lives
from sweeps.planning.runs import Run


class PackFile(NamedTuple):
    """A pack on disk: what a worker is given."""

    path: Path  # <id>.json

    @property
    def log(self) -> Path:
        """What its worker prints."""
        return self.path.with_suffix(".log")

    @property
    def marker(self) -> Path:
        """Which run its worker is working for (`ppo.runs.marker`)."""
        return self.path.with_suffix(".marker")

    def read(self) -> list[Config]:
        """Its runs; also goes to the folder that their relative paths start from."""
        content = read_json(self.path)
        if content is None:
            raise UserError(f"{self.path} cannot be read as a pack.")
        os.chdir(content["folder"])
        return [to_config(values) for values in content["runs"]]


class Home:
    """The folder of one sweep. Whoever drives the sweep holds its lock."""

    def __init__(self, outputs: Path, name: str) -> None:
        self.name, self.path = name, outputs / "sweeps" / name
        self._lock: io.TextIOWrapper | None = None

    def open(self) -> None:
        """Become the sweep's one driver; UserError if there is a live one, or the folder cannot be written."""
        try:
            (self.path / "packs").mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise UserError(f"outputs: {self.path} cannot be written: {error.strerror}.") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            self._lock = None
            if not isinstance(error, BlockingIOError):
                raise UserError(f"outputs: {self.path} cannot be locked: {error.strerror}.") from None
            held = self.driver
            who = f"process {held.get('pid')} on {held.get('host')}"
            raise UserError(f"sweep {self.name} is already being run by {who}: wait for it or stop it.") from None
        self.cancel_request.unlink(missing_ok=True)
        driver = {"pid": os.getpid(), "host": socket.gethostname(), "started": time.time(), "command": sys.argv}
        write_json(self.path / "driver.json", driver)

    def close(self) -> None:
        """Let others drive."""
        if self._lock is not None:
            (self.path / "driver.json").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    @property
    def driver(self) -> dict[str, Any]:
        """Who drives the sweep; empty if nobody does, as far as can be known from here."""
        held = read_json(self.path / "driver.json") or {}
        gone = held.get("host") == socket.gethostname() and not process_lives(held.get("pid"))
        return {} if gone else held

    @property
    def cancel_request(self) -> Path:
        """A file whose presence asks the driver, wherever it runs, to save and stop."""
        return self.path / "cancel"

    def write_runs(self, runs: Sequence[Run]) -> None:
        """Write down which runs make up the sweep, for whoever makes tables of it; folders are inside the store."""
        listed = [
            {
                "label": run.label,
                "env": run.config.env.id,
                "setting": setting_name(run.config),
                "seed": run.config.seed,
                "hash": run.hash,
                "folder": str(run.folder.relative_to(run.config.execution.outputs)),
                "goal": run.config.goal,
            }
            for run in runs
        ]
        write_json(self.path / "runs.json", {"sweep": self.name, "runs": listed})

    def write_pack(self, configs: Sequence[Config]) -> PackFile:
        """Put a pack on disk under a new name."""
        folder = self.path / "packs"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{run_hash(configs[0])}-x{len(configs)}"
        path = folder / f"{stem}.json"
        number = 2
        while path.exists():
            path, number = folder / f"{stem}-{number}.json", number + 1
        write_json(path, {"folder": os.getcwd(), "runs": [to_mapping(c) for c in configs]})
        return PackFile(path)

    # -- jobs of a scheduler -------------------------------------------------------------------------------------

    def jobs(self) -> dict[str, list[str]]:
        """Scheduler's job id -> the runs (hashes) that it was submitted to train."""
        return read_json(self.path / "jobs.json") or {}

    def add_jobs(self, jobs: dict[str, list[str]]) -> None:
        """Remember submitted jobs."""
        write_json(self.path / "jobs.json", self.jobs() | jobs)


def homes(outputs: Path) -> list[Home]:
    """The sweeps that were ever run in a store."""
    return [Home(outputs, path.name) for path in sorted((outputs / "sweeps").glob("*")) if path.is_dir()]
