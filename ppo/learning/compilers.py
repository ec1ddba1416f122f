"""The C++ compilers that torch.compile starts: signals for us do not reach them, and none outlives us.

Ctrl-C in a terminal goes to every process in the foreground, and SLURM signals every process of a job. A compiler that
dies of it fails the run, which only asked to be saved; a probe of the processor that does would change the code.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakSet

HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
STARTERS = ("cpp_builder", "cpu_vec_isa", "compile_worker.subproc_pool")  # modules of inductor that start processes

_running: WeakSet[Any] = WeakSet()
_killed: list[bool] = []  # not empty: none may start


@lru_cache
def shield() -> None:
    """From now on, start inductor's processes with the signals that ask us to stop held back."""
    module = _own_subprocess()
    for name in STARTERS:
        with suppress(ImportError):
            starter = importlib.import_module(f"torch._inductor.{name}")
            if getattr(starter, "subprocess", None) is subprocess:
                vars(starter)["subprocess"] = module


def allow() -> None:
    """Let compilers start, should they have been killed before."""
    _killed.clear()


def kill() -> None:
    """Kill the compilers that run, with the processes that they have started, and let no other one start."""
    _killed.append(True)
    running = [process.pid for process in list(_running) if process.returncode is None]
    for pid in with_descendants(running):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _own_subprocess() -> ModuleType:
    """A copy of the module `subprocess` whose processes are ours to shield and to kill."""
    found = importlib.util.find_spec("subprocess")
    assert found is not None
    assert found.loader is not None
    module: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    for name in ("SubprocessError", "CalledProcessError", "TimeoutExpired"):
        setattr(module, name, getattr(subprocess, name))

    class Shielded(module.Popen):
        def __init__(self, *arguments: Any, **keys: Any) -> None:
            if _killed:
                raise OSError("compilers were stopped")
            before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)  # is inherited
            try:
                super().__init__(*arguments, **keys)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            _running.add(self)

    module.Popen = Shielded
    return module


def with_descendants(pids: list[int]) -> list[int]:
    """Processes and all that they have started, parents first."""
    children: dict[int, list[int]] = {}
    if sys.platform == "linux":
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ValueError, IndexError):
                parent = int(path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(path.parent.name))
    found = list(pids)
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found
