"""Where packs run: `conf/launcher/*.yaml` under overrides, as frozen dataclasses."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from omegaconf import OmegaConf

from ppo.config.compose import CONF, apply, parse
from ppo.config.schema import Loops, Rule, Seconds, Threads, Word, build, integer, within
from ppo.errors import UserError, invalid, unknown

FOLDER = CONF / "launcher"
Minutes = Annotated[int, integer(15, 10**6)]
Gigabytes = Annotated[float, within(0.1, 1e6)]
Devices = Annotated[int, integer(0, 1024)]
Times = Annotated[int, integer(0, 10**6)]
Lines = Annotated[tuple[str, ...], Rule("a list of lines of text", lambda v: all("\0" not in line for line in v))]
Auto = Literal["auto"]


@dataclass(frozen=True)
class Local:
    """A pool of processes on this machine."""

    name: Literal["local"]
    workers: Auto | Loops
    pack_size: Auto | Loops

    @property
    def most_workers(self) -> int:
        """Processes at once."""
        return physical_cores() if self.workers == "auto" else int(self.workers)


@dataclass(frozen=True)
class Slurm:
    """Job arrays on a cluster."""

    name: Literal["slurm"]
    workers: Loops
    pack_size: Auto | Loops
    array_parallelism: Loops
    partition: Word | None
    account: Word | None
    time: Minutes
    memory_gb: Gigabytes
    cpus: Threads
    gpus: Devices
    stop_seconds: Seconds
    max_requeues: Times
    setup: Lines
    sbatch: dict

    @property
    def most_workers(self) -> int:
        """Packs at once."""
        return self.workers


Launcher = Local | Slurm
LAUNCHERS: dict[str, type[Launcher]] = {"local": Local, "slurm": Slurm}


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides of the launcher, and all others."""
    of_launcher = [o for o in overrides if parse([o])[0].key_or_group.split(".")[0] == "launcher"]
    return of_launcher, [o for o in overrides if o not in of_launcher]


def compose_launcher(overrides: Sequence[str]) -> Launcher:
    """The launcher that `launcher=NAME` and `launcher.key=value` describe; local unless named. Raises UserError."""
    parsed = parse(overrides)
    for override in parsed:
        if override.is_sweep_override() or override.is_delete() or override.is_add():
            raise UserError(f"{override.input_line} is invalid: expected key=value, since a sweep has one launcher.")
        if override.key_or_group == "launcher.name":
            raise UserError("launcher.name is invalid: expected launcher=NAME.")
    name = next((str(o.value()) for o in reversed(parsed) if o.key_or_group == "launcher"), "local")
    if name not in LAUNCHERS:
        raise unknown("launcher", name, LAUNCHERS)
    content = OmegaConf.create({"launcher": OmegaConf.load(FOLDER / f"{name}.yaml")})
    free = [o for o in parsed if name == "slurm" and o.key_or_group.split(".")[:2] == ["launcher", "sbatch"]]
    rest = [o for o in parsed if o.key_or_group != "launcher" and o not in free]
    values = apply(content, rest)["launcher"]
    for option in free:
        key, value = option.key_or_group.removeprefix("launcher.sbatch").lstrip("."), option.value()
        if not key and not isinstance(value, dict):
            raise invalid("launcher.sbatch", value, "a mapping {option: value}")
        values["sbatch"] |= {key: value} if key else value
    return to_launcher(values)


def to_launcher(values: Mapping[str, Any]) -> Launcher:
    """The launcher of a plain mapping."""
    launcher = build(LAUNCHERS[values["name"]], values, "launcher.")
    if isinstance(launcher, Slurm) and launcher.stop_seconds >= 60 * launcher.time:
        expected = f"less than launcher.time, {launcher.time} minutes"
        raise invalid("launcher.stop_seconds", f"{launcher.stop_seconds:g}", expected)
    return launcher


def physical_cores() -> int:
    """Cores that this process may use, two hyperthreads being one; a container's share of them, rounded up."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_siblings(cpu) for cpu in allowed}
    return max(1, min(len(cores), _quota()))


def _siblings(cpu: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return str(cpu)


def _quota() -> int:
    """Cores of the control group's quota, rounded up; many if there is none."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        return -(-int(limit) // int(period))
    except (OSError, ValueError):
        return 1 << 16
