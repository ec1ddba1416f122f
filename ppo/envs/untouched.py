"""A process that comes out of other people's code, run before any training, as it went in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ppo.envs.process import ProcessState

VARIABLES = "environment variables"


@contextmanager
def untouched(*, variables: bool = True) -> Iterator[None]:
    """While open, other people's code may run; what it changes in the process is put back, and what it prints goes to
    stderr, since standard output may be read by a program.

    `variables`: environment variables too; a module that is imported sets them for its environments, which need them.
    """
    state, had_torch, streams = ProcessState(), "torch" in sys.modules, (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for _ in state.put_back(() if variables else (VARIABLES,)):
            pass
        if not had_torch and "torch" in sys.modules:
            from ppo.envs import torch_settings  # only now, as it takes seconds to load

            torch_settings.put_back(torch_settings.USUAL)
