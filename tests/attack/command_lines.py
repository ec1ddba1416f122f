"""Command lines generated from the schemas: impossible ones are one sentence, none ends in a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from hydra.core.global_hydra import GlobalHydra

import analysis.__main__
import ppo.__main__
import sweeps.__main__
from ppo.config import groups
from tests.attack._limit import limited
from tests.attack._lines import Line, lines, write_files
from tests.attack.result import Result

ROOT = Path(__file__).resolve().parents[2]
MAINS: dict[str, Callable[[Sequence[str]], int]] = {
    "ppo": ppo.__main__.main, "sweeps": sweeps.__main__.main, "analysis": analysis.__main__.main,
}  # fmt: skip
SECONDS = 60  # that a refusal may take at most


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    err: str
    crash: str = ""  # of an exception that nothing caught


def attack(full: bool) -> Result:
    """Refuse impossible command lines, in this process and in real ones."""
    here, real = (4800, 200) if full else (300, 5)
    broke: list[str] = []
    with tempfile.TemporaryDirectory() as name, _working_directory(Path(name) / "cwd") as cwd:
        files = Path(name) / "files"
        files.mkdir()
        write_files(files)
        found = lines(here + real, Random(13), files)
        for i, line in enumerate(found):
            before = set(cwd.rglob("*"))
            ended = run_process(line, cwd) if i < real else run_here(line)
            new = sorted(path.relative_to(cwd).as_posix() for path in set(cwd.rglob("*")) - before)
            if wrong := judge(line, ended, new):
                broke.append(f"{line}: {wrong}")
    refused = sum(line.refused for line in found)
    return Result("command lines from the schemas", len(found), broke, f"{refused} impossible, {real} as processes")


def judge(line: Line, ended: Ended, new: Sequence[str]) -> str:
    """What was wrong with the end of a command; nothing if all was right."""
    if ended.crash or "Traceback" in ended.err:
        return f"traceback: {(ended.crash or ended.err).strip().splitlines()[-1][:200]}"
    if new:
        return f"wrote {new[0]}"
    if line.refused and ended.status != 2:
        return f"exit status {ended.status}, not 2"
    if ended.status == 2 and len(ended.err.splitlines()) != 1:
        return f"{len(ended.err.splitlines())} lines on stderr: {ended.err[:200]!r}"
    if line.refused and line.names not in ended.err:
        return f"does not name {line.names}: {ended.err.strip()[:300]}"
    return "" if ended.status in (0, 1, 2) else f"exit status {ended.status}"


def run_here(line: Line) -> Ended:
    """The main function of a command, its streams captured."""
    out, err = io.StringIO(), io.StringIO()
    crash = ""
    with _guarded(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = int(MAINS[line.program](list(line.words)))
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 1
        except BaseException as error:
            status, crash = 1, "".join(traceback.format_exception_only(error)) or repr(error)
    return Ended(status, err.getvalue(), crash)


def run_process(line: Line, cwd: Path) -> Ended:
    """The same as a process of its own."""
    if any("\0" in word for word in line.words):
        return run_here(line)
    done = subprocess.run(
        [sys.executable, "-m", line.program, *line.words], capture_output=True, text=True, errors="replace",
        cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
        timeout=2 * SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Ended(done.returncode, done.stderr)


@contextlib.contextmanager
def _working_directory(path: Path) -> Iterator[Path]:
    path.mkdir()
    before = Path.cwd()
    os.chdir(path)
    try:
        yield path
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """While open, a command that hangs is interrupted; what it changes of this process is put back."""
    folders, modules_path, environment = list(groups._added), list(sys.path), dict(os.environ)
    try:
        with limited(SECONDS):
            yield
    finally:
        GlobalHydra.instance().clear()
        groups._added[:], sys.path[:] = folders, modules_path
        os.environ.clear()
        os.environ.update(environment)
