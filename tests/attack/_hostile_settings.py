"""What hostile environments do to settings of the process that their mates' numbers depend on."""

from __future__ import annotations

import decimal
import gc
import signal
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

kept: list[Any] = []


def once(act: Callable[[], Any]) -> Callable[[], None]:
    """Do something at the first call only."""

    def first() -> None:
        if not kept:
            kept.append(act())

    return first


def trap_inexact() -> None:
    decimal.getcontext().traps[decimal.Inexact] = True


def small_exponents() -> None:
    decimal.getcontext().Emin = -1
    decimal.getcontext().Emax = 0


def enter(manager: Callable[[], Any]) -> Callable[[], None]:
    def act() -> None:
        context = manager()
        context.__enter__()
        kept.append(context)

    return act


def call_back(phase: str, _: Any) -> None:
    np.random.random()
    torch.set_default_dtype(torch.float64)


class Doubled(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        return found * 2 if isinstance(found, torch.Tensor) and found.is_floating_point() else found


class DoubledBelow(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        return found * 2 if isinstance(found, torch.Tensor) and found.is_floating_point() else found


def low_precision() -> None:
    torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.enabled = False  # type: ignore[misc]


SETTINGS: dict[str, Callable[[], Any]] = {
    "Traps": trap_inexact,
    "Exponents": small_exponents,
    "Autocast": enter(lambda: torch.autocast("cpu", torch.bfloat16)),
    "Inference": enter(torch.inference_mode),
    "Anomaly": enter(torch.autograd.detect_anomaly),
    "FunctionMode": enter(Doubled),
    "DispatchMode": enter(DoubledBelow),
    "SavedHooks": enter(lambda: torch.autograd.graph.saved_tensors_hooks(lambda x: x * 2, lambda x: x)),
    "Precision": low_precision,
    "Collected": lambda: gc.callbacks.append(call_back),
    "Profiling": lambda: signal.setitimer(signal.ITIMER_PROF, 0.05),
    "Interop": once(lambda: torch.set_num_interop_threads(1)),
    "Deterministic": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "Errors": lambda: warnings.simplefilter("error"),
}
