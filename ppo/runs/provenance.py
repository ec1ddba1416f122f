"""What made a number: code, versions, machine, job."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ppo.config import choices
from ppo.config.flatten import flatten
from ppo.config.run import Config
from ppo.runs.code import code_hash, python_files
from ppo.runs.machine import processor, scheduler_ids

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "numpy", "mujoco", "gymnasium", "hydra-core", "omegaconf")
CORE = (  # what every run's numbers depend on, whatever it chooses
    "pack.py", "collect.py", "streams.py", "data.py", "networks", "learning", "algorithms/base.py", "envs/base.py",
)  # fmt: skip

SWITCHES = (  # environment variables that choose other instructions or other orders of sums
    "ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE",
)  # fmt: skip
NUMERICAL = ("code", "versions", "platform", "processor", "numerics")  # parts of the provenance that bits depend on


def provenance(config: Config, capability: str | None = None) -> dict[str, Any]:
    """Code, machine and job of a run, for `result.json`; `capability`: the instructions that torch uses here."""
    numerics = {"capability": capability, "device": config.execution.device, "threads": config.execution.threads}
    numerics |= {name: os.environ[name] for name in SWITCHES if name in os.environ}
    found = {"code": code_hashes(config)} | _surroundings() | {"numerics": numerics, "slurm": scheduler_ids()}
    packages = {origin.package: origin.version for origin in config.env.origins() if origin.package}
    return found | {"versions": found["versions"] | packages}


def numerical(made_by: Mapping[str, Any]) -> dict[str, Any]:
    """What of a provenance the numbers depend on: kept in checkpoints."""
    return {key: made_by[key] for key in NUMERICAL}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In what of that two provenances differ, such as `versions.torch was 2.12.0, is 2.13.0`."""
    one, other = flatten(numerical(before)), flatten(numerical(now))
    keys = sorted(key for key in one | other if one.get(key) != other.get(key))
    return [f"{key} was {one.get(key, 'not set')}, is {other.get(key, 'not set')}" for key in keys]


def code_hashes(config: Config) -> dict[str, str]:
    """Part of the code that a run uses -> eight hex digits of what it says; other parts do not count."""
    suite = choices.suite.find(config.env.suite, "env.suite")
    hashes = {
        "core": _hash_of(*(PACKAGE / place for place in CORE)),
        f"algorithm/{config.algorithm.name}": _hash_of(_place_of(type(config.algorithm))),
        f"suite/{config.env.suite}": _hash_of(_place_of(suite)),
    }
    for group, choice in (("surrogate", config.surrogate), ("network", config.network)):
        if choice is not None and not type(choice).__module__.startswith("ppo."):  # ours are in the core
            hashes[f"{group}/{choice.name}"] = _hash_of(_place_of(type(choice)))
    for origin in config.env.origins():
        if origin.place is not None:
            hashes[f"env/{origin.module}"] = _hash_of(origin.place)
    return hashes


def _place_of(choice: type[Any]) -> Path:
    """The folder of the package that defines a choice, or its file if it is a module on its own."""
    module = sys.modules[choice.__module__]
    file = Path(str(module.__file__))
    return file.parent if module.__package__ else file


@lru_cache
def _hash_of(*places: Path) -> str:
    return code_hash(python_files(*places))


@lru_cache
def _surroundings() -> dict[str, Any]:
    """What is the same for all runs of a process; commit: None outside a checkout, "+dirty" if ppo or conf differ."""
    return {
        "commit": _commit(),
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "host": socket.gethostname(),
        "platform": sys.platform,
        "processor": processor(),
    }


@lru_cache
def code_diff() -> str:
    """How `ppo` and `conf` differ from the commit, as a patch; empty if they do not, or outside a checkout."""
    new = (_git("ls-files", "--others", "--exclude-standard", "--", ".", "../conf") or "").splitlines()
    patches = [_git("diff", "HEAD", "--", ".", "../conf"), *(_git("diff", "--no-index", os.devnull, p) for p in new)]
    return "".join(patch or "" for patch in patches)


def _commit() -> str | None:
    head = _git("rev-parse", "HEAD")
    return head and head.strip() + ("+dirty" if _git("status", "--porcelain", "--", ".", "../conf") else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, check=False)
    except OSError:
        return None
    differs = "--no-index" in arguments and done.returncode == 1  # the exit status of git diff --no-index
    return done.stdout.decode(errors="replace") if done.returncode == 0 or differs else None
