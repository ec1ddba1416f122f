"""Trainings killed at random moments of their lives, resumed, and compared with ones that nothing disturbed.

SIGKILL at uniformly random moments, from the first import on; `checkpoint_seconds=0` makes every iteration write a
checkpoint, and runs are so small that about half of a life goes into writing.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ppo.learning.compilers import with_descendants
from ppo.runs.machine import process_lives
from tests.attack.result import Result

TINY = ["env=inverted_pendulum", "algorithm.horizon=64", "compile=false", "checkpoint_seconds=0"]
PPO = [*TINY, "algorithm.epochs=1", "total_steps=2560"]
A2C = ["algorithm=a2c", *TINY, "algorithm.num_actors=1", "algorithm.updates=1", "total_steps=2560"]
COMPILED = [*PPO, "compile=true", "total_steps=512"]
MOST_LIVES = 200  # of one training: more means that it does not get on
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MOST_BROKEN = 5  # trainings of one way, after which it is given up


class Process(NamedTuple):
    """A training in progress."""

    pids: Callable[[], list[int]]  # to be killed, one after the other
    wait: Callable[[], int]  # its exit status


class Way(NamedTuple):
    """A way to start the same training, again and again."""

    name: str
    kills: int
    start: Callable[[Path, Path], Process]  # in a store, with a folder for compiled code
    fresh_cache: bool = False  # compile from nothing, in every other life


class Lives(NamedTuple):
    """What became of a training that was killed until it got to its end."""

    kills: int
    broke: list[str]


def attack(full: bool) -> Result:
    """Kill until each way has had its number of kills; each time that bytes differ is told."""
    kills, broke, moments = 0, [], random.Random(13)
    with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as place, nursery() as ask:
        for way in ways(ask, Path(place), full):
            done, wrong = torment(way, Path(place) / way.name, moments)
            kills += done
            broke += wrong
    return Result("SIGKILL at random moments, then resumed", kills, broke)


def ways(ask: Callable[[dict[str, Any]], int], place: Path, full: bool) -> list[Way]:
    """The ways in which trainings are started, and how often each is killed."""
    runs = {"ppo": [PPO], "a2c": [A2C]}
    runs |= {f"{name}-pack": [[*run, f"seed={seed}"] for seed in range(3)] for name, (run,) in runs.items()}
    forked = [Way(f"forked-{name}", 35 if full else 1, partial(fork, ask, packed)) for name, packed in runs.items()]
    if not full:
        return [*forked, Way("fresh-ppo", 1, partial(fresh, [*command("ppo"), *PPO])), sweep(1, place)]
    return [
        *forked,
        Way("fresh-ppo", 20, partial(fresh, [*command("ppo"), *PPO])),
        Way("fresh-a2c", 12, partial(fresh, [*command("ppo"), *A2C])),
        sweep(16, place),
        Way("compiled", 12, partial(fresh, [*command("ppo"), *COMPILED]), fresh_cache=True),
    ]


def sweep(kills: int, place: Path) -> Way:
    """A sweep of three settings in two packs, one at a time."""
    file = place / "three.yaml"
    settings = {name: [f"surrogate={name}"] for name in ("clip", "none", "kl_fixed")}
    file.write_text(json.dumps({"grid": {"seed": [0]}, "settings": settings}))
    launcher = ["launcher.workers=1", "launcher.pack_size=2"]
    return Way("sweep", kills, partial(fresh, [*command("sweeps"), "run", str(file), *PPO, *launcher]))


# -- one training ------------------------------------------------------------------------------------------------------


def torment(way: Way, place: Path, moments: random.Random) -> Lives:
    """Train once undisturbed, then again and again with kills, each time to the end."""
    place.mkdir()
    began = time.monotonic()
    process = way.start(place / "undisturbed", place / "cache")
    with taken_along(process):
        status = process.wait()
    length, expected = time.monotonic() - began, records(place / "undisturbed")
    if status or not expected:
        return Lives(1, [f"{way.name}: undisturbed, it ends with status {status}: {tail(place / 'undisturbed')}"])
    kills, broke, number = 0, [], 0
    while kills < way.kills:
        number += 1
        store = place / f"store-{number}"
        done, wrong = until_done(way, store, moments, length, way.kills - kills)
        kills += done
        broke += [f"{way.name}, training {number}: {what}" for what in wrong]
        if not wrong and records(store) != expected:
            broke.append(f"{way.name}, training {number}: other bytes after {done} kills")
        if number > MOST_LIVES or len(broke) >= MOST_BROKEN:
            return Lives(kills, [*broke, f"{way.name}: given up after {number} trainings and {kills} kills"])
        shutil.rmtree(store)
    return Lives(kills, broke)


def until_done(way: Way, store: Path, moments: random.Random, length: float, most: int) -> Lives:
    """Start a training until it ends by itself, killing it at random moments, `most` times at most."""
    kills, finished, cache = 0, dict[str, Any](), store.parent / "cache"
    for life in range(MOST_LIVES):
        if way.fresh_cache and life % 2 == 0:  # every other life finds what a killed compiler has left
            shutil.rmtree(cache, ignore_errors=True)
        process = way.start(store, cache)
        with taken_along(process):
            hit = kills < most and kill(process, moments.uniform(0.0, length), moments)
            status = process.wait()
        kills += hit
        again = [name for name, mark in finished.items() if marks(store).get(name) != mark]
        if again:
            return Lives(kills, [f"trained again: {', '.join(again)}"])
        finished = marks(store)
        if status == 0:
            return Lives(kills, [])
        if status != -signal.SIGKILL:
            return Lives(kills, [f"ended with status {status}: {tail(store)}"])
    return Lives(kills, [f"not done after {MOST_LIVES} lives"])


@contextmanager
def taken_along(process: Process) -> Iterator[None]:
    """While open, a training is killed if we are interrupted ourselves."""
    try:
        yield
    except BaseException:
        kill(process, 0.0, None)
        raise


def kill(process: Process, moment: float, moments: random.Random | None) -> bool:
    """Kill a training after so many seconds: all of it, or by chance a part of its processes; whether it lived."""
    time.sleep(moment)
    pids = process.pids()
    hit = False
    for pid in moments.choice((pids, pids[:1], pids[1:] or pids)) if moments else pids:
        with suppress(ProcessLookupError):
            hit = hit or process_lives(pid)
            os.kill(pid, signal.SIGKILL)
    return hit


def records(store: Path) -> dict[str, tuple[bytes, list[bytes]]]:
    """Folder of every finished run -> its episodes, and its updates without the column of speeds."""
    found = {}
    for path in sorted(store.rglob("result.json")):
        updates = (path.parent / "updates.csv").read_bytes().splitlines()
        episodes = (path.parent / "episodes.csv").read_bytes()
        found[str(path.parent.relative_to(store))] = (episodes, [row.rpartition(b",")[0] for row in updates])
    return found


def marks(store: Path) -> dict[str, Any]:
    """Folder of every finished run -> when it was finished, and in which attempt."""
    found = {}
    for path in store.rglob("result.json"):
        attempts = json.loads((path.parent / "status.json").read_text(encoding="utf-8"))["attempts"]
        found[str(path.parent)] = (path.stat().st_mtime_ns, attempts)
    return found


def tail(store: Path) -> str:
    """The last line that a training printed."""
    lines = log_of(store).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"


def log_of(store: Path) -> Path:
    """Where a training prints."""
    store.mkdir(exist_ok=True)
    return store / "log"


# -- starting ----------------------------------------------------------------------------------------------------------


def command(module: str) -> list[str]:
    """How one of our commands is started."""
    return [sys.executable, "-m", module]


def fresh(words: list[str], store: Path, cache: Path) -> Process:
    """A command in a process of its own, compilers and workers being its descendants."""
    environment = os.environ | ENVIRONMENT | {"TORCHINDUCTOR_CACHE_DIR": str(cache)}
    with log_of(store).open("ab") as log:
        process = subprocess.Popen(
            [*words, f"outputs={store}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    return Process(lambda: with_descendants([process.pid]), process.wait)


def fork(ask: Callable[[dict[str, Any]], int], runs: list[list[str]], store: Path, _cache: Path) -> Process:
    """A pack in a process forked from the nursery."""
    packed = [[*run, f"outputs={store}"] for run in runs]
    pid = ask({"start": {"runs": packed, "log": str(log_of(store))}})
    return Process(lambda: [pid], lambda: ask({"wait": pid}))


@contextmanager
def nursery() -> Iterator[Callable[[dict[str, Any]], int]]:
    """While open, a process that forks trainings; it is asked with a mapping and answers with a number."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.attack._nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ENVIRONMENT,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    question, answers = process.stdin, process.stdout

    def ask(request: dict[str, Any]) -> int:
        question.write(json.dumps(request) + "\n")
        question.flush()
        return int(answers.readline())

    try:
        yield ask
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # and whom it has forked
        process.wait()
