"""A run folder, the contract between training and everything that reads it (DESIGN: "A run folder is the contract")."""

from __future__ import annotations

import csv
import fcntl
import io
import logging
import os
import socket
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ppo.config.identity import essence, run_hash
from ppo.config.run import EXECUTION_KEYS, Config, to_config, to_mapping
from ppo.errors import Busy, UserError
from ppo.runs.files import read_json, write_atomically, write_json
from ppo.runs.provenance import scheduler_ids

if TYPE_CHECKING:
    from ppo.collect import Episode

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
EPISODE_COLUMNS = ("step", "return", "length")
UPDATE_COLUMNS = (
    "iteration", "step", "episodes", "score", "objective", "value_loss", "entropy", "kl", "clip_fraction",
    "explained_variance", "grad_norm", "skipped", "beta", "epsilon", "lr", "steps_per_second",
)  # fmt: skip
INTERPOLATION_COLUMNS = ("scale", "kl", "cpi", "clipped", "clip")
FORMAT = 1  # of checkpoints


class RunFolder:
    """The files of one run, and the only writer of them while it is open."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path, self.config = path, config
        self.episodes, self.updates = path / "episodes.csv", path / "updates.csv"
        self._lock: io.TextIOWrapper | None = None
        self._beat = 0.0
        self._status: dict[str, Any] = {}

    # -- opening and closing -------------------------------------------------------------------------------------

    @property
    def result(self) -> dict[str, Any] | None:
        """What a finished run came to, or None: a run is done only when this is on disk."""
        return read_json(self.path / "result.json")

    @property
    def differing_keys(self) -> list[str]:
        """The keys in which the folder's run is another one than ours; empty if it is ours or there is none yet."""
        try:
            held = yaml.safe_load((self.path / "config.yaml").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            where = self.path / "config.yaml"
            raise UserError(f"{where} cannot be read ({_one_line(error)}): mend or remove it.") from None
        ours, theirs = _flat(essence(self.config)), _flat(_essence_of(held))
        return sorted(
            k for k in ours | theirs if k not in EXECUTION_KEYS and theirs.get(k, _ABSENT) != ours.get(k, _ABSENT)
        )

    def check(self) -> None:
        """UserError where this run cannot be trained here: another run's folder, or one that cannot be written."""
        if keys := self.differing_keys:
            shown = "differing in " + ", ".join(keys[:5]) + (", ..." if len(keys) > 5 else "")
            raise UserError(f"run folder {self.path} holds a different config ({shown}): name another run_dir.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(f"run folder {self.path} cannot be written: {error.strerror}.") from None

    def open(self) -> None:
        """Become the folder's one writer and mark the run as running; Busy if somebody else is."""
        self._lock = (self.path / ".lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                raise UserError(f"run folder {self.path} cannot be locked: {error.strerror}.") from None
            held = read_json(self.path / "status.json") or {}
            who = f"process {held.get('pid')} on {held.get('host')}"
            raise Busy(f"run folder {self.path} is written by {who}: wait or name another run_dir.") from None
        attempts = int((read_json(self.path / "status.json") or {}).get("attempts", 0)) + 1
        write_atomically(self.path / "config.yaml", self._config_text().encode())
        self._status = {"state": "running", "attempts": attempts, "host": socket.gethostname(), "pid": os.getpid()}
        self._status |= {"step": 0, "total_steps": self.config.total_steps, "error": None, "slurm": scheduler_ids()}
        self._write_status()
        self.note(f"attempt {attempts}, process {os.getpid()} on {socket.gethostname()}")

    def note(self, text: str) -> None:
        """Add a line to the run's log."""
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def keep_diff(self, diff: str) -> None:
        """Keep what the code differs in from its commit, if it does."""
        if diff:
            write_atomically(self.path / "code.diff", diff.encode())

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _config_text(self) -> str:
        command = "python -m ppo --config config.yaml run_dir=NEW_FOLDER"
        return f"# Run {run_hash(self.config)}. To train it again: {command}\n" + yaml.safe_dump(
            to_mapping(self.config), sort_keys=False
        )

    # -- records -------------------------------------------------------------------------------------------------

    def start_records(self, sizes: dict[str, int]) -> None:
        """Cut the tables back to what the checkpoint knows of (`sizes` in bytes), or start them."""
        for path, columns in ((self.episodes, EPISODE_COLUMNS), (self.updates, UPDATE_COLUMNS)):
            if path.name in sizes:
                os.truncate(path, sizes[path.name])
            else:
                write_atomically(path, (",".join(columns) + "\n").encode())

    def append(self, episodes: Iterable[Episode], update: dict[str, Any]) -> None:
        """Add an iteration's completed episodes and its row of updates."""
        _append(self.episodes, ((e.step, repr(e.ret), e.length) for e in episodes))
        _append(self.updates, [[_shown(update[c]) for c in UPDATE_COLUMNS]])

    def keep_interpolation(self, rows: Iterable[Iterable[float]]) -> None:
        """Keep the surrogates along the line of the first update."""
        lines = [",".join(INTERPOLATION_COLUMNS), *(",".join(map(repr, map(float, row))) for row in rows)]
        write_atomically(self.path / "interpolation.csv", ("\n".join(lines) + "\n").encode())

    def beat(self, step: int) -> None:
        """Tell, every ten seconds at most, that the run is alive and how far it is."""
        self._status["step"] = step
        if time.time() - self._beat > HEARTBEAT_SECONDS:
            self._write_status()

    def _write_status(self) -> None:
        self._beat = time.time()
        write_json(self.path / "status.json", self._status | {"heartbeat": self._beat})

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write everything needed to go on with the same bits; the last good checkpoint is kept beside it."""
        import torch  # takes a second to load, and who only looks at run folders needs none of it

        sizes = {path.name: _sync(path) for path in (self.episodes, self.updates)}
        buffer = io.BytesIO()
        torch.save(state | {"format": FORMAT, "run": run_hash(self.config), "sizes": sizes}, buffer)
        path = self.path / "checkpoint.pt"
        if path.exists():
            path.replace(self.path / "checkpoint.old.pt")
        write_atomically(path, buffer.getvalue())

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole and this run's; a bad one is said and set aside."""
        import torch

        for path in (self.path / "checkpoint.pt", self.path / "checkpoint.old.pt"):
            if not path.exists():
                continue
            try:
                state: dict[str, Any] = torch.load(path, weights_only=True)
                self._accept(state)
            except Exception as error:  # torch.load raises whatever a broken file makes it raise
                aside = path.with_name(f"{path.name}.bad")
                path.replace(aside)
                text = f"{path} cannot be used ({_one_line(error)}): set aside as {aside.name}"
                self.note(text)
                log.warning("%s", text)
                continue
            return state
        return None

    def _accept(self, state: Any) -> None:
        """ValueError unless `state` is a checkpoint of this run whose records are still there."""
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ValueError("it is no checkpoint of this version")
        if state.get("run") != run_hash(self.config):
            raise ValueError(f"it belongs to run {state.get('run')}")
        for name, size in state["sizes"].items():
            if not (self.path / name).exists() or (self.path / name).stat().st_size < size:
                raise ValueError(f"{name} is shorter than it was")

    # -- ends ----------------------------------------------------------------------------------------------------

    def finish(self, result: dict[str, Any]) -> None:
        """Mark the run as done; the result is written last."""
        for path in (self.episodes, self.updates):
            _sync(path)
        self._status |= {"state": "done", "step": result["steps"]}
        write_json(self.path / "result.json", result)
        self._write_status()
        self.note(f"done at step {result['steps']}, score {result['score']}")
        self.close()

    def fail(self, error: BaseException, step: int) -> None:
        """Mark the run as failed, with its reason and traceback; what was complete stays readable."""
        reason = _one_line(error)
        self._status |= {"state": "failed", "step": step, "error": reason}
        try:
            for path in (self.episodes, self.updates):
                _cut_to_whole_rows(path)
            self._write_status()
            lines = "".join(traceback.format_exception(error))
            write_atomically(self.path / "traceback.txt", lines.encode())
            self.note(f"failed at step {step}: {reason}")
        except OSError as second:
            log.error("%s: could not write down that the run failed (%s)", self.path, _one_line(second))
        self.close()

    def pause(self, step: int) -> None:
        """Mark the run as planned again: it was interrupted and goes on where it stopped."""
        self._status |= {"state": "planned", "step": step}
        self._write_status()
        self.note(f"interrupted at step {step}: saved")
        self.close()


_ABSENT = object()


def _essence_of(held: Any) -> dict[str, Any]:
    """What run a `config.yaml` holds; all it says where it is no run of today's."""
    try:
        return essence(to_config(held))
    except (UserError, TypeError, ValueError):
        return held if isinstance(held, dict) else {}


def fresh_sibling(path: Path) -> Path:
    """The first of `path`-2, `path`-3, ... that does not exist."""
    number = 2
    while (sibling := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return sibling


def _append(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with path.open("ab") as file:
        file.write(text.getvalue().encode())


def _sync(path: Path) -> int:
    """Force a file to disk; returns its size in bytes."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_size


def _cut_to_whole_rows(path: Path) -> None:
    """Drop what follows the last end of line: a full disk may have taken part of a row."""
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


def _shown(value: Any) -> str:
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _flat(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return flat


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
