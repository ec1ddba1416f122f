"""Checkpoints opened and written by hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from ppo.runs.checkpoints import packed, unpacked


def read_state(path: Path) -> dict[str, Any]:
    """The state in a checkpoint."""
    state: dict[str, Any] = torch.load(io.BytesIO(unpacked(path.read_bytes())[1]), weights_only=True)
    return state


def rewrite(path: Path, state: dict[str, Any] | None = None, **header: Any) -> None:
    """Write a checkpoint again with another state or other keys of its header, whole by its own sha256."""
    before, payload = unpacked(path.read_bytes())
    file = io.BytesIO(bytes(payload))
    if state is not None:
        file = io.BytesIO()
        torch.save(state, file)
    path.write_bytes(packed(before | header, file.getvalue()))
