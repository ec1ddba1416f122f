"""A sweep of runs that last seconds, for tests that train for real."""

from __future__ import annotations

import json
from pathlib import Path

TINY = ["algorithm.horizon=64", "algorithm.epochs=1", "total_steps=256", "compile=false"]


def write_sweep(folder: Path, *, seeds: int, envs: tuple[str, ...] = ("inverted_pendulum",), name: str = "tiny") -> str:
    """A sweep file with one setting for each of three surrogates; returns its path."""
    path = folder / f"{name}.yaml"
    surrogates = {"Clip": ["surrogate=clip"], "None": ["surrogate=none"], "KL": ["surrogate=kl_fixed"]}
    path.write_text(json.dumps({"grid": {"env": envs, "seed": list(range(seeds))}, "settings": surrogates}))
    return str(path)


def records(store: Path) -> dict[str, tuple[bytes, bytes]]:
    """Run folder -> its episodes.csv, and its updates.csv without the column of speeds; of every finished run."""
    return {str(path.parent.relative_to(store)): _records(path.parent) for path in store.rglob("result.json")}


def _records(folder: Path) -> tuple[bytes, bytes]:
    rows = (folder / "updates.csv").read_bytes().splitlines()
    return (folder / "episodes.csv").read_bytes(), b"\n".join(row.rpartition(b",")[0] for row in rows)


def times_finished(store: Path) -> set[int]:
    """How often the runs of a store were trained to the end: {1} is as it should be."""
    return {path.read_text().count("done at step") for path in store.rglob("log.txt")}
