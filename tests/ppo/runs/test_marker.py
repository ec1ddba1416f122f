"""A marker says for which run its process was working, after the process is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ppo.runs.marker import make_marker, marked_run

RUNS = ["00000000", "0badf00d", "ffffffff"]
DIE = """
import os, signal, sys
from pathlib import Path
from ppo.runs.marker import make_marker
marker = make_marker(Path(sys.argv[1]), ["00000000", "0badf00d", "ffffffff"])
marker[0] = 3
marker[0] = 2
os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pack.marker"


def test_a_new_marker_names_nobody(path: Path) -> None:
    make_marker(path, RUNS)
    assert marked_run(path) is None


@pytest.mark.parametrize("lane", range(3))
def test_the_lane_that_is_worked_for_is_named_by_its_run(path: Path, lane: int) -> None:
    marker = make_marker(path, RUNS)
    marker[0] = lane + 1
    assert marked_run(path) == RUNS[lane]
    marker[0] = 0
    assert marked_run(path) is None


def test_a_marker_knows_the_run_of_every_lane(path: Path) -> None:
    assert [f"{run:08x}" for run in make_marker(path, RUNS)[1:].tolist()] == RUNS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_what_was_marked_last_outlives_its_process(path: Path, number: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", DIE, str(path), str(int(number))], check=False, env=environment)
    assert done.returncode == -number
    assert marked_run(path) == "0badf00d"


def test_eight_digits_of_a_hash_are_marked(path: Path) -> None:
    marker = make_marker(path, ["0badf00d" + "f" * 56, "1" * 64])
    marker[0] = 1
    assert marked_run(path) == "0badf00d"
    marker[0] = 2
    assert marked_run(path) == "11111111"


def test_a_marker_is_made_anew_over_an_old_one(path: Path) -> None:
    make_marker(path, RUNS)[0] = 3
    marker = make_marker(path, ["00000001"])
    assert marked_run(path) is None
    marker[0] = 1
    assert marked_run(path) == "00000001"


def test_without_a_file_a_marker_is_kept_in_memory(tmp_path: Path) -> None:
    marker = make_marker(None, RUNS)
    marker[0] = 1
    assert marker.tolist() == [1, 0, 0x0BADF00D, 0xFFFFFFFF]
    assert not list(tmp_path.iterdir())


def test_without_a_file_to_read_nobody_is_named(path: Path) -> None:
    assert marked_run(path) is None
    assert marked_run(path.parent) is None


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x01\x00\x00\x00", b"\x09\x00\x00\x00" * 3, b"\xff" * 9])
def test_a_broken_marker_names_nobody(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert marked_run(path) is None


def test_a_lane_that_does_not_exist_is_nobodys(path: Path) -> None:
    marker = make_marker(path, RUNS)
    marker[0] = np.uint32(4)
    assert marked_run(path) is None
