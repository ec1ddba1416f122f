"""A sweep's own folder, `<outputs>/sweeps/<name>/`: the list of its runs, its driver, its packs, its jobs."""

from __future__ import annotations

import io
import os
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ppo.config.identity import short
from ppo.config.run import Config, to_config, to_mapping
from ppo.errors import UserError
from ppo.runs import locks
from ppo.runs.files import read_json, write_json
from ppo.runs.machine import process_lives
from ppo.runs.row import RunRow
from sweeps.planning.runs import Run

BEAT_SECONDS = 10.0  # between heartbeats of a driver, at least
SILENT_SECONDS = 120.0  # after which a driver on another machine is taken for dead


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

    def working_directory(self) -> Path:
        """Where its relative paths start from, and modules of the user's are."""
        try:
            return Path((read_json(self.path) or {})["working_directory"])
        except (LookupError, TypeError):
            raise UserError(f"{self.path} cannot be read as a pack.") from None

    def runs(self) -> list[tuple[Config, Path]]:
        """Its runs and their folders; to be called in the working directory."""
        try:
            content = (read_json(self.path) or {})["runs"]
            return [(to_config(run["config"]), Path(run["folder"])) for run in content]
        except (LookupError, TypeError):
            raise UserError(f"{self.path} cannot be read as a pack.") from None


class Home:
    """The folder of one sweep. Its driver holds the lock."""

    def __init__(self, outputs: Path, name: str) -> None:
        self.outputs, self.name, self.path = outputs, name, outputs / "sweeps" / name
        self._lock: io.TextIOWrapper | None = None
        self._driver: dict[str, Any] = {}  # ourselves, once open
        self._beat = 0.0

    def open(self) -> None:
        """Become the sweep's one driver; UserError if there is a live one, or the folder cannot be written.

        The lock decides on one machine; between machines, whose file system may have none, the heartbeat does too.
        """
        try:
            (self.path / "packs").mkdir(parents=True, exist_ok=True)
            self._lock = locks.acquire(self.path / ".lock")
        except OSError as error:
            raise UserError(f"outputs: {self.path} cannot be written or locked: {error.strerror}.") from None
        driver = self.driver()
        elsewhere = driver.get("host") != socket.gethostname()
        if self._lock is None or (driver and elsewhere):
            self._unlock()
            who = f"process {driver.get('pid')} on {driver.get('host')}"
            lost = f" (taken for lost when it has been silent for {SILENT_SECONDS:.0f} s)" if elsewhere else ""
            raise UserError(f"sweep {self.name} is already being run by {who}{lost}: wait for it or stop it.")
        self.cancel_request.unlink(missing_ok=True)
        self._driver = {"pid": os.getpid(), "host": socket.gethostname(), "started": time.time(), "command": sys.argv}
        try:
            self._write_driver()
        except OSError:
            self._unlock()
            raise

    def beat(self) -> None:
        """Record, every ten seconds at most, that the driver is alive; where that cannot be written, it goes on."""
        if time.monotonic() - self._beat > BEAT_SECONDS:
            with suppress(OSError):
                self._write_driver()

    def _write_driver(self) -> None:
        self._beat = time.monotonic()
        write_json(self.path / "driver.json", self._driver | {"heartbeat": time.time()})

    def close(self) -> None:
        """Let others drive."""
        if self._lock is not None:
            (self.path / "driver.json").unlink(missing_ok=True)
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def driver(self) -> dict[str, Any]:
        """The process that drives the sweep; empty if none does, as far as this machine can tell."""
        driver = read_json(self.path / "driver.json") or {}
        if driver.get("host") == socket.gethostname():
            return driver if process_lives(driver.get("pid")) else {}
        beat = driver.get("heartbeat")  # a clock that is ahead proves nothing: what counts is the distance
        heard = isinstance(beat, int | float) and abs(time.time() - beat) < SILENT_SECONDS
        return driver if heard else {}

    @property
    def cancel_request(self) -> Path:
        """A file whose presence asks the driver, wherever it runs, to save and stop."""
        return self.path / "cancel"

    def write_runs(self, rows: Sequence[RunRow]) -> None:
        """Record which runs make up the sweep, for tables."""
        write_json(self.path / "runs.json", {"sweep": self.name, "runs": [row.to_json() for row in rows]})

    def write_pack(self, runs: Sequence[Run]) -> PackFile:
        """Put a pack on disk under a new name."""
        folder = self.path / "packs"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{short(runs[0].hash)}-x{len(runs)}"
        path = folder / f"{stem}.json"
        number = 2
        while path.exists():
            path, number = folder / f"{stem}-{number}.json", number + 1
        entries = [{"folder": str(run.folder), "config": to_mapping(run.config)} for run in runs]
        write_json(path, {"working_directory": os.getcwd(), "runs": entries})
        return PackFile(path)

    # -- jobs of a scheduler -------------------------------------------------------------------------------------

    def jobs(self) -> dict[str, list[str]]:
        """Job id of the scheduler -> the runs (hashes) that it was submitted to train."""
        jobs = read_json(self.path / "jobs.json") or {}
        listed = {job: runs for job, runs in jobs.items() if isinstance(runs, list)}
        return {job: [run for run in runs if isinstance(run, str)] for job, runs in listed.items()}

    def add_jobs(self, jobs: dict[str, list[str]]) -> None:
        """Record submitted jobs."""
        write_json(self.path / "jobs.json", self.jobs() | jobs)


def homes(outputs: Path) -> list[Home]:
    """The sweeps that were ever run in a store."""
    return [Home(outputs, path.name) for path in sorted((outputs / "sweeps").glob("*")) if path.is_dir()]
