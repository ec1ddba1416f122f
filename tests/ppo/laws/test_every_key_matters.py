"""Law 7 by brute force: whatever key of an algorithm, surrogate or network is changed, other numbers come out."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.flatten import flatten
from ppo.config.run import Config, to_mapping
from ppo.errors import shown
from ppo.train import train

COMMON = ["env=reacher", "env.time_limit=20", "compile=false"]  # rewards of any size, episodes that are cut
TIMES = ("seconds", "steps_per_second")  # columns of updates.csv that no two runs share
# Of each algorithm, a run in which every key can be seen to matter within a few iterations.
BASES = {
    "ppo": ["surrogate=clip", "algorithm.horizon=64", "algorithm.minibatch_size=32", "algorithm.epochs=2",
            "algorithm.max_grad_norm=0.05", "algorithm.value_clip=0.01", "total_steps=256"],
    "a2c": ["algorithm.trust_region=1e-4", "algorithm.max_grad_norm=0.05", "algorithm.c2=0.1", "total_steps=4000"],
    "trpo": ["algorithm.horizon=64", "algorithm.value_minibatch_size=32", "total_steps=256", "algorithm.kl_slack=0.5"],
    "vpg": ["algorithm.batch_steps=64", "total_steps=256", "algorithm.value_minibatch_size=16"],
    "cem": ["algorithm.num_actors=8", "total_steps=512"],
    "random": ["algorithm.policy=untrained", "total_steps=4096", "algorithm.horizon=512"],
}  # fmt: skip
# Values for keys whose effect a halved or doubled number would not show so soon; some need several overrides.
VALUES: dict[str, list[str]] = {
    "ppo algorithm.minibatch_size": ["algorithm.minibatch_size=16"],
    "ppo algorithm.horizon": ["algorithm.horizon=32"],
    "ppo algorithm.lr_kl_target": ["algorithm.lr_schedule=kl", "algorithm.lr_kl_target=1e-4"],
    "ppo algorithm.lr_schedule": ["algorithm.lr_schedule=linear"],
    "ppo algorithm.log_std_final": ["algorithm.log_std_final=-1"],
    "trpo algorithm.horizon": ["algorithm.horizon=32"],
    "trpo algorithm.backtracks": ["algorithm.backtracks=1", "algorithm.kl_slack=1e-6"],
    "trpo algorithm.cg_iterations": ["algorithm.cg_iterations=1"],
    "vpg algorithm.kl_target": ["algorithm.kl_target=1e-9"],
    "trpo algorithm.kl_slack": ["algorithm.kl_slack=1e-6"],
    "network.activation": ["network.activation=relu"],
    "network.shared": ["network.shared=true"],
}
OTHER = {
    "terminal": "bootstrap", "bootstrap": "terminal", "constant": "linear", "linear": "constant", "batch": "none",
    "untrained": "uniform", "raw": "sign", "tanh": "relu",
}  # fmt: skip
TABLES = ("algorithm.record",)  # says which tables to keep
ONLY = ("network.precision",)  # has one choice for these


def changed(algorithm: str, key: str, value: Any) -> list[str]:
    """Overrides that give a key another value."""
    if own := VALUES.get(f"{algorithm} {key}", VALUES.get(key)):
        return own
    if isinstance(value, bool):
        return [f"{key}={shown(not value)}"]
    if isinstance(value, int):
        return [f"{key}={value * 2}"]
    if isinstance(value, float):
        return [f"{key}={value / 2 or 0.5}"]
    if value is None:
        return [f"{key}=0.01"]
    return [f"{key}={OTHER[value]}" if isinstance(value, str) else f"{key}=[16]"]


def table(folder: Path) -> str:
    """What a run has written down, less what it took."""
    rows = list(csv.DictReader((folder / "updates.csv").open(encoding="utf-8")))
    numbers = [[value for name, value in row.items() if name not in TIMES] for row in rows]
    return f"{(folder / 'episodes.csv').read_text(encoding='utf-8')}{numbers}"


def keys(run: Config) -> dict[str, Any]:
    """The keys of a run's choices that have an effect in it, and their values."""
    found = flatten({group: to_mapping(run).get(group, {}) for group in ("algorithm", "surrogate", "network")})
    without = {key for group in choices.GROUPS if (c := getattr(run, group)) for key in c.without_effect(run)}
    names = {key for key in found if key.endswith(".name") or "." not in key}
    return {key: value for key, value in found.items() if key not in {*without, *names, *TABLES, *ONLY}}


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", BASES)
def test_whatever_key_is_changed_other_numbers_come_out(algorithm: str, tmp_path: Path) -> None:
    base = [*COMMON, *BASES[algorithm], f"algorithm={algorithm}", f"outputs={tmp_path}"]
    ignored = {"network.shared"} if algorithm in ("trpo", "vpg", "cem") else set()  # where nothing can be shared
    first = compose(base)
    others = {key: [*base, *changed(algorithm, key, v)] for key, v in keys(first).items() if key not in ignored}
    outcomes = train([first, *(compose(overrides) for overrides in others.values())])
    assert all(outcome.result for outcome in outcomes), [outcome.error for outcome in outcomes]
    before, *after = [table(outcome.folder) for outcome in outcomes]
    assert [key for key, text in zip(others, after, strict=True) if text == before] == []


def test_every_algorithm_is_among_them() -> None:
    assert set(BASES) == set(choices.algorithm.names())
