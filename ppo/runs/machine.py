"""The machine that a process runs on: its processor, its processes, and the SLURM job, if any."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

SLURM_KEYS = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT")


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def scheduler_ids() -> dict[str, str] | None:
    """The ids of the SLURM job that this process belongs to, or None."""
    return {key: os.environ[key] for key in SLURM_KEYS if key in os.environ} or None


def process_lives(pid: Any) -> bool:
    """Whether a process of this machine exists and is not a zombie."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    try:  # a killed child that nobody has waited for yet is still listed
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def append_working_directory() -> None:
    """Let the user's own modules be imported from the working directory, after everything that is installed."""
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
