"""Environments of one task, each hostile in its own way, in the runs that $HOSTILE names by hash only; others behave.

The task notices what its mates could have changed: its rewards depend on the global generators, the working directory,
the environment's variables, NumPy's and decimal's settings.
"""

from __future__ import annotations

import asyncio
import ctypes
import decimal
import gc
import itertools
import locale
import os
import random
import shutil
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

from tests.attack._hostile_settings import SETTINGS

WHEN = 100  # step of an environment at which it turns hostile
EPISODE = 20
kept: list[Any] = []  # what leaks


def hostile() -> str | None:
    """The hash of the run that is being worked for, if it is to be hostile: the guard's marker names it."""
    frame = sys._getframe()
    while frame is not None:
        marker = getattr(frame.f_locals.get("self"), "_marker", None)
        if marker is not None and marker[0]:
            found = f"{marker[marker[0]]:08x}"
            return next((run for run in os.environ.get("HOSTILE", "").split(",") if run[:8] == found), None)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def sense() -> float:
    """Numbers that are the same in every run unless a mate has changed the process."""
    seen = float(decimal.Decimal(1) / 3) + np.random.random() + random.random() + float(torch.rand(()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen += float(np.isinf(np.float64(1) / np.zeros(1)[0]))  # raises under np.seterr(all="raise")
    seen += len(os.environ.get("PATH", "")) + os.path.exists("hostile.yaml") + torch.ones(1).element_size()
    return seen + (1.0 + 2.0**-54 > 1.0)


class Task(gymnasium.Env[Any, Any]):
    """A walk to and fro, for 20 steps at most."""

    observation_space, action_space = Box(-np.inf, np.inf, (2,), np.float64), Discrete(2)

    def __init__(self) -> None:
        self.total, self.run = 0, hostile()

    @property
    def due(self) -> bool:
        return self.run is not None and self.total >= WHEN

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self.time, self.x = 0, float(self.np_random.normal())
        return self.look(), {}

    def look(self) -> Any:
        return np.array([self.x, self.time / EPISODE])

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        self.total += 1
        self.time += 1
        self.x += 0.2 * (int(action) - 0.5) + 0.1 * float(self.np_random.normal())
        if self.due:
            self.act()
        over = abs(self.x) > 2
        return self.look(), 0.01 * sense() - abs(self.x), over, self.time >= EPISODE, {}

    def act(self) -> None:
        """Be hostile."""


class Bare(BaseException):
    """No Exception."""


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def segfault() -> None:
    ctypes.string_at(0)


def print_much() -> None:
    print("x" * 20_000_000)


def ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def seed_generators() -> None:
    np.random.seed(0)
    random.seed(0)
    torch.manual_seed(0)


def change_torch() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)


def change_numbers() -> None:
    np.seterr(all="raise")
    decimal.getcontext().prec = 2
    ctypes.CDLL(None).fesetround(0x800)


def change_interpreter() -> None:
    sys.setrecursionlimit(len_of_stack() + 30)
    gc.freeze()
    gc.disable()
    sys.settrace(lambda *_: None)


def len_of_stack() -> int:
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1  # type: ignore[assignment]
    return depth


def block_and_sleep() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    sleep = ctypes.CDLL(None).sleep
    while True:
        sleep(5)


def sleep_on() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(60)


def keep_interpreter() -> None:
    """Never let go of the interpreter's lock."""
    deque(itertools.repeat(None), maxlen=0)


def leak_files() -> None:
    kept.extend(open(os.devnull) for _ in range(2000))  # noqa: SIM115


def leak_some_files() -> None:
    kept.extend(open(os.devnull) for _ in range(20))  # noqa: SIM115


def leak_memory() -> None:
    if len(kept) < 30:
        kept.append(bytearray(10_000_000))


def fork() -> None:
    if not kept:
        kept.append(os.fork())


def fork_and_stay() -> None:
    if not kept:
        kept.append(os.fork())
        if kept[0] == 0:
            time.sleep(20)
            os._exit(0)


def start_thread() -> None:
    if not kept:
        kept.append(threading.Thread(target=time.sleep, args=(600,)))
        kept[0].start()


def close_streams() -> None:
    sys.__stdout__.close()  # type: ignore[union-attr]
    os.close(2)


def change_files() -> None:
    os.umask(0o777)
    os.chdir("/")


def change_variables() -> None:
    os.environ.clear()
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    warnings.simplefilter("error")


class RemovesItsFolder(Task):
    def act(self) -> None:
        for place in Path(os.environ["HOSTILE_STORE"]).glob(f"runs/*/*/*{(self.run or '?')[:12]}"):
            shutil.rmtree(place)


class OwnArray(Task):
    """Returns one array all the time, and changes it later."""

    def look(self) -> Any:
        if self.run is None:
            return super().look()
        self.own = getattr(self, "own", np.zeros(2))
        self.own[:] = super().look()
        return self.own


class Observing(Task):
    """Returns something else in place of an observation."""

    value: Any = None
    first = False

    def look(self) -> Any:
        wrong = self.due and (self.time == 0) == self.first
        return self.value if wrong else super().look()


class NaNAtFirst(Observing):
    value, first = np.array([np.nan, 0.0]), True

    @property
    def due(self) -> bool:
        return self.run is not None


class NaNLater(Observing):
    value = np.array([0.0, np.nan])


class NaNAfterReset(Observing):
    value, first = np.array([np.nan, 0.0]), True


class Sentinel(Observing):
    value = np.array([1e308, 0.0])


class WrongShape(Observing):
    value = np.zeros(1)


class WrongType(Observing):
    value = np.array(["a", "b"])


class NoObservation(Observing):
    value = None


class NaNAtTheEnd(Task):
    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        obs, reward, over, cut, info = super().step(action)
        return (obs * np.nan if self.due and (over or cut) else obs), reward, over, cut, info


class Rewarding(Task):
    value: Any = np.nan

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        obs, reward, over, cut, info = super().step(action)
        return obs, (self.value if self.due else reward), over, cut, info


class InfiniteReward(Rewarding):
    value = np.inf


class ArrayReward(Rewarding):
    value = np.ones(2)


class TextReward(Rewarding):
    value = "1.0"


class HugeReward(Rewarding):
    value = 1e30


class NeverOver(Task):
    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        obs, reward, over, cut, info = super().step(action)
        return obs, reward, (None if self.due else over), cut, info


class RaisesAtTheEnd(Task):
    def close(self) -> None:
        if self.run:
            raise Bare("close")

    def __del__(self) -> None:
        if self.run:
            raise Bare("del")


class CannotBeMade(Task):
    def __init__(self) -> None:
        super().__init__()
        if self.run:
            raise Bare("no")


ACTS: dict[str, Callable[[], Any]] = {
    "ExitZero": lambda: sys.exit(0),
    "ExitText": lambda: sys.exit("so long"),
    "OsExitZero": lambda: os._exit(0),
    "OsExitTwo": lambda: os._exit(2),
    "OsExitThree": lambda: os._exit(3),
    "OsExitInterrupted": lambda: os._exit(130),
    "Kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "Segfault": segfault,
    "Abort": os.abort,
    "Interrupt": raising(KeyboardInterrupt()),
    "Cancelled": raising(asyncio.CancelledError()),
    "OddText": raising(Bare("\udcff\udcfe")),
    "Mute": raising(Mute()),
    "HugeText": raising(ValueError("x" * 10_000_000)),
    "PrintsMuch": print_much,
    "Directory": change_files,
    "Variables": change_variables,
    "Handlers": ignore_signals,
    "Generators": seed_generators,
    "Numbers": change_numbers,
    "Torch": change_torch,
    "Interpreter": change_interpreter,
    "Alarm": lambda: signal.alarm(1),
    "Sleeps": lambda: time.sleep(3600),
    "SleepsOn": sleep_on,
    "Blocked": block_and_sleep,
    "KeepsLock": keep_interpreter,
    "LeaksFiles": leak_files,
    "LeaksSomeFiles": leak_some_files,
    "LeaksMemory": leak_memory,
    "Forks": fork,
    "ForksAndStays": fork_and_stay,
    "Threads": start_thread,
    "ClosesStreams": close_streams,
    "ClosesAll": lambda: os.closerange(0, 4096),
}
CLASSES = (
    RemovesItsFolder, OwnArray, NaNAtFirst, NaNLater, NaNAfterReset, NaNAtTheEnd, Sentinel, WrongShape, WrongType,
    NoObservation, Rewarding, InfiniteReward, ArrayReward, TextReward, HugeReward, NeverOver, RaisesAtTheEnd,
    CannotBeMade,
)  # fmt: skip
ALL_ACTS = ACTS | SETTINGS
KINDS: dict[str, type[Task]] = {
    **{name: type(name, (Task,), {"act": staticmethod(act), "__module__": __name__}) for name, act in ALL_ACTS.items()},
    **{kind.__name__: kind for kind in CLASSES},
}
for _name, _kind in {"Plain": Task, **KINDS}.items():
    gymnasium.register(f"{_name}-v0", _kind)  # type: ignore[arg-type]
