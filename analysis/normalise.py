"""Normalised scores: 0 is a random policy and 1 the best result, task by task (section 6.1).

The paper leaves open which random policy and which best result: two readings of each are computed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.errors import UserError
from analysis.records import read_json

# "Worse than the initial random policy" (section 6.1) is said of an untrained network; a best single run lets the best
# setting's mean stay below 1, as the paper's 0.82 does.
RANDOMS = {"untrained": "random-untrained", "uniform": "random-uniform"}  # reading -> setting
BESTS = ("run", "setting")  # the best single run, or the best setting's mean
CHOSEN = ("untrained", "run")
MADE_BY = "python -m sweeps run random"


class Reference(NamedTuple):
    """What is 0 and what is 1 on each task, in each reading."""

    random: dict[str, dict[str, float]]  # reading -> task -> score
    best: dict[str, dict[str, float]]

    def normalise(self, frame: pd.DataFrame, random: str, best: str) -> pd.Series:
        """The normalised score of each run of a frame with columns env and score; UserError for a task unknown."""
        if missing := sorted(set(frame.env) - set(self.random[random]).intersection(self.best[best])):
            raise UserError(f"{missing[0]} is not in the frozen reference: --freeze FILE writes one of these runs.")
        zero, one = frame.env.map(self.random[random]), frame.env.map(self.best[best])
        span = (one - zero).astype(float)
        return (frame.score.astype(float) - zero) / span.where(span > 0)  # NaN where nothing is better than random

    def save(self, path: Path) -> None:
        """Freeze it, since "best" moves when settings are added."""
        path.write_text(json.dumps(self._asdict(), indent=2) + "\n", encoding="utf-8")


def make_reference(runs: pd.DataFrame, random_runs: pd.DataFrame) -> Reference:
    """The reference of finished runs; UserError where a task has no random policy to compare with."""
    random = {}
    for reading, setting in RANDOMS.items():
        found = random_runs[random_runs.setting == setting].groupby("env").score.mean()
        if missing := sorted(set(runs.env) - set(found.index)):
            raise UserError(f"{missing[0]} has no random policy ({setting}) to be 0: {MADE_BY} makes one.")
        random[reading] = {env: float(found[env]) for env in sorted(set(runs.env))}
    chosen = CHOSEN[0]
    for env, best in runs.groupby("env").score.max().items():
        if best <= random[chosen][str(env)]:
            given = f"the best score, {best:g}, is not above the random policy's, {random[chosen][str(env)]:g}"
            raise UserError(f"{env} cannot be normalised: {given}; longer runs are needed.")
    single = runs.groupby("env").score.max()
    setting = runs.groupby(["env", "label"]).score.mean().groupby("env").max()
    readings = zip(BESTS, (single, setting), strict=True)
    return Reference(random, {name: {env: float(v) for env, v in values.items()} for name, values in readings})


def load_reference(path: Path) -> Reference:
    """A frozen reference."""
    held = read_json(path)
    reference = Reference((held or {}).get("random", {}), (held or {}).get("best", {}))
    if not (_sound(reference.random, tuple(RANDOMS)) and _sound(reference.best, BESTS)):
        raise UserError(f"{path} cannot be read as a frozen reference: --freeze {path} writes one.")
    return reference


def _sound(readings: object, names: tuple[str, ...]) -> bool:
    """Whether these are numbers by task under each name."""
    if not isinstance(readings, dict) or not all(isinstance(readings.get(name), dict) for name in names):
        return False
    return all(isinstance(v, int | float) for name in names for v in readings[name].values())
