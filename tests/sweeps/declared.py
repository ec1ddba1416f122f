"""What tests of sweep files, plans and packs share: runs that are only declared, and the message of a mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from ppo.config.compose import compose
from ppo.config.run import Config
from ppo.errors import UserError
from ppo.runs.row import RunRow
from sweeps.planning.runs import Run, make_runs, sweep_runs
from sweeps.planning.spec import load, parse

EVEN = ["algorithm.horizon=1000", "algorithm.minibatch_size=50"]  # a million steps are whole iterations

# In place of the measured speeds, so that a pack of s runs of a million steps takes 45 + 10 s seconds up to three runs
# and 48 + 9 s beyond: 55 for 1, 75 for 3, 345 for 33.
TOY = {"HalfCheetah-v5": ((1 / 33, 1 / 3, 1.0), (10.0, 20.0, 40.0))}


def complaint(call: Callable[..., Any], *arguments: Any) -> str:
    """The message with which a call refuses its arguments: one line."""
    with pytest.raises(UserError) as error:
        call(*arguments)
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message


@lru_cache
def million(env: str = "hopper", *overrides: str) -> Config:
    """A run of exactly a million steps."""
    return compose([*EVEN, f"env={env}", *overrides])


def many(count: int, config: Config) -> list[Run]:
    """Runs that differ in their seeds only."""
    return make_runs([replace(config, seed=seed) for seed in range(count)], [""] * count)


def fake_run(digits: str) -> Run:
    """A run whose hash starts with these digits, for what looks at nothing else."""
    row = RunRow("label", "Hopper-v5", "setting", "0" * 64, 0, digits.ljust(64, "f"), f"runs/{digits}", 2048)
    return Run(row, compose(), Path(digits))


@lru_cache
def runs_of(name: str) -> tuple[Run, ...]:
    """The runs of a sweep in conf/sweep as it is there."""
    return tuple(sweep_runs(load(name)))


def declare(overrides: list[str], **content: Any) -> list[Run]:
    """The runs of a sweep called `mine` under overrides."""
    return sweep_runs(parse("mine", content), overrides)
