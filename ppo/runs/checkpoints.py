"""Checkpoints of a run folder: the newest and the one before, each checked when it is read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ppo.errors import one_line
from ppo.runs.files import sync_folder, write_atomically

FORMAT = 2
NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint.old.pt"


def save(folder: Path, run: str, state: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
    """Write a run's state and the sizes of its tables; the last good checkpoint is kept beside it."""
    import torch  # takes a second to load, which reading a run folder does not need

    buffer = io.BytesIO()
    torch.save({**state, "format": FORMAT, "run": run, "sizes": dict(sizes)}, buffer)
    if (folder / NEWEST).exists():
        (folder / NEWEST).replace(folder / PREVIOUS)
        sync_folder(folder)
    write_atomically(folder / NEWEST, buffer.getvalue())


def load(folder: Path, run: str, warn: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest checkpoint that is whole and the run's, or None; a bad one is set aside and reported to `warn`."""
    import torch

    for path in (folder / NEWEST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            _check(folder, run, state)
        except Exception as error:  # torch.load raises whatever a broken file makes it raise
            aside = path.with_name(f"{path.name}.bad")
            path.replace(aside)
            warn(f"{path} cannot be used ({one_line(error)}): set aside as {aside.name}")
            continue
        return state
    return None


def _check(folder: Path, run: str, state: Any) -> None:
    """ValueError unless `state` is a checkpoint of this run whose tables are still there."""
    if not isinstance(state, dict) or "format" not in state:
        raise ValueError("it is not a checkpoint")
    if state["format"] != FORMAT:
        raise ValueError(f"its format is {state['format']}, that of another version; expected {FORMAT}")
    if state.get("run") != run:
        raise ValueError(f"it belongs to run {state.get('run')}")
    for name, size in state["sizes"].items():
        if not (folder / name).exists() or (folder / name).stat().st_size < size:
            raise ValueError(f"{name} is shorter than it was")
