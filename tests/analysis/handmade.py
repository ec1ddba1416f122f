"""Runs written by hand as rows of a frame, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.store import COLUMNS, Runs, notes


def run_of(label: str, env: str, seed: int, score: float | None, **other: Any) -> dict[str, Any]:
    """A row of a sweep's frame; a run without a score is a new one."""
    run = f"{label}-{env}-{seed}"
    row = {"label": label, "env": env, "setting": label, "seed": seed, "run": run, "score": score, "mean_return": score}
    if score is None:
        return row | {"state": "new", "steps": None, "code": None, "path": Path(run)} | other
    told = {"state": "done", "episodes": 100, "steps": 1_000_000, "seconds": 1.0, "code": "c0", "path": Path(run)}
    return row | told | other


def runs_of(rows: Iterable[dict[str, Any]], sweep: str = "tiny") -> Runs:
    """A sweep's runs, with the notes that loading them would have made."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return Runs(sweep, Path("outputs"), frame, notes(frame))
