"""Runs written by hand as rows of a frame, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from analysis.normalise import Reference
from analysis.records import CurvePoint, Drift, Record
from analysis.store import COLUMNS, Runs, make_runs
from tests.analysis.folders import digest


def run_of(label: str, env: str, seed: int, score: float | None, **other: Any) -> dict[str, Any]:
    """A row of a sweep's frame; a run without a score is a new one."""
    row = dict.fromkeys(COLUMNS) | {"label": label, "env": env, "setting": label, "setting_hash": digest(label)}
    row |= {"seed": seed, "run": digest(label, env, seed), "score": score, "mean_return": score, "state": "new"}
    row |= {"algorithm": "ppo", "suite": "mujoco", "folder": f"runs/{env}/{label}/seed-{seed}"}
    if score is None:
        return row | other
    done = {"state": "done", "episodes": 100, "steps": 1_000_000, "seconds": 1.0, "compiled": True}
    return row | done | {"code": {"core": "c0"}} | other


def runs_of(rows: Iterable[dict[str, Any]], sweep: str = "tiny") -> Runs:
    """A sweep's runs, with the notes that loading them would have made; each run's curve is its score."""
    rows = list(rows)
    by_run = {row["run"]: row for row in rows}

    def read(run: str) -> Record:
        row = by_run[run]
        curve = [CurvePoint(1_000_000, row["score"], 100)]
        return Record({"algorithm": {"name": "ppo"}}, {}, 1.0, row["mean_return"], curve, Drift(*[0.0] * 5))

    return make_runs(sweep, Path("outputs"), rows, read)


def reference_of(zeros: dict[str, float], ones: dict[str, float]) -> Reference:
    """The same 0 and 1 in every reading."""
    return Reference({"untrained": zeros, "uniform": zeros}, {"run": ones, "setting": ones}, {})
