"""A call of foreign code that takes longer than it may is interrupted; one that cannot be is ended with its process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ppo.envs.foreign import Foreign
from ppo.envs.watchdog import GRACE, INTERRUPT, Timer, Watch, watching


def looks(timer: Timer, count: int, passed: float | None = None) -> list[str | None]:
    return [timer.look(timer.pause if passed is None else passed) for _ in range(count)]


def running(lane: int = 0) -> Watch:
    watch = Watch()
    watch.calls, watch.lane = 1, lane
    return watch


def test_a_call_is_interrupted_after_its_lanes_limit_and_killed_after_a_grace_time() -> None:
    timer = Timer(running(1), [1e9, 600.0])
    timer.look(1.0)
    found = [timer.look(1.0) for _ in range(620)]
    assert found.index("interrupt") == 600
    assert found.index("kill") == 600 + int(GRACE)
    assert found.count("interrupt") == 1
    assert timer.watch.late == (1, 600.0)


def test_the_spare_lane_of_a_pack_has_a_limit_too() -> None:
    timer = Timer(running(1), [1.0])
    assert looks(timer, 30).count("interrupt") == 1


def test_calls_that_come_back_are_left_alone() -> None:
    watch = running()
    timer = Timer(watch, [1.0])
    for _ in range(1000):
        watch.calls += 1
        assert looks(timer, 15) == [None] * 15
    watch.lane = -1
    assert looks(timer, 1000) == [None] * 1000


def test_a_process_that_was_suspended_is_not_taken_for_a_hang() -> None:
    timer = Timer(running(), [600.0])
    assert looks(timer, 5, passed=1e6) == [None] * 5


def test_a_call_that_ends_before_the_interruption_arrives_is_not_interrupted() -> None:
    watch = running()
    watch.late = (1, 600.0)
    watch.calls = 2
    watch.interrupt(0, None)
    assert watch.late is None


def test_sleeping_code_is_interrupted_and_fails_its_lane() -> None:
    guard, before = Foreign(np.zeros(3, np.uint32)), signal.getsignal(INTERRUPT)
    with watching([0.2, 0.3]):
        guard.refresh()
        with pytest.raises(TimeoutError, match=r"one step took more than 0\.3 seconds"):
            guard.call(1, time.sleep, 60)
        assert guard.call(0, int, "7") == 7
    assert signal.getsignal(INTERRUPT) is before
    assert not any(thread.name == "watchdog" for thread in threading.enumerate())


def test_code_that_catches_every_exception_is_interrupted_too() -> None:
    def stubborn() -> None:
        while True:
            try:
                time.sleep(60)
            except Exception:
                continue

    guard = Foreign(np.zeros(3, np.uint32))
    with watching([0.2]), pytest.raises(TimeoutError):
        guard.call(0, stubborn)


STUCK = """
import ctypes, signal, sys, time
import numpy as np
from ppo.envs.foreign import Foreign
from ppo.envs.watchdog import watching

def blocked():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True:
        time.sleep(1)

def swallowing():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

marker = np.memmap(sys.argv[2], np.uint32, "w+", shape=(3,))
guard = Foreign(marker)
with watching([0.2, 0.2]):
    guard.call(1, globals()[sys.argv[1]])
"""


@pytest.mark.parametrize("how", ["blocked", "swallowing"])
def test_code_that_cannot_be_interrupted_is_killed_with_its_lane_in_the_marker(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUCK, how, str(tmp_path / "marker")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode in (-signal.SIGVTALRM, -signal.SIGKILL)
    assert "took more than 0.2 seconds and cannot be interrupted" in ended.stderr
    assert np.fromfile(tmp_path / "marker", np.uint32)[0] == 2
