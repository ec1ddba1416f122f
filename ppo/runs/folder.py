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

import yaml

from ppo.config.files import dump
from ppo.config.flatten import flatten
from ppo.config.identity import essence, run_hash
from ppo.config.run import EXECUTION_KEYS, Config, to_config, to_mapping
from ppo.errors import Busy, UserError, one_line
from ppo.runs import checkpoints, locks
from ppo.runs.files import remove_leftovers, write_atomically, write_json
from ppo.runs.machine import scheduler_ids
from ppo.runs.provenance import code_hashes
from ppo.runs.results import CONFIG, EPISODES, UPDATES, described, examine, write_result
from ppo.runs.states import read_status
from ppo.runs.tables import append_rows, cut_to_whole_rows, formatted, start_table, sync

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
        self.episodes, self.updates = path / EPISODES, path / UPDATES
        self._artefacts: set[str] = set()
        self.update_columns = (*COMMON_COLUMNS[:-1], *config.algorithm.columns, COMMON_COLUMNS[-1])
        self._lock: io.TextIOWrapper | None = None
        self._beat = -math.inf  # when the last one was, by the monotonic clock
        self._status: dict[str, Any] = {}

    # -- opening and closing -------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any] | None:
        """The result of a finished run, verified, or None: a run is done only when this is on disk."""
        return examine(self.path).result

    def differing_keys(self) -> list[str]:
        """The keys in which the folder's run differs from ours; empty if it is ours or there is none yet."""
        where = self.path / "config.yaml"
        try:
            content = yaml.safe_load(where.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            raise UserError(f"{where} cannot be read ({one_line(error)}): fix or delete it.") from None
        ours, theirs = flatten(essence(self.config)), flatten(_essence_of(content))
        return sorted(k for k in ours | theirs if theirs.get(k, _ABSENT) != ours.get(k, _ABSENT))

    def check(self) -> None:
        """UserError if this run cannot be trained here: the folder has another run, or cannot be written."""
        if keys := self.differing_keys():
            shown = ", ".join(keys[:5]) + (", ..." if len(keys) > 5 else "")
            raise UserError(f"run folder {self.path} has a different config (in {shown}): name another run_dir.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(f"run folder {self.path} cannot be written: {error.strerror}.") from None

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
        remove_leftovers(self.path)
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

    def note(self, text: str) -> None:
        """Add a line to the run's log."""
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def keep_diff(self, diff: str) -> None:
        """Keep how the code differs from its commit, if it does."""
        if diff:
            write_atomically(self.path / "code.diff", diff.encode())

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _config_text(self) -> str:
        header = f"# Run {self.run}. To train it again: ppo --config config.yaml run_dir=NEW_FOLDER\n"
        return header + dump(to_mapping(self.config))

    # -- records -------------------------------------------------------------------------------------------------

    def start_records(self, sizes: Mapping[str, int]) -> None:
        """Cut the tables back to the sizes in bytes that the checkpoint recorded, or start them."""
        start_table(self.episodes, EPISODE_COLUMNS, sizes.get(self.episodes.name))
        start_table(self.updates, self.update_columns, sizes.get(self.updates.name))

    def append(self, episodes: Iterable[Episode], update: Mapping[str, Any]) -> None:
        """Add an iteration's completed episodes and its row of updates; NaN where a column has no value.

        TypeError for a column that the algorithm has not declared.
        """
        if undeclared := sorted(update.keys() - set(self.update_columns)):
            raise TypeError(f"{self.config.algorithm.name} returned {undeclared[0]}, which is none of its columns")
        append_rows(self.episodes, ((e.step, repr(e.ret), e.length) for e in episodes))
        append_rows(self.updates, [[formatted(update.get(column, math.nan)) for column in self.update_columns]])

    def keep_artefact(self, name: str, columns: Sequence[str], rows: Iterable[Iterable[float]]) -> None:
        """Keep a table of the algorithm's own as <name>.csv."""
        lines = [",".join(columns), *(",".join(map(repr, map(float, row))) for row in rows)]
        self._artefacts.add(f"{name}.csv")
        write_atomically(self.path / f"{name}.csv", ("\n".join(lines) + "\n").encode())

    def beat(self, step: int) -> None:
        """Record, every ten seconds at most, that the run is alive and how many steps it has taken."""
        self._status["step"] = step
        if time.monotonic() - self._beat > HEARTBEAT_SECONDS:
            self._write_status()

    def _write_status(self) -> None:
        self._beat = time.monotonic()
        write_json(self.path / "status.json", self._status | {"heartbeat": time.time()})

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write everything needed to go on with the same bits."""
        sizes = {path.name: sync(path) for path in (self.episodes, self.updates)}
        checkpoints.save(self.path, self.run, state, sizes)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole and this run's; a bad one is reported and set aside."""
        return checkpoints.load(self.path, self.run, self._warn)

    def _warn(self, text: str) -> None:
        self.note(text)
        log.warning("%s", text)

    # -- ends ----------------------------------------------------------------------------------------------------

    def finish(self, result: Mapping[str, Any]) -> None:
        """Mark the run as done; the result is written last."""
        for path in (self.episodes, self.updates):
            sync(path)
        self._status |= {"state": "done", "step": result["steps"]}
        write_result(self.path, {"run": self.run, **result, **described(self.path, self._artefacts)})
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

    def pause(self, step: int) -> None:
        """Mark the run as planned again: it was interrupted and resumes from where it stopped."""
        self._status |= {"state": "planned", "step": step}
        self._write_status()
        self.note(f"interrupted at step {step}: saved")
        self.close()


_ABSENT = object()


def _essence_of(content: Any) -> dict[str, Any]:
    """The identity of the run in a `config.yaml`; all that it says if it is not a run of this version."""
    try:
        return essence(to_config(content))
    except (UserError, TypeError, ValueError, AttributeError):
        return {k: v for k, v in content.items() if k not in EXECUTION_KEYS} if isinstance(content, dict) else {}


def fresh_sibling(path: Path) -> Path:
    """The first of `path`-2, `path`-3, ... that does not exist."""
    number = 2
    while (sibling := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return sibling
