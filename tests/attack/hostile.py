"""Hostile environments: one run in a pack of three has one, its mates must end with the bytes that they have alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
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
    "Numbers": done("changed NumPy's error handling"),
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
    "NaNAfterReset": failed("the first observation of the episode after step 100 is not finite"),
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
}
QUICK = tuple(EXPECTED)[2::5]  # a fifth of them


def attack(full: bool) -> Result:
    """Train every kind in a pack of three, all in one sweep; look at the culprit and at its mates."""
    kinds = tuple(EXPECTED) if full else QUICK
    assert set(EXPECTED) == set(KINDS)
    with tempfile.TemporaryDirectory() as name:
        broke = _attack(Path(name), kinds)
    return Result("hostile environments in packs of three", len(kinds), broke, "the mates have the bytes of alone")


def _attack(folder: Path, kinds: tuple[str, ...]) -> list[str]:
    alone, packed = (_declare(folder, name, ids) for name, ids in (("alone", ("Plain",)), ("hostile", kinds)))
    sweep(folder, "alone", "launcher.pack_size=1", HOSTILE="")
    culprits = {_kind(run): run for run in packed if run.config.seed == CULPRIT}
    hashes = ",".join(run.hash for run in culprits.values())
    output = sweep(folder, "hostile", "launcher.pack_size=3", HOSTILE=hashes, HOSTILE_STORE=str(folder / "hostile"))
    expected = {run.config.seed: _bytes(run) for run in alone}
    broke = []
    for kind in kinds:
        broke += [f"{kind}: {text}" for text in [_culprit(culprits[kind], EXPECTED[kind])] if text]
        mates = [run for run in packed if run.config.env == culprits[kind].config.env and run.config.seed in MATES]
        for run in mates:
            found, mate = standing(run.folder), f"{kind}: its mate of seed {run.config.seed}"
            if found.state != State.DONE:
                broke.append(f"{mate} is {found.state}: {found.status.get('error')}")
            elif _bytes(run) != expected[run.config.seed]:
                broke.append(f"{mate} has other bytes")
    if os.environ.get("ATTACK_OUTPUT"):
        print(output)
    return broke


def _kind(run: Run) -> str:
    return run.config.env.id.rpartition(":")[2].removesuffix("-v0")


def _bytes(run: Run) -> object:
    return next(iter(records(run.folder).values()), None)


def _culprit(run: Run, expected: Expected) -> str:
    """What is wrong with how the hostile run ended, if anything."""
    found, log = standing(run.folder), run.folder / "log.txt"
    text = str(found.status.get("error")) if expected.state == State.FAILED else log.read_text(errors="replace")
    if found.state != expected.state:
        return f"it is {found.state}, not {expected.state}: {found.status.get('error')}"
    return "" if expected.words in text else f"{expected.words!r} is not in {text[-300:]!r}"


def _declare(folder: Path, name: str, kinds: tuple[str, ...]) -> list[Run]:
    """Write a sweep file; its runs."""
    ids = [f"tests.attack._hostile_envs:{kind}-v0" for kind in kinds]
    content = {"grid": {"env": ["gymnasium"], "env.id": ids, "seed": [0, 1, 2]}}
    (folder / f"{name}.yaml").write_text(json.dumps(content))
    return sweep_runs(load(str(folder / f"{name}.yaml")), [*SHAPE, f"outputs={folder / name}"])


def sweep(folder: Path, name: str, *overrides: str, **variables: str) -> str:
    """Run a sweep in a process of its own; what it prints."""
    command = [sys.executable, "-m", "sweeps", "run", f"{name}.yaml", *SHAPE, f"outputs={folder / name}", *overrides]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **variables}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    return ended.stdout + ended.stderr
