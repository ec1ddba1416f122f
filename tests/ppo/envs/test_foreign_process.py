"""What environments change in the process is put back: its state, its limits and its files."""

from __future__ import annotations

import decimal
import gc
import locale
import logging
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ppo.envs.foreign import Foreign, ForeignError
from ppo.envs.process import ProcessState, set_handler


def block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def round_up() -> None:
    import ctypes

    ctypes.CDLL(None).fesetround(0x800)


def denormals() -> None:
    torch.set_flush_denormal(True)


def forget() -> None:
    sys.setrecursionlimit(sys.getrecursionlimit() - 10)


def trace() -> None:
    sys.settrace(lambda *_: None)


def precision() -> None:
    decimal.getcontext().prec = 3


def context() -> None:
    decimal.setcontext(decimal.Context(prec=4))


def traps() -> None:
    decimal.getcontext().traps[decimal.Inexact] = True


def exponents() -> None:
    decimal.getcontext().Emax = 0


entered: list[Any] = []


def entering(make: Callable[[], Any]) -> Callable[[], None]:
    """Enter a mode, and never leave it."""

    def act() -> None:
        entered.append(make())
        entered[-1].__enter__()

    return act


class Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    def __torch_function__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


def zone() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def numbers() -> None:
    np.seterr(all="raise")


CHANGES: dict[str, tuple[Callable[[], Any], str]] = {
    "directory": (lambda: os.chdir("/"), "working directory"),
    "numpy": (numbers, "NumPy"),
    "rounding": (round_up, "rounding"),
    "denormals": (denormals, "rounding"),
    "locale": (lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C"),
               "locale"),
    "blocked": (block, "blocked signals"),
    "alarm": (lambda: signal.alarm(100), "alarm"),
    "handler": (lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN), "signal handlers"),
    "ignored interrupts": (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN), "signal handlers"),
    "mask": (lambda: os.umask(0o777), "mask"),
    "garbage": (gc.disable, "garbage collection"),
    "dtype": (lambda: torch.set_default_dtype(torch.float64), "torch"),
    "threads": (lambda: torch.set_num_threads(torch.get_num_threads() + 1), "torch"),
    "gradients": (lambda: torch.set_grad_enabled(False), "torch"),
    "device": (lambda: torch.set_default_device("meta"), "torch"),
    "deterministic": (lambda: torch.use_deterministic_algorithms(True), "torch"),
    "autocast": (entering(lambda: torch.autocast("cpu", torch.bfloat16)), "torch"),
    "inference": (entering(torch.inference_mode), "torch"),
    "anomalies": (lambda: torch.autograd.set_detect_anomaly(True), "torch"),
    "dispatch mode": (entering(Dispatched), "torch"),
    "function mode": (entering(Called), "torch"),
    "saved tensors": (entering(lambda: saved_tensors_hooks(lambda x: x * 2, lambda x: x)), "torch"),
    "products": (lambda: torch.set_float32_matmul_precision("medium"), "torch"),
    "variables": (lambda: os.environ.update(ODD_NAME="1"), "environment variables"),
    "no variables": (os.environ.clear, "environment variables"),
    "time zone": (zone, "environment variables"),
    "recursion": (forget, "interpreter"),
    "trace": (trace, "interpreter"),
    "filters": (lambda: warnings.simplefilter("error"), "warning filters"),
    "reset filters": (warnings.resetwarnings, "warning filters"),
    "logging": (lambda: logging.disable(logging.CRITICAL), "logging"),
    "precision": (precision, "decimal"),
    "context": (context, "decimal"),
    "traps": (traps, "decimal"),
    "exponents": (exponents, "decimal"),
    "thresholds": (lambda: gc.set_threshold(1), "garbage collection"),
    "callbacks": (lambda: gc.callbacks.append(lambda *_: None), "callbacks"),
    "profiling": (lambda: signal.setitimer(signal.ITIMER_PROF, 100), "alarm"),
    "stdin": (lambda: os.close(0), "standard streams"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "kind"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_changed_is_put_back_and_noted_once(
    guard: Foreign, change: Callable[[], Any], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    guard.refresh()
    before = ProcessState()
    for _ in range(2):
        guard.call(1, change)
        assert not before.differs()
    assert guard.take_notes(0) == []
    assert sum(kind in line for line in guard.take_notes(1)) == 1
    assert guard.take_notes(1) == []


def test_what_was_changed_before_an_exception_is_put_back_too(guard: Foreign) -> None:
    def act() -> None:
        np.seterr(all="raise")
        raise ValueError("own")

    before = np.geterr()
    with pytest.raises(ValueError, match="own"):
        guard.call(0, act)
    assert np.geterr() == before
    assert "NumPy" in guard.take_notes(0)[0]


def test_what_cannot_be_put_back_fails_the_lane_that_changed_it(
    guard: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)

    def act() -> None:
        os.chdir("/")
        place.rmdir()

    with pytest.raises(ForeignError, match="working directory, which cannot be undone"):
        guard.call(0, act)
    monkeypatch.undo()


def test_a_handler_that_our_own_code_sets_meanwhile_stays(guard: Foreign) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def ours(*_: object) -> None:
        pass

    try:
        guard.call(0, set_handler, signal.SIGTERM, ours)
        assert signal.getsignal(signal.SIGTERM) is ours
        guard.call(0, signal.signal, signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) is ours
        assert len(guard.take_notes(0)) == 1
    finally:
        set_handler(signal.SIGTERM, before)


def test_a_deeper_recursion_limit_is_left_to_who_needs_it(guard: Foreign) -> None:
    before = sys.getrecursionlimit()
    try:
        guard.call(0, sys.setrecursionlimit, before + 1000)
        assert sys.getrecursionlimit() == before + 1000
        assert guard.take_notes(0) == []
    finally:
        sys.setrecursionlimit(before)


def test_limits_of_the_process_are_put_back_before_the_next_rollout(guard: Foreign) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE), os.sched_getaffinity(0)

    def act() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[0][1]))
        os.sched_setaffinity(0, [min(before[1])])

    guard.call(0, act)
    guard.refresh()
    assert (resource.getrlimit(resource.RLIMIT_FSIZE), os.sched_getaffinity(0)) == before
    assert [len(guard.take_notes(lane)) for lane in range(3)] == [1, 1, 1]


LEAKING = """
import os, resource, sys
import numpy as np
from ppo.console import StderrHandler
from ppo.envs.foreign import Foreign

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
guard, kept = Foreign(np.zeros(4, np.uint32)), []
def leak(count):
    for _ in range(count):
        kept.append(open(os.devnull))
failed = []
for step in range(100):
    for lane, count in [(0, int(step == 3)), (1, {count}), (2, 0)]:
        if lane not in failed:
            try:
                guard.call(lane, leak, count)
            except OSError as error:
                failed.append(lane)
                print(lane, step, error)
ours = [open(os.devnull) for _ in range(32)]
"""


@pytest.mark.parametrize(("count", "step"), [(5, 24), (1000, 0)], ids=["by and by", "at once"])
def test_who_keeps_too_many_files_open_fails_and_leaves_some_to_others(count: int, step: int) -> None:
    command = [sys.executable, "-c", LEAKING.replace("{count}", str(count))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"1 {step} [Errno 24]")
    assert len(ended.stdout.splitlines()) == 1
