"""What analysis knows of a run: config, result and a thinned learning curve, from its folder or a compact file.

The compact form is one json per run; `publish` writes it so that results can live in the repository.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import yaml

CURVE_POINTS = 200  # of a published learning curve


class CurvePoint(NamedTuple):
    """The episodes that ended in one stretch of training."""

    step: int  # end of the stretch, environment steps
    ret: float  # mean undiscounted raw return
    episodes: int


class Record(NamedTuple):
    """One finished run."""

    env: str
    setting: str
    seed: int
    config: dict[str, Any]
    result: dict[str, Any]
    seconds: float  # wall time of its iterations, all attempts together; the runs of a pack share it
    curve: list[CurvePoint]


def read_store(store: Path) -> list[Record]:
    """Every finished run under a folder of run folders or of published records, in order of task, setting and seed."""
    found = [read_run(path.parent) for path in sorted(store.rglob("result.json"))]
    found += [read_published(path) for path in sorted(store.rglob("seed=*.json"))]
    return sorted(found, key=lambda r: (r.env, r.setting, r.seed))


def read_run(folder: Path) -> Record:
    """A finished run's folder."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    with (folder / "episodes.csv").open(newline="", encoding="utf-8") as file:
        episodes = [(int(row["step"]), float(row["return"])) for row in csv.DictReader(file)]
    with (folder / "updates.csv").open(newline="", encoding="utf-8") as file:
        updates = [(int(row["step"]), float(row["steps_per_second"])) for row in csv.DictReader(file)]
    seconds = sum(updates[0][0] / speed for _, speed in updates)  # every iteration takes as many steps as the first
    curve = thin(episodes, result["steps"])
    return Record(result["env"], result["setting"], result["seed"], config, result, seconds, curve)


def read_published(path: Path) -> Record:
    """A run's compact record."""
    held = json.loads(path.read_text(encoding="utf-8"))
    result = held["result"]
    curve = [CurvePoint(*point) for point in held["curve"]]
    return Record(result["env"], result["setting"], result["seed"], held["config"], result, held["seconds"], curve)


def publish(record: Record, store: Path) -> Path:
    """Write a run's compact record to <store>/<env>/<setting>/seed=<k>-<8 hex>.json; returns the path."""
    path = store / record.env / record.setting / f"seed={record.seed}-{record.result['run']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    curve = [[p.step, float(f"{p.ret:.6g}"), p.episodes] for p in record.curve]
    held = {"result": record.result, "config": record.config, "seconds": round(record.seconds, 1), "curve": curve}
    path.write_text(json.dumps(held, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def thin(episodes: Iterable[tuple[int, float]], steps: int) -> list[CurvePoint]:
    """Mean return of the episodes (step, return) that ended in each of 200 equal stretches; empty ones are left out."""
    width = math.ceil(steps / CURVE_POINTS)
    stretches: dict[int, list[float]] = {}
    for step, ret in episodes:
        stretches.setdefault(math.ceil(step / width), []).append(ret)
    return [CurvePoint(i * width, fmean(returns), len(returns)) for i, returns in sorted(stretches.items())]
