"""Processes that train, forked from one that has loaded everything: a kill then costs tenths of a second, not seconds.

    python -m tests.attack._nursery     reads {"start": {...}} and {"wait": pid} as lines of JSON, answers with numbers

Sound as long as it has one thread and has computed nothing when it forks: both are so by construction, and the first is
checked before every fork.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from ppo.config.compose import compose
from ppo.runs.exits import Exit, exit_status
from ppo.runs.provenance import code_diff, provenance
from ppo.train import Interrupted, train


def threads() -> int:
    """How many threads this process has."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))


def train_pack(overrides: list[list[str]]) -> Exit:
    """Train runs in one pack, as a worker of a sweep does."""
    try:
        outcomes = train([compose(run) for run in overrides])
    except Interrupted:
        return Exit.INTERRUPTED
    return Exit.FAILED if any(outcome.result is None for outcome in outcomes) else Exit.DONE


def start(runs: list[list[str]], log: str) -> int:
    """Fork a process that trains a pack; returns its number."""
    if threads() != 1:
        raise RuntimeError("a process of several threads cannot be forked soundly: expected OMP_NUM_THREADS=1")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(file, stream)
            os.close(0)
            status = exit_status(lambda: train_pack(runs))
        finally:
            os._exit(status)
    return pid


def warm_up() -> None:
    """Import what a training imports as it goes, and look up what is the same for all of them."""
    import ppo.algorithms.a2c.learner
    import ppo.algorithms.ppo.learner
    import ppo.envs.simulators.lockstep  # noqa: F401

    torch.compiler.reset()
    provenance(compose([]))
    code_diff()


def answer(request: dict[str, Any]) -> int:
    """The number of a process that was started, or how it ended: its exit status, or minus the signal."""
    if "start" in request:
        return start(**request["start"])
    return os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])


if __name__ == "__main__":
    warm_up()
    for line in sys.stdin:
        print(answer(json.loads(line)), flush=True)
