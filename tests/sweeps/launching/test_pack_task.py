"""A task of SLURM is requeued if its time is over or it is preempted, and never if somebody has cancelled it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ppo.runs.exits import Exit
from sweeps.launching import slurm, start_task
from sweeps.launching.slurm import PackTask

requeued: list[int] = []


@pytest.fixture(autouse=True)
def submitit() -> Iterator[None]:
    """Submitit's handler, which would put the job back into the queue."""
    requeued.clear()
    before = signal.signal(start_task.SIGNAL, lambda number, _: requeued.append(number))
    yield
    signal.signal(start_task.SIGNAL, before)


def task(monkeypatch: pytest.MonkeyPatch, train: Callable[[Callable[[], bool]], Exit], seconds: float = 1e6) -> None:
    """Run a task whose training is this function of `stop`."""
    monkeypatch.setattr(slurm, "train_pack_file", lambda file, stop: train(stop))
    with pytest.raises(SystemExit):
        PackTask("pack.json", seconds)()


def saved(stop: Callable[[], bool]) -> Exit:
    """A training that asks at once whether to stop."""
    assert stop()
    return Exit.INTERRUPTED


def test_a_task_whose_time_is_over_is_requeued(monkeypatch: pytest.MonkeyPatch) -> None:
    task(monkeypatch, saved, seconds=-1)
    assert requeued == [start_task.SIGNAL]


def test_a_task_that_is_preempted_is_requeued(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(stop: Callable[[], bool]) -> Exit:
        assert not stop()
        signal.raise_signal(start_task.SIGNAL)
        return saved(stop)

    task(monkeypatch, train)
    assert requeued == [start_task.SIGNAL]


def test_a_task_that_is_cancelled_is_not_requeued_even_if_its_time_ends_while_it_saves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(stop: Callable[[], bool]) -> Exit:
        now: Any = time.monotonic
        assert not stop()
        monkeypatch.setattr(time, "monotonic", lambda: now() + 1e9)
        return Exit.INTERRUPTED  # of SIGTERM: `stop` is not asked any more

    task(monkeypatch, train)
    assert requeued == []


def test_a_task_that_fails_is_not_requeued(monkeypatch: pytest.MonkeyPatch) -> None:
    task(monkeypatch, lambda stop: Exit.FAILED, seconds=-1)
    assert requeued == []
