"""Hostile environments: one run in a pack of three has one, its mates must end with the bytes that they have alone."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ppo.runs.states import State, standing
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load
from tests.attack._hostile_envs import KINDS
from tests.attack.result import Result
from tests.sweeps.small import records

ROOT = Path(__file__).resolve().parents[2]
CULPRIT, MATES = 1, (0, 2)  # seeds
SHAPE = ["algorithm.horizon=128", "algorithm.epochs=1", "network.hidden=[8]", "total_steps=1024", "compile=false"]
SHAPE += ["step_seconds=2", "checkpoint_seconds=0"]


class Expected(NamedTuple):
    """What is to become of the hostile run."""

    state: State
    words: str  # in its reason, or in its log


def failed(words: str) -> Expected:
    return Expected(State.FAILED, words)


def done(words: str = "") -> Expected:
    return Expected(State.DONE, words)


EXPECTED = {
    "ExitZero": failed("sys.exit(0)"),
    "ExitText": failed("sys.exit('so long')"),
    "OsExitZero": failed("ended with status 0"),
    "OsExitTwo": failed("ended with status 2"),
    "OsExitThree": failed("ended with status 3"),
    "OsExitInterrupted": failed("ended with status 130"),
    "Kill": failed("SIGKILL"),
    "Segfault": failed("SIGSEGV"),
    "Abort": failed("SIGABRT"),
    "Interrupt": failed("KeyboardInterrupt"),
    "Cancelled": failed("CancelledError"),
    "OddText": failed("Bare"),
    "Mute": failed("Mute"),
    "HugeText": failed("ValueError"),
    "PrintsMuch": done("more output was dropped"),
    "Directory": done("changed the working directory"),
    "Variables": done("changed environment variables"),
    "Handlers": done("changed signal handlers"),
    "Generators": done(),
    "Numbers": failed("divide by zero"),  # what it asked for
    "Torch": done("changed settings of torch"),
    "Interpreter": done("changed settings of the interpreter"),
    "Alarm": done("changed an alarm"),
    "Sleeps": failed("more than 2 seconds"),
    "SleepsOn": failed("step_seconds"),
    "Blocked": failed("step_seconds"),
    "KeepsLock": failed("step_seconds"),
    "LeaksFiles": failed("Errno 24"),
    "LeaksSomeFiles": failed("Errno 24"),
    "LeaksMemory": done(),
    "Forks": done(),
    "ForksAndStays": done(),
    "Threads": done(),
    "ClosesStreams": done("changed standard streams"),
    "ClosesAll": done("changed standard streams"),
    "RemovesItsFolder": failed("again and again"),
    "OwnArray": done(),
    "NaNAtFirst": failed("observation that training starts from at step 0 is not finite"),
    "NaNLater": failed("the observation of step 100 is not finite"),
    "NaNAfterReset": failed("the first observation of the episode after step"),
    "NaNAtTheEnd": failed("the last observation of the episode that ended at step"),
    "Sentinel": failed("too large to be squared"),
    "WrongShape": failed("shape"),
    "WrongType": failed("observation"),
    "NoObservation": failed("observation"),
    "Rewarding": failed("the reward of step 100 is not finite"),
    "InfiniteReward": failed("the reward of step 100 is not finite"),
    "ArrayReward": failed("reward"),
    "TextReward": failed("reward"),
    "HugeReward": failed("every gradient step of iteration 1 was skipped"),
    "NeverOver": failed("None"),
    "RaisesAtTheEnd": done(),
    "CannotBeMade": failed("Bare"),
    "Traps": failed("Inexact"),  # what it asked for
    "Exponents": done("changed the context of decimal"),
    "Autocast": done("changed settings of torch"),
    "Inference": done("changed settings of torch"),
    "Anomaly": done("changed settings of torch"),
    "FunctionMode": done("changed settings of torch"),
    "DispatchMode": done("changed settings of torch"),
    "SavedHooks": done("changed settings of torch"),
    "Precision": done("changed settings of torch"),
    "Deterministic": done("changed settings of torch"),
    "Interop": done(),
    "Collected": done("changed callbacks of garbage collection"),
    "Profiling": done("changed an alarm"),
    "Errors": done("changed warning filters"),
}
ENDING = (  # kinds that end their process, or outlive its training: each pack has a process of its own
    "OsExitZero", "OsExitTwo", "OsExitThree", "OsExitInterrupted", "Kill", "Segfault", "Abort", "SleepsOn", "Blocked",
    "KeepsLock", "ForksAndStays", "Threads", "ClosesAll", "RemovesItsFolder", "LeaksFiles",
)  # fmt: skip
QUICK = ("OsExitZero", "Segfault", "Blocked", *(kind for kind in tuple(EXPECTED)[1::3] if kind not in ENDING))


def attack(full: bool) -> Result:
    """Train every kind in a pack of three; look at the culprit and at its mates."""
    kinds = tuple(EXPECTED) if full else QUICK
    assert set(EXPECTED) == set(KINDS)
    with tempfile.TemporaryDirectory() as name:
        broke = try_kinds(Path(name), kinds)
    return Result("hostile environments in packs of three", len(kinds), broke, "the mates have the bytes of alone")


def try_kinds(folder: Path, kinds: Sequence[str]) -> list[str]:
    """What broke, a line each."""
    alone = _declare(folder, "alone", ["Plain"])
    _start(folder, "alone", ["sweeps", "run"], ["launcher.pack_size=1"], HOSTILE="")
    expected = {run.config.seed: _bytes(run) for run in alone}
    broke = []
    for name, program in (("ending", ["sweeps", "run"]), ("staying", ["tests.attack._together"])):
        some = [kind for kind in kinds if (kind in ENDING) == (name == "ending")]
        runs = _declare(folder, name, some) if some else []
        if not runs:
            continue
        hashes = ",".join(run.hash for run in runs if run.config.seed == CULPRIT)
        rest = ["launcher.pack_size=3"] if name == "ending" else []
        _start(folder, name, program, rest, HOSTILE=hashes, HOSTILE_STORE=str(folder / name))
        broke += [text for run in runs if (text := _verdict(run, expected))]
    return broke


def _verdict(run: Run, expected: Mapping[int, object]) -> str:
    """What is wrong with how a run ended, if anything."""
    kind, found = _kind(run), standing(run.folder)
    if run.config.seed == CULPRIT:
        return _culprit(kind, run, EXPECTED[kind])
    mate = f"{kind}: its mate of seed {run.config.seed}"
    if found.state != State.DONE:
        return f"{mate} is {found.state}: {found.status.get('error')}"
    return "" if _bytes(run) == expected[run.config.seed] else f"{mate} has other bytes"


def _kind(run: Run) -> str:
    return run.config.env.id.rpartition(":")[2].removesuffix("-v0")


def _bytes(run: Run) -> object:
    return next(iter(records(run.folder).values()), None)


def _culprit(kind: str, run: Run, expected: Expected) -> str:
    found, log = standing(run.folder), run.folder / "log.txt"
    if found.state != expected.state:
        return f"{kind}: it is {found.state}, not {expected.state}: {found.status.get('error')}"
    text = str(found.status.get("error")) if expected.state == State.FAILED else log.read_text(errors="replace")
    return "" if expected.words in text else f"{kind}: {expected.words!r} is not in {text[-300:]!r}"


def _declare(folder: Path, name: str, kinds: Sequence[str]) -> list[Run]:
    """Write a sweep file; its runs."""
    ids = [f"tests.attack._hostile_envs:{kind}-v0" for kind in kinds]
    content = {"grid": {"env": ["gymnasium"], "env.id": ids, "seed": [*MATES, CULPRIT]}}
    (folder / f"{name}.yaml").write_text(json.dumps(content))
    return sweep_runs(load(str(folder / f"{name}.yaml")), [*SHAPE, f"outputs={folder / name}"])


def _start(folder: Path, name: str, program: Sequence[str], rest: Sequence[str], **variables: str) -> None:
    """Train a sweep's runs in other processes."""
    command = [sys.executable, "-m", *program, f"{name}.yaml", *SHAPE, f"outputs={folder / name}", *rest]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **variables}
    with (folder / f"{name}.log").open("wb") as log:
        files = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (512, 4096))
        subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=files
        )  # fmt: skip
