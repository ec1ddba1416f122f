"""Estimates of training time: measured microseconds per environment step, scaled to this machine by its own runs."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ppo.config.run import Config
from ppo.runs.machine import processor

START_SECONDS = 15.0  # of a pack: a process, imports, a warm compiler
TABLE = Path(__file__).parent / "speeds.csv"
FALLBACK = "HalfCheetah-v5"  # its speeds are assumed for a task that was never measured


@lru_cache
def measured() -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Task, or suite, algorithm, network and precision -> 1 / pack size, ascending, and microseconds per step."""
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with TABLE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["env"]].append((1 / int(row["pack"]), float(row["microseconds"])))
    return {env: (xs, ys) for env, points in rows.items() for xs, ys in [zip(*sorted(points), strict=True)]}


def microseconds(config: Config, size: int) -> float:
    """Per environment step of one run in a pack of `size`, on the machine of the table; packs of 33 at most."""
    table, network = measured(), config.network
    # Where frames are shown, nearly all games take as long, and what the networks are decides the rest.
    kind = " ".join([config.env.suite, config.algorithm.name, network.name, str(getattr(network, "precision", ""))])
    inverse, times = table.get(config.env.id) or table.get(kind) or table[FALLBACK]
    return float(np.interp(1 / size, inverse, times))


class Speeds(NamedTuple):
    """The table's speeds times this machine's factors."""

    factors: Mapping[tuple[str, str], float]  # (task, algorithm) -> time here over the table's
    overall: float
    source: str

    def seconds(self, config: Config, size: int, steps: int) -> float:
        """Wall time in which each run of a pack of `size` takes `steps` environment steps."""
        key = (config.env.id, config.algorithm.name)
        per_step = microseconds(config, size) * self.factors.get(key, self.overall)
        return START_SECONDS + steps * size * per_step / 1e6


def speeds(finished: Iterable[tuple[Config, Mapping[str, Any]]]) -> Speeds:
    """Speeds by the finished runs of this processor, each with its result."""
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    here = processor()
    for config, result in finished:
        size, steps, seconds = (result.get(k) for k in ("pack_size", "steps", "seconds"))
        if result.get("processor") != here or not (size and steps and seconds) or steps < 100_000:
            continue
        table = steps * size * microseconds(config, size) / 1e6
        taken = max(seconds - START_SECONDS, 1.0)
        ratios[config.env.id, config.algorithm.name].append(taken / table)
    factors = {key: statistics.median(values) for key, values in ratios.items()}
    if not factors:
        return Speeds({}, 1.0, f"the benchmark's machine, not this one ({here})")
    count = sum(map(len, ratios.values()))
    return Speeds(factors, statistics.median(factors.values()), f"{count} finished runs on this machine")
