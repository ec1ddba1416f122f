"""A run folder: the contract between training and everything that reads it."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppo.config.files import dump
from ppo.config.identity import run_hash, short
from ppo.config.run import Config, to_mapping
from ppo.errors import Busy, UserError, one_line
from ppo.runs import checkpoints, locks
from ppo.runs.configs import differing_keys, differs
from ppo.runs.files import (
    append,
    copy_aside,
    is_full,
    probe,
    remove_leftovers,
    set_aside,
    sha256_of,
    write_atomically,
    write_json,
)
from ppo.runs.finding import SEED_FOLDER
from ppo.runs.machine import scheduler_ids
from ppo.runs.provenance import code_hashes
from ppo.runs.results import CONFIG, EPISODES, RESULT, UPDATES, examine, write_result
from ppo.runs.states import read_status, standing
from ppo.runs.tables import Table, cut_to_whole_rows, formatted

if TYPE_CHECKING:
    from ppo.data import Episode

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
EPISODE_COLUMNS = ("step", "return", "length")
COMMON_COLUMNS = ("iteration", "step", "episodes", "score", "steps_per_second")  # of updates.csv, of all algorithms


class RunFolder:
    """The files of one run, and the only writer of them while it is open."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path, self.config, self.run = path, config, run_hash(config)
        self.update_columns = (*COMMON_COLUMNS[:-1], *config.algorithm.columns, COMMON_COLUMNS[-1])
        self._episodes = Table(path / EPISODES, EPISODE_COLUMNS)
        self._updates = Table(path / UPDATES, self.update_columns)
        self.episodes, self.updates = self._episodes.path, self._updates.path
        self._artefacts: dict[str, str] = {}  # name -> content
        self._others: dict[str, str] = {}  # name -> sha256, of files that are written at the end
        self.damage: list[str] = []  # what was found and set aside, one sentence each
        self._lock: io.TextIOWrapper | None = None
        self._beat = -math.inf  # when the last one was, by the monotonic clock
        self._status: dict[str, Any] = {}

    # -- opening and closing -------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        """Environment steps taken, as last recorded."""
        return int(self._status.get("step") or 0)

    def result(self) -> dict[str, Any] | None:
        """The result of a finished run, verified, or None: a run is done only when this is on disk."""
        result = examine(self.path).result
        return result if result and result["run"] == self.run else None

    def check(self) -> None:
        """UserError if this run cannot be trained here: the folder has another run, or cannot be written.

        A config that does not fit in a folder which is known to be this run's is damage, to be set aside.
        """
        if not self._is_ours() and (keys := differing_keys(self.path / CONFIG, self.config)):
            shown = ", ".join(keys[:5]) + (", ..." if len(keys) > 5 else "")
            raise UserError(f"run folder {self.path} has a different config (in {shown}): name another run_dir.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe(self.path)
        except OSError as error:
            if is_full(error):
                raise
            raise UserError(f"run folder {self.path} cannot be written: {error.strerror}.") from None

    def _is_ours(self) -> bool:
        """Whether the folder's name or its status says that it is this run's."""
        named = SEED_FOLDER.fullmatch(self.path.name)
        return bool(named and named[2] == short(self.run)) or read_status(self.path).get("run") == self.run

    def open(self, *, compiled: bool | None = None) -> None:
        """Become the folder's one writer and mark the run as running; Busy if another process is.

        `compiled`: the mode of this attempt, if it is known; else that of the last one stays on record.
        """
        try:
            self._lock = locks.acquire(self.path / ".lock")
        except OSError as error:
            raise UserError(f"run folder {self.path} cannot be locked: {error.strerror}.") from None
        before = read_status(self.path)
        if self._lock is None:
            who = f"process {before.get('pid')} on {before.get('host')}"
            raise Busy(f"run folder {self.path} is in use by {who}: wait or name another run_dir.")
        self._status = before  # until all of ours is known: a full disk may stop us before
        remove_leftovers(self.path)
        self._set_damage_aside()
        attempts = int(before.get("attempts") or 0) + 1
        config = self._config_text().encode()
        write_atomically(self.path / CONFIG, config)
        self._status = {"state": "running", "attempts": attempts, "host": socket.gethostname(), "pid": os.getpid()}
        self._status |= {"step": 0, "total_steps": self.config.total_steps, "error": None, "slurm": scheduler_ids()}
        self._status["code"] = code_hashes(self.config)
        self._status |= {"run": self.run, "config": hashlib.sha256(config).hexdigest()}
        self._status["compiled"] = before.get("compiled") if compiled is None else compiled
        self._write_status()
        self.note(f"attempt {attempts}, process {os.getpid()} on {socket.gethostname()}")
        for text in self.damage:
            self.warn(text)

    def _set_damage_aside(self) -> None:
        """Rename what does not fit, and a result with it; tables are left to who goes on from a checkpoint."""
        reasons = standing(self.path).damage.split("; ")
        names = {reason.partition(" ")[0] for reason in reasons} & {p.name for p in self.path.iterdir()}
        if reasons != [""]:
            self.damage += reasons
            names |= {RESULT} & {p.name for p in self.path.iterdir()}
        if differs(self.path / CONFIG, self.config):
            names.add(CONFIG)
        for name in sorted(names - {EPISODES, UPDATES}):
            self.damage.append(f"{name} set aside as {set_aside(self.path / name).name}")

    def note(self, text: str) -> None:
        """Add a line to the run's log."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n"
        append(self.path / "log.txt", line.encode(errors="replace"))

    def warn(self, text: str) -> None:
        """Add a line to the run's log, and show it."""
        self.note(text)
        log.warning("%s: %s", self.path, text)

    def keep_diff(self, diff: str) -> None:
        """Keep how the code differs from its commit, if it does."""
        if diff:
            write_atomically(self.path / "code.diff", diff.encode())

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            locks.release(self._lock, self.path / ".lock")
            self._lock = None

    def _config_text(self) -> str:
        header = f"# Run {self.run}. To train it again: ppo --config config.yaml run_dir=NEW_FOLDER\n"
        return header + dump(to_mapping(self.config))

    # -- records -------------------------------------------------------------------------------------------------

    def restore(self) -> dict[str, Any] | None:
        """Put tables and artefacts where the newest checkpoint that fits says, and return its state; else start them.

        What is damaged is set aside, said, and listed in `damage`; nothing is deleted.
        """
        found = checkpoints.load(self.path, self.run)
        texts = list(found.damage)
        for table in (self._episodes, self._updates):
            damaged = found.tables_damaged or any(text.startswith(table.path.name) for text in self.damage)
            if os.path.lexists(table.path) and (damaged or (found.state is None and texts + self.damage)):
                aside = set_aside(table.path) if found.state is None else copy_aside(table.path)
                texts.append(f"{table.path.name} kept as {aside.name}")
            if found.state is None:
                table.start()
            else:
                table.cut(found.tables[table.path.name])
        if found.state is None and texts + self.damage:
            texts.append("starts again from step 0")
        for text in texts:
            self.warn(text)
        self.damage += texts
        for name, content in (found.state or {}).get("artefacts", {}).items():
            self._keep(name, content)
        return found.state

    def append(self, episodes: Iterable[Episode], update: Mapping[str, Any]) -> None:
        """Add an iteration's completed episodes and its row of updates; NaN where a column has no value.

        TypeError for a column that the algorithm has not declared.
        """
        if undeclared := sorted(update.keys() - set(self.update_columns)):
            raise TypeError(f"{self.config.algorithm.name} returned {undeclared[0]}, which is none of its columns")
        self._episodes.append((e.step, repr(e.ret), e.length) for e in episodes)
        self._updates.append([[formatted(update.get(column, math.nan)) for column in self.update_columns]])

    def keep_artefact(self, name: str, columns: Sequence[str], rows: Iterable[Iterable[float]]) -> None:
        """Keep a table of the algorithm's own as <name>.csv."""
        lines = [",".join(columns), *(",".join(map(repr, map(float, row))) for row in rows)]
        self._keep(f"{name}.csv", "\n".join(lines) + "\n")

    def _keep(self, name: str, content: str) -> None:
        write_atomically(self.path / name, content.encode())
        self._artefacts[name] = content

    def include(self, name: str) -> None:
        """Let the result name a file that was written at the end of the run."""
        self._others[name] = sha256_of(self.path / name)

    def beat(self, step: int) -> None:
        """Record, every ten seconds at most, that the run is alive and how many steps it has taken."""
        self._status["step"] = step
        if time.monotonic() - self._beat > HEARTBEAT_SECONDS:
            self._keep_lock()
            self._write_status()

    def _keep_lock(self) -> None:
        """Lock the folder again if an environment has closed our files; OSError if another process was faster."""
        where = self.path / ".lock"
        if self._lock is not None and not locks.holds(self._lock, where):
            locks.release(self._lock, where)
            self._lock = locks.acquire(where)
            if self._lock is None:
                raise OSError(f"{self.path} has been taken by another process")

    def _write_status(self) -> None:
        self._beat = time.monotonic()
        write_json(self.path / "status.json", self._status | {"heartbeat": time.time()})

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write everything needed to go on with the same bits."""
        tables = {table.path.name: table.sync() for table in (self._episodes, self._updates)}
        checkpoints.save(self.path, self.run, {**state, "artefacts": dict(self._artefacts)}, tables)

    # -- ends ----------------------------------------------------------------------------------------------------

    def finish(self, result: Mapping[str, Any]) -> None:
        """Mark the run as done; the result is written last. ValueError unless it is that of the whole run."""
        tables = {table.path.name: (table.rows, table.sync()) for table in (self._episodes, self._updates)}
        rows = {name: count for name, (count, _) in tables.items()}
        if result["steps"] < self.config.goal or result["episodes"] != rows[EPISODES]:
            raise ValueError(f"{result['steps']} steps and {result['episodes']} episodes do not fit the rows: {rows}")
        digests = {CONFIG: self._status["config"]} | {name: mark.sha256 for name, (_, mark) in tables.items()}
        digests |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self._artefacts.items()}
        self._status |= {"state": "done", "step": result["steps"]}
        write_result(self.path, {**result, "run": self.run, "rows": rows, "sha256": digests | self._others})
        self._write_status()
        self.note(f"done at step {result['steps']}, score {result['score']}")
        self.close()

    def fail(self, error: BaseException, step: int) -> None:
        """Mark the run as failed, with its reason and traceback; what was complete stays readable."""
        reason = one_line(error)
        self._status |= {"state": "failed", "step": step, "error": reason}
        lines = "".join(traceback.format_exception(error))
        records: list[Callable[[], None]] = [
            self._write_status,
            lambda: write_atomically(self.path / "traceback.txt", lines.encode(errors="replace")),
            lambda: self.note(f"failed at step {step}: {reason}"),
            *(partial(cut_to_whole_rows, path) for path in (self.episodes, self.updates)),
        ]
        for record in records:  # one that cannot be written does not keep the others from being written
            try:
                record()
            except OSError as second:
                log.error("%s: could not record all about the failure (%s)", self.path, one_line(second))
        self.close()

    def pause(self, step: int, reason: str | None = None) -> None:
        """Mark the run as planned again: it was interrupted, or there was a reason, and resumes from its checkpoint.

        With a reason nothing is raised: on a full disk what can be written is, and the rest stays as it was.
        """
        self._status |= {"state": "planned", "step": step, "error": reason}
        text = "interrupted" if reason is None else reason
        records: list[Callable[[], None]] = [
            *(partial(cut_to_whole_rows, path) for path in (self.episodes, self.updates) if reason),
            self._write_status,
            lambda: self.note(f"{text} at step {step}" + (": saved" if reason is None else "")),
        ]
        for record in records:
            try:
                record()
            except OSError:
                if reason is None:
                    raise
        self.close()
