"""What is shown of a pack in training: a line a minute in a log file, and numbers as people read them."""

from __future__ import annotations

import io
import logging
import math
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from ppo import console
from ppo.console import LiveLine, Progress, StderrHandler, clock, count


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pack(**values: Any) -> Any:
    """What progress sees of two lanes."""
    scores = {0: 12.0, 1: float("nan")}
    return SimpleNamespace(**{"size": 2, "steps": [0, 0], "goals": [1000, 1000], "score": scores.get} | values)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, console.__name__)


def test_a_log_file_gets_a_line_at_the_start_one_a_minute_and_one_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    time, lanes = Clock(), pack()
    progress = Progress("Hopper-v5 ppo x2", lanes, time)
    assert len(lines(caplog)) == 1
    assert "0 of 1k steps" in lines(caplog)[0]
    for step in range(1, 100):
        time.now += 1.0
        lanes.steps = [step, step]
        progress.show()
    assert len(lines(caplog)) == 2
    assert " 6%  60 of 1k steps  2 steps/s  15:40 left  score 12" in lines(caplog)[1]
    progress.close()
    assert len(lines(caplog)) == 3
    assert "99 of 1k steps" in lines(caplog)[2]
    progress.close()
    assert len(lines(caplog)) == 3, "nothing is printed twice"


def test_whole_episodes_beyond_the_goal_are_no_more_than_all(caplog: pytest.LogCaptureFixture) -> None:
    time, lanes = Clock(), pack(steps=[1007, 1000])
    progress = Progress("title", lanes, time)
    time.now += 61.0
    progress.show()
    assert "100%" in lines(caplog)[-1]
    assert "left" not in lines(caplog)[-1]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([1.0, 3.0], "scores 1 to 3"), ([5.0, math.nan], "score 5"), ([math.nan, math.nan], "no episode yet")],
)
def test_scores_of_several_lanes_are_a_range_and_no_mean(
    scores: list[float], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    progress = Progress("title", pack(score=scores.__getitem__), Clock())
    progress.show()
    progress.close()
    assert lines(caplog)[-1].endswith(expected)


def test_a_terminal_shows_warnings_above_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    line = LiveLine("title")
    line.draw(0.5, "half")
    StderrHandler().emit(logging.makeLogRecord({"msg": "a warning"}))
    line.draw(1.0, "all")
    line.close()
    seen = terminal.getvalue()
    assert seen.index("half") < seen.index("a warning") < seen.index("all")


def test_numbers_are_short() -> None:
    assert [count(n) for n in (0, 999, 2048, 410_000, 1_020_000)] == ["0", "999", "2.05k", "410k", "1.02M"]
    assert [clock(s) for s in (0, 59.6, 125, 3725)] == ["0:00", "1:00", "2:05", "1:02:05"]
