"""What tests of sweep files, plans and packs share: runs that are only declared, and the sentence of a mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.config.run import Config
from ppo.errors import UserError
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load, parse

EVEN = ["algorithm.horizon=1000", "algorithm.minibatch_size=50"]  # a million steps are whole iterations

# In place of the measured speeds, so that a pack of s runs of a million steps takes 45 + 10 s seconds up to three runs
# and 48 + 9 s beyond: 55 for 1, 75 for 3, 345 for 33.
TOY = {"HalfCheetah-v5": ((1 / 33, 1 / 3, 1.0), (10.0, 20.0, 40.0))}


def complaint(call: Callable[..., Any], *arguments: Any) -> str:
    """The one sentence with which a call refuses its arguments."""
    with pytest.raises(UserError) as error:
        call(*arguments)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@lru_cache
def million(env: str = "hopper", *overrides: str) -> Config:
    """A run of exactly a million steps."""
    return compose([*EVEN, f"env={env}", *overrides])


def many(count: int, config: Config) -> list[Run]:
    """Runs that differ in their seeds only."""
    configs = [replace(config, seed=seed) for seed in range(count)]
    return [Run("", c, Path(), run_hash(c)) for c in configs]


@lru_cache
def runs_of(name: str) -> tuple[Run, ...]:
    """The runs of a sweep in conf/sweep as it stands there."""
    return tuple(sweep_runs(load(name)))


def declare(overrides: list[str], **content: Any) -> list[Run]:
    """The runs of a sweep called `mine` under overrides."""
    return sweep_runs(parse("mine", content), overrides)
