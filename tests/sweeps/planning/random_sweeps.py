"""Sweep files at random: axes, settings, exclusions and includes, with values that are easily taken for one another."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

AXES: dict[str, list[str]] = {  # spelled in several ways
    "algorithm.lr": ["1e-3", "0.0010000001", "3e-4", "1e-4", "0.00030000000000000003"],
    "algorithm.gamma": ["0.99", "0.999", "0.9"],
    "algorithm.log_std": ["0", "-0.7", "1e-9"],
    "algorithm.epochs": ["3", "10"],
    "network.hidden": ["[64, 64]", "[64]", "[]", "[6, 464]", "[32,32]"],
    "network": ["mlp"],
    "surrogate": ["clip", "none", "kl_fixed", "kl_adaptive"],
    "env": ["hopper", "reacher"],
    "env.time_limit": ["1000", "500"],
    "total_steps": ["4096", "8192"],
    "seed": ["0", "1", "2"],
    "algorithm": ["ppo", "trpo", "a2c", "cem"],
}
LABELS = ("A", "a", "A, lr=0.001", "A, ppo, clip", "ppo clip epsilon=0.2", "B (0)", "lr=0.001", "[bold]", "50$ vs 60$")
OWN = (  # overrides of a setting
    "surrogate=clip", "surrogate=none", "surrogate=kl_fixed", "algorithm.lr=1e-3", "algorithm.lr=1e-3,3e-4", "seed=1",
    "algorithm.gamma=0.9", "network.hidden=[64]", "network.hidden=[64,64],[32]", "algorithm=trpo", "algorithm=cem",
    "env=reacher", "env.time_limit=500", "surrogate.epsilon=0.1,0.2", "surrogate.epsilon=0.3", "surrogate.beta=3",
)  # fmt: skip


def random_sweep(rng: random.Random, folder: Path, name: str, depth: int = 0) -> Path:
    """A sweep file, and those that it includes; many of them are invalid, as a user's would be."""
    content: dict[str, Any] = {"grid": _grid(rng), "settings": _settings(rng)}
    content = {key: value for key, value in content.items() if value and rng.random() < 0.9}
    if content.get("grid") and rng.random() < 0.3:
        axis = rng.choice(list(content["grid"]))
        content["exclude"] = [{axis: rng.choice(content["grid"][axis])}]
    if depth < 2 and rng.random() < 0.4:
        others = [random_sweep(rng, folder, f"{name}{i}", depth + 1) for i in range(rng.randint(1, 2))]
        content["include"] = {str(path): None for path in others}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _grid(rng: random.Random) -> dict[str, list[str]]:
    axes = rng.sample(list(AXES), rng.randint(0, 3))
    return {axis: rng.sample(AXES[axis], rng.randint(1, min(3, len(AXES[axis])))) for axis in axes}


def _settings(rng: random.Random) -> dict[str, list[str]]:
    return {label: rng.sample(OWN, rng.randint(0, 3)) for label in rng.sample(LABELS, rng.randint(0, 3))}


def random_overrides(rng: random.Random) -> list[str]:
    """Words of a command line beside a sweep."""
    axes = rng.sample(list(AXES), rng.choice((0, 0, 0, 1, 2)))
    return [f"{axis}={','.join(rng.sample(AXES[axis], min(len(AXES[axis]), rng.randint(1, 2))))}" for axis in axes]
