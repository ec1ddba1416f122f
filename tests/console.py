"""The command `ppo` as a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environment(**variables: str) -> dict[str, str]:
    """Of a process that finds our packages as it would installed ones."""
    return os.environ | {"PYTHONPATH": str(ROOT)} | variables
