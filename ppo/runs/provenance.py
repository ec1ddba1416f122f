"""What made a number: code, versions, machine, job."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import socket
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "numpy", "mujoco", "gymnasium", "hydra-core", "omegaconf")
NO_NUMBERS = (  # modules that no number depends on: how a run is asked for, shown and kept
    "__main__.py", "compose.py", "errors.py", "files.py", "marker.py", "multirun.py", "progress.py", "provenance.py",
    "run_folder.py", "schema.py", "train.py",
)  # fmt: skip
SLURM_KEYS = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT")


@lru_cache
def provenance() -> dict[str, Any]:
    """Code, machine and job, for `result.json`; commit: None outside a checkout, "+dirty" if ppo or conf differ."""
    return {
        "code": code_hash(),
        "commit": _commit(),
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "host": socket.gethostname(),
        "platform": sys.platform,
        "processor": processor(),
        "slurm": scheduler_ids(),
    }


@lru_cache
def code_hash() -> str:
    """Eight hex digits of what the training code says; comments, layout and what no number depends on do not count."""
    digest = hashlib.sha256()
    for path in sorted(path for path in PACKAGE.rglob("*.py") if path.name not in NO_NUMBERS):
        digest.update(str(path.relative_to(PACKAGE)).encode())
        digest.update(ast.dump(ast.parse(path.read_bytes())).encode())
    return digest.hexdigest()[:8]


@lru_cache
def code_diff() -> str:
    """What `ppo` and `conf` differ in from the commit, as a patch; empty if in nothing, or outside a checkout."""
    new = (_git("ls-files", "--others", "--exclude-standard", "--", ".", "../conf") or "").splitlines()
    patches = [_git("diff", "HEAD", "--", ".", "../conf"), *(_git("diff", "--no-index", os.devnull, p) for p in new)]
    return "".join(patch or "" for patch in patches)


def scheduler_ids() -> dict[str, str] | None:
    """The ids of the SLURM job we run in, or None."""
    return {key: os.environ[key] for key in SLURM_KEYS if key in os.environ} or None


def _commit() -> str | None:
    head = _git("rev-parse", "HEAD")
    return head and head.strip() + ("+dirty" if _git("status", "--porcelain", "--", ".", "../conf") else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, check=False)
    except OSError:
        return None
    differs = "--no-index" in arguments and done.returncode == 1  # then git says so by its status, too
    return done.stdout.decode(errors="replace") if done.returncode == 0 or differs else None


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
