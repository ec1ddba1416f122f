"""A guard around the environments of three lanes, as while a pack is trained."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ppo.envs.foreign import Foreign
from ppo.envs.process import set_handler


@pytest.fixture
def _as_in_training() -> Iterator[None]:
    """SIGINT is noted, as while `train` runs."""
    before = set_handler(signal.SIGINT, lambda *_: None)
    yield
    set_handler(signal.SIGINT, before)


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Foreign:
    guard = Foreign(np.zeros(4, np.uint32))
    real = guard.call

    def call(*args: Any) -> Any:
        guard.refresh()  # pytest has changed os.environ since the fixture was made
        monkeypatch.setattr(guard, "call", real)
        return real(*args)

    monkeypatch.setattr(guard, "call", call)
    return guard
