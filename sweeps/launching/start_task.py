"""Starts an array task with the signal of a preemption held back until its pack can be saved.

SLURM may preempt a job in its first seconds, while Python loads what it needs. The signal's default action would end
the job as failed, and nothing would put it back into the queue. The shell ignores it until Python runs (SLURM itself
requeues what has not ended after its grace time); from then on it waits for `sweeps.launching.slurm.PackTask`.

    python -P start_task.py -u -m submitit.core._submit FOLDER        as submitit starts `python`
"""

from __future__ import annotations

import runpy
import shlex
import signal
import sys

SIGNAL = signal.SIGUSR2  # submitit's, for preemptions and for the end of the time


def command(python: str) -> str:
    """What submitit is to start in place of Python: a shell command to which it adds `-u -m MODULE FOLDER`."""
    script = f'trap "" {SIGNAL.name.removeprefix("SIG")}; exec "$0" -P -u "$@"'
    return " ".join(["sh", "-c", shlex.quote(script), shlex.quote(python), shlex.quote(__file__)])


def hold_back() -> None:
    """Let the signal wait; what was ignored before is lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {SIGNAL})


def let_through() -> None:
    """Handle the signal from now on, and one that has waited at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {SIGNAL})


if __name__ == "__main__":
    hold_back()
    module, sys.argv = sys.argv[3], sys.argv[3:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
