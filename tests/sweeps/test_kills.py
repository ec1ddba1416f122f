"""Kill -9 at random moments, then the same command again: the same bytes, and no run trained twice to the end.

KILLS=50 python -m pytest tests/sweeps/test_kills.py -s     for more moments than the usual few
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sweeps.__main__ import main
from tests.sweeps.small import records, times_finished, write_sweep

KILLS = int(os.environ.get("KILLS", "6"))
OVERRIDES = ["algorithm.horizon=128", "algorithm.epochs=2", "total_steps=12800", "checkpoint_seconds=1"]
ENVS = ("inverted_pendulum", "reacher")


def children(pid: int) -> list[int]:
    """A process's workers."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill_something(rng: random.Random, driver: subprocess.Popen[bytes]) -> str:
    """The driver, one of its workers, or all of them."""
    workers = children(driver.pid)
    victim = rng.choice(["driver", "worker", "all"])
    one = rng.sample(workers, min(1, len(workers)))
    for pid in {"driver": [driver.pid], "worker": one, "all": [driver.pid, *workers]}[victim]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return f"{victim} of {len(workers)} workers"


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    rng = random.Random(1)
    reference, store, number = tmp_path / "reference", tmp_path / "0", 0
    sweep = write_sweep(tmp_path, seeds=2, envs=ENVS)
    assert main(["run", sweep, *OVERRIDES, f"outputs={reference}"]) == 0
    expected = records(reference)
    assert len(expected) == 12
    kills = 0
    while kills < KILLS:
        command = [sys.executable, "-m", "sweeps", "run", sweep, *OVERRIDES, f"outputs={store}"]
        driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        moment = rng.uniform(1.0, 9.0)
        try:
            driver.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            kills += 1
            print(f"kill {kills} after {moment:.1f} s: {kill_something(rng, driver)}")
            time.sleep(rng.choice([0.0, 0.0, 0.5]))
            if driver.poll() is None:  # only a worker was killed: the driver copes, or is killed the next time
                continue_until = rng.uniform(1.0, 9.0)
                try:
                    driver.wait(timeout=continue_until)
                except subprocess.TimeoutExpired:
                    driver.kill()
                    kills += 1
                    print(f"kill {kills}: driver after its worker")
        driver.wait()
        if driver.returncode == 0:
            assert records(store) == expected
            assert times_finished(store) == {1}
            store, number = tmp_path / str(number + 1), number + 1
    assert main(["run", sweep, *OVERRIDES, f"outputs={store}"]) == 0
    assert records(store) == expected
    assert times_finished(store) == {1}
