"""When and how functions of a pack are compiled. It depends on a run's config alone, never on its pack (law 1)."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import torch

from ppo.config.run import Config
from ppo.errors import invalid
from ppo.learning import compilers

log = logging.getLogger(__name__)

WORTH_COMPILING = 10_000  # minibatch steps; below, a cold compiler takes longer than it saves
OPTIONS: dict[str, Any] = {"realize_opcount_threshold": 10}  # a tanh is stored, not computed again by every consumer


def wants_compile(config: Config) -> bool:
    """Whether a run's update is to be compiled: as asked for, or for long runs; never without a C++ compiler."""
    wanted = config.execution.compile
    if config.network.mapped == "loop":
        if wanted is True:
            raise invalid("compile", True, f"auto or false with network {config.network.name}, which is never compiled")
        return False
    if wanted == "auto":
        wanted = config.algorithm.batch.gradient_steps * config.iterations >= WORTH_COMPILING
    return bool(wanted) and has_compiler()


@lru_cache
def has_compiler() -> bool:
    """Whether torch.compile finds a C++ compiler; says so, once, if not."""
    found = any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)
    if not found:
        log.warning("no C++ compiler found (g++, clang++ or $CXX): going on without compiling, which is slower")
    return found


def compiled(function: Callable[..., Any], enabled: bool) -> Callable[..., Any]:
    """`function`, fused by torch.compile if enabled."""
    if not enabled:
        return function
    compilers.shield()
    return torch.compile(function, dynamic=False, options=OPTIONS)


def unguarded(enabled: bool) -> AbstractContextManager[object]:
    """While open, compiled functions run without checking again that their arguments are of the kinds compiled for.

    For repeated calls with the same kinds of arguments: the check is about a tenth of a minibatch step.
    """
    return torch.compiler.set_stance("default", skip_guard_eval_unsafe=True) if enabled else nullcontext()
