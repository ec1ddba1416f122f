"""A finished run in short: config, result and a thinned learning curve, from its folder or a published sweep."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

from ppo.errors import UserError, one_line
from ppo.runs.configs import read_config
from ppo.runs.files import open_regular
from ppo.runs.results import DIGEST, read_result

CURVE_POINTS = 200  # of a thinned learning curve
NEUTRAL = {"outputs": "outputs", "run_dir": None}  # replace the folders of the machine that trained a published run
NEEDED = {"step": int, "steps_per_second": float}  # columns of updates.csv
OPTIONAL = {"kl": float, "entropy": float, "skipped": float}  # NaN where the algorithm has no such column
LINE = ("scale", "kl", "cpi", "clipped", "clip")  # columns of interpolation.csv


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
    skipped: float  # gradient steps that were skipped because the gradient was not finite


class Record(NamedTuple):
    """One finished run."""

    config: dict[str, Any]
    result: dict[str, Any]
    seconds: float  # wall time of its iterations, all attempts together; the runs of a pack share it
    mean_return: float  # of all episodes, each with the same weight
    curve: list[CurvePoint]
    drift: Drift
    interpolation: list[list[float]] | None = None  # rows of interpolation.csv, if the run recorded them


# -- run folders -------------------------------------------------------------------------------------------------------


def read_run(folder: Path) -> Record:
    """The record of a finished run's folder; UserError naming what cannot be read."""
    result = read_result(folder)
    if result is None:
        raise UserError(f"{folder / 'result.json'} cannot be read: is the run done?")
    try:
        config = read_config(folder / "config.yaml")
        episodes = _columns(folder / "episodes.csv", {"step": int, "return": float})
        updates = _columns(folder / "updates.csv", NEEDED, OPTIONAL)
        before = [0, *(step for step, *_ in updates)]
        seconds = sum((step - last) / speed for last, (step, speed, *_) in zip(before, updates, strict=False))
        mean_return = fmean(ret for _, ret in episodes) if episodes else math.nan
        curve, line = thin(episodes, result["steps"]), folder / "interpolation.csv"
        interpolation = [list(row) for row in _columns(line, dict.fromkeys(LINE, float))] if line.exists() else None
        return _checked(Record(config, result, seconds, mean_return, curve, _drift(updates), interpolation))
    except (OSError, UnicodeDecodeError, LookupError, TypeError, ZeroDivisionError) as error:
        raise UserError(f"{folder} cannot be read as a finished run ({one_line(error)}).") from None


def thin(episodes: Iterable[tuple[int, float]], steps: int) -> list[CurvePoint]:
    """Mean return of the episodes (step, return) that ended in each of 200 equal stretches; empty ones are left out."""
    width = math.ceil(steps / CURVE_POINTS)
    stretches: dict[int, list[float]] = {}
    for step, ret in episodes:
        stretches.setdefault(math.ceil(step / width), []).append(ret)
    return [CurvePoint(i * width, fmean(returns), len(returns)) for i, returns in sorted(stretches.items())]


def _drift(updates: list[tuple[Any, ...]]) -> Drift:
    """Of the rows (step, steps_per_second, kl, entropy, skipped) of updates.csv."""
    kl = [row[2] for row in updates if not math.isnan(row[2])]
    entropy, skipped = [row[3] for row in updates], [row[4] for row in updates]
    median_kl, largest = (median(kl), max(kl)) if kl else (math.nan, math.nan)
    return Drift(median_kl, largest, entropy[0], entropy[-1], sum(skipped))


def _columns(path: Path, needed: dict[str, type], optional: Mapping[str, type] | None = None) -> list[tuple[Any, ...]]:
    """Some columns of a csv file, converted; NaN for optional ones that it does not have."""
    rows = []
    with io.TextIOWrapper(io.BufferedReader(open_regular(path)), "utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        kinds = needed | {name: kind for name, kind in (optional or {}).items() if name in (reader.fieldnames or ())}
        for number, row in enumerate(reader, start=2):
            try:
                values = {name: kind(row[name]) for name, kind in kinds.items()}
            except (KeyError, TypeError, ValueError):
                raise UserError(f"{path}, line {number}, is invalid: expected {', '.join(kinds)}.") from None
            rows.append(tuple(values.get(name, math.nan) for name in (*needed, *(optional or {}))))
    return rows


def _checked(record: Record) -> Record:
    """A record, if all of it is of the right types; else LookupError or TypeError."""
    name = record.config["algorithm"]["name"]
    line = record.interpolation or []
    numbers = [record.seconds, record.mean_return, *record.drift, record.result["steps"], record.result["score"] or 0.0]
    numbers += [value for row in (*record.curve, *line) for value in row]
    if not (isinstance(name, str) and all(isinstance(value, int | float) for value in numbers)):
        raise TypeError("a value is of the wrong type")
    if any(len(row) != len(LINE) for row in line) or (record.result["score"] is not None and not record.curve):
        raise LookupError("a value is missing")
    return record


# -- published sweeps --------------------------------------------------------------------------------------------------


def to_published(record: Record) -> dict[str, Any]:
    """A record as it is published: without the folder and the machine of the run, curves to six digits."""
    published = {
        "result": {key: value for key, value in record.result.items() if key not in ("host", DIGEST)},
        "config": {key: NEUTRAL.get(key, value) for key, value in record.config.items()},
        "seconds": round(record.seconds, 1),
        "mean_return": None if math.isnan(record.mean_return) else record.mean_return,
        "curve": [[point.step, _rounded(point.ret), point.episodes] for point in record.curve],
        "drift": [_rounded(value) if math.isfinite(value) else None for value in record.drift],
    }
    if record.interpolation is not None:
        published["interpolation"] = [[_rounded(value) for value in row] for row in record.interpolation]
    return published


def from_published(values: Mapping[str, Any], name: str) -> Record:
    """The record of a published run; `name` is for the UserError if it is malformed."""
    try:
        curve = [CurvePoint(*point) for point in values["curve"]]
        mean_return = math.nan if values["mean_return"] is None else values["mean_return"]
        drift = Drift._make(math.nan if value is None else value for value in values["drift"])
        config, result, seconds = values["config"], values["result"], values["seconds"]
        return _checked(Record(config, result, seconds, mean_return, curve, drift, values.get("interpolation")))
    except (LookupError, TypeError):
        raise UserError(f"{name} is not a readable record of a published run.") from None


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
