"""What analysis knows of a run: config, result and a thinned learning curve, from its folder or a compact file.

The compact form is one json per run; `publish` writes it so that results can live in the repository.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import yaml

from analysis.errors import UserError

CURVE_POINTS = 200  # of a published learning curve
NOWHERE = {"outputs": "outputs", "run_dir": None}  # in place of the folders that a run lay in
UPDATES = {"step": int, "steps_per_second": float, "kl": float, "entropy": float, "skipped": float}


class CurvePoint(NamedTuple):
    """The episodes that ended in one stretch of training."""

    step: int  # end of the stretch, environment steps
    ret: float  # mean undiscounted raw return
    episodes: int


class Drift(NamedTuple):
    """How far a run's policy moved; NaN where its algorithm has no such figure."""

    kl: float  # nats between the policies before and after an iteration: median over iterations
    kl_max: float
    entropy: float  # nats, after the first iteration
    entropy_end: float  # nats, after the last
    skipped: float  # steps not taken, their gradient not being finite


class Record(NamedTuple):
    """One finished run."""

    env: str
    setting: str
    seed: int
    config: dict[str, Any]
    result: dict[str, Any]
    seconds: float  # wall time of its iterations, all attempts together; the runs of a pack share it
    mean_return: float  # of all episodes, each with the same weight
    curve: list[CurvePoint]
    drift: Drift
    interpolation: list[list[float]] | None = None  # rows of interpolation.csv, if the trainer was asked for them


def read_json(path: Path) -> dict[str, Any] | None:
    """A json file's mapping, or None where there is none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def record_path(store: Path, folder: str) -> Path:
    """Where the compact record of a run is that has this folder in its store."""
    return store / f"{folder}.json"


def read_run(folder: Path) -> Record:
    """A finished run's folder; UserError naming what cannot be read."""
    result = read_json(folder / "result.json")
    if result is None:
        raise UserError(f"{folder / 'result.json'} cannot be read: is the run done?")
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        episodes = _columns(folder / "episodes.csv", {"step": int, "return": float})
        updates = _columns(folder / "updates.csv", UPDATES)
        before = [0, *(step for step, *_ in updates)]
        seconds = sum((step - last) / speed for last, (step, speed, *_) in zip(before, updates, strict=False))
        mean_return = fmean(ret for _, ret in episodes) if episodes else math.nan
        first = (result["env"], result["setting"], result["seed"], config, result)
        curve, interpolation = thin(episodes, result["steps"]), _interpolation(folder / "interpolation.csv")
        return Record(*first, seconds, mean_return, curve, _drift(updates), interpolation)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError, ZeroDivisionError) as error:
        raise UserError(f"{folder} cannot be read as a finished run ({_one_line(error)}).") from None


def read_published(path: Path) -> Record:
    """A run's compact record."""
    held = read_json(path) or {}
    try:
        result, curve = held["result"], [CurvePoint(*point) for point in held["curve"]]
        first = (result["env"], result["setting"], result["seed"], held["config"], result)
        mean_return = math.nan if held["mean_return"] is None else held["mean_return"]
        drift = Drift._make(math.nan if value is None else value for value in held["drift"])
        return Record(*first, held["seconds"], mean_return, curve, drift, held.get("interpolation"))
    except (LookupError, TypeError):
        raise UserError(f"{path} cannot be read as a published run.") from None


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def publish(record: Record, path: Path) -> None:
    """Write a run's compact record, without the folder and the machine that the run lay on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = {
        "result": {key: value for key, value in record.result.items() if key != "host"},
        "config": {key: NOWHERE.get(key, value) for key, value in record.config.items()},
        "seconds": round(record.seconds, 1),
        "mean_return": None if math.isnan(record.mean_return) else record.mean_return,
        "curve": [[p.step, _rounded(p.ret), p.episodes] for p in record.curve],
        "drift": [_rounded(value) if math.isfinite(value) else None for value in record.drift],
    }
    if record.interpolation is not None:
        held["interpolation"] = [[_rounded(value) for value in row] for row in record.interpolation]
    aside = path.with_name(f"{path.name}.tmp")
    aside.write_text(json.dumps(held, separators=(",", ":")) + "\n", encoding="utf-8")
    os.replace(aside, path)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def thin(episodes: Iterable[tuple[int, float]], steps: int) -> list[CurvePoint]:
    """Mean return of the episodes (step, return) that ended in each of 200 equal stretches; empty ones are left out."""
    width = math.ceil(steps / CURVE_POINTS)
    stretches: dict[int, list[float]] = {}
    for step, ret in episodes:
        stretches.setdefault(math.ceil(step / width), []).append(ret)
    return [CurvePoint(i * width, fmean(returns), len(returns)) for i, returns in sorted(stretches.items())]


def _drift(updates: list[tuple[Any, ...]]) -> Drift:
    """Of the rows of updates.csv."""
    kl = [row[2] for row in updates if not math.isnan(row[2])]
    entropy, skipped = [row[3] for row in updates], [row[4] for row in updates]
    median_kl, most = (median(kl), max(kl)) if kl else (math.nan, math.nan)
    return Drift(median_kl, most, entropy[0], entropy[-1], sum(skipped))


def _interpolation(path: Path) -> list[list[float]] | None:
    if not path.exists():
        return None
    names = ("scale", "kl", "cpi", "clipped", "clip")
    return [list(row) for row in _columns(path, dict.fromkeys(names, float))]


def _columns(path: Path, kinds: dict[str, type]) -> list[tuple[Any, ...]]:
    """Some columns of a csv file, converted."""
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                rows.append(tuple(kind(row[name]) for name, kind in kinds.items()))
            except (KeyError, TypeError, ValueError):
                raise UserError(f"{path}, line {number}, cannot be read: {', '.join(kinds)} are needed.") from None
    return rows
