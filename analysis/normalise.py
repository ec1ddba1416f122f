"""Normalised scores: 0 is a random policy and 1 the best result, task by task (section 6.1).

The paper leaves open which random policy and which best result: two readings of each are computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.grouping import by_cell
from analysis.randoms import ALGORITHM, POLICIES, Randoms
from ppo.errors import UserError
from ppo.runs.files import read_json, write_json

BESTS = ("run", "setting")  # the best single run, or the best setting's mean
# "Worse than the initial random policy" (section 6.1) is said of an untrained network; a best single run lets the best
# setting's mean stay below 1, as the paper's 0.82 does.
CHOSEN = ("untrained", "run")


class Reference(NamedTuple):
    """What is 0 and what is 1 on each task, in each reading; tasks that cannot be normalised are missing."""

    random: dict[str, dict[str, float]]  # reading -> task -> score
    best: dict[str, dict[str, float]]
    missing: Mapping[str, str]  # task -> why it cannot be normalised, as far as is known
    notes: tuple[str, ...] = ()

    def normalise(self, frame: pd.DataFrame, random: str, best: str) -> pd.Series:
        """The normalised score of each run of a frame with columns env and score; NaN on tasks without a reference."""
        zero, one = frame.env.map(self.random[random]), frame.env.map(self.best[best])
        span = (one - zero).astype(float)
        return (frame.score.astype(float) - zero) / span.where(span > 0)  # NaN where nothing is better than random

    def spans(self, env: str, random: str, best: str) -> bool:
        """Whether a task has a 0 and a 1 in some reading, and the 1 is above the 0."""
        zero, one = self.random[random].get(env), self.best[best].get(env)
        return zero is not None and one is not None and one > zero

    def covers(self, env: str) -> bool:
        """Whether scores of a task can be normalised."""
        return env in self.random[CHOSEN[0]] and env in self.best[CHOSEN[1]]

    def reasons(self, envs: Iterable[str]) -> list[str]:
        """Why tasks have no normalised score and what to do about it, those with the same reason together."""
        grouped: dict[str, list[str]] = {}
        for env in dict.fromkeys(envs):
            if not self.covers(env):
                grouped.setdefault(self.missing.get(env, NOT_FROZEN), []).append(env)
        return [f"{', '.join(found)}: {reason}" for reason, found in grouped.items()]

    def explain(self, envs: Iterable[str]) -> list[str]:
        """Notes for a table of these tasks."""
        return [f"Not normalised: {reason}." for reason in self.reasons(envs)] + [*self.notes]

    def save(self, path: Path) -> None:
        """Freeze it, since "best" moves when settings are added."""
        write_json(path, {"random": self.random, "best": self.best})


NOT_FROZEN = "not in the frozen reference; write one that has it with --freeze FILE"


def make_reference(done: pd.DataFrame, randoms: Randoms) -> Reference:
    """The reference of finished runs, from their best scores and the random policies of their tasks."""
    runs = done[done.score.notna() & (done.algorithm != ALGORITHM)]
    single = _floats(runs.groupby("env").score.max())
    setting = _floats(by_cell(runs).score.mean().groupby("env").max())
    missing = dict(randoms.missing)
    for env, best in single.items():
        zero = randoms.scores[CHOSEN[0]].get(env)
        if zero is not None and best <= zero:
            missing[env] = f"the best score, {best:g}, is not above the random policy's, {zero:g}; train longer"
    known = [env for env in single if env not in missing]
    return Reference(
        {name: {env: v for env, v in scores.items() if env in known} for name, scores in randoms.scores.items()},
        {name: {env: scores[env] for env in known} for name, scores in zip(BESTS, (single, setting), strict=True)},
        missing,
        randoms.notes,
    )


def _floats(scores: pd.Series) -> dict[str, float]:
    return {str(env): float(score) for env, score in scores.items()}


def load_reference(path: Path) -> Reference:
    """A frozen reference."""
    content = read_json(path) or {}
    random, best = content.get("random"), content.get("best")
    if not (_is_sound(random, POLICIES) and _is_sound(best, BESTS)):
        raise UserError(f"{path} is not a readable reference: write one with --freeze {path}.")
    return Reference(random, best, {})  # type: ignore[arg-type]


def _is_sound(readings: object, names: Sequence[str]) -> bool:
    """Whether these are numbers by task under each name."""
    if not isinstance(readings, dict) or not all(isinstance(readings.get(name), dict) for name in names):
        return False
    return all(isinstance(value, int | float) for name in names for value in readings[name].values())
