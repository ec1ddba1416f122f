"""The state of a run, from hand-written folders: the result, then the heartbeat, then the process (law 4)."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ppo.runs.locks import acquire
from ppo.runs.machine import process_lives
from ppo.runs.states import FRESH_SECONDS, Standing, State, standing
from tests.sweeps.folders import ELSEWHERE, dead_pid, write_done, write_status

SILENT = 2 * FRESH_SECONDS


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Another process, alive."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def zombie() -> subprocess.Popen[bytes]:
    """A process that has ended and that nobody waited for."""
    process = subprocess.Popen(["/bin/true"])
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    return process


# -- not yet, or for the time being ------------------------------------------------------------------------------------


def test_a_run_without_a_folder_is_new(tmp_path: Path) -> None:
    assert standing(tmp_path / "none") == Standing(State.NEW, {}, {})


def test_a_folder_without_a_status_is_new(tmp_path: Path) -> None:
    (tmp_path / "log.txt").touch()
    assert standing(tmp_path).state == State.NEW


@pytest.mark.parametrize("state", ["planned", "failed"])
def test_a_run_that_nobody_trains_is_what_its_status_says(tmp_path: Path, state: str) -> None:
    write_status(tmp_path, state, step=64, error="ValueError: no")
    found = standing(tmp_path)
    assert (found.state, found.step, found.status["error"], found.result) == (State(state), 64, "ValueError: no", {})


# -- running -----------------------------------------------------------------------------------------------------------


def test_a_run_whose_process_lives_is_running(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_status(tmp_path, "running", pid=sleeper.pid)
    found = standing(tmp_path)
    assert found.state == State.RUNNING
    assert found.where.startswith(f"process {sleeper.pid} on ")


def test_a_run_whose_process_has_ended_is_lost_however_young_its_heartbeat(tmp_path: Path) -> None:
    write_status(tmp_path, "running", pid=dead_pid())
    assert standing(tmp_path).state == State.LOST


def test_a_run_is_lost_as_soon_as_its_process_is_killed(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_status(tmp_path, "running", pid=sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert standing(tmp_path).state == State.LOST


def test_a_zombie_trains_nothing(tmp_path: Path) -> None:
    process = zombie()
    write_status(tmp_path, "running", pid=process.pid)
    found = standing(tmp_path)
    process.wait()
    assert found.state == State.LOST


def test_a_living_process_that_is_silent_and_has_no_lock_is_another_program(tmp_path: Path) -> None:
    write_status(tmp_path, "running", heartbeat=time.time() - SILENT)
    assert standing(tmp_path).state == State.LOST
    (tmp_path / ".lock").touch()
    assert standing(tmp_path).state == State.LOST


def test_a_living_process_that_is_silent_and_has_the_lock_is_running(tmp_path: Path) -> None:
    write_status(tmp_path, "running", heartbeat=time.time() - SILENT)
    lock = acquire(tmp_path / ".lock")
    assert lock is not None
    assert standing(tmp_path).state == State.RUNNING
    lock.close()
    assert standing(tmp_path).state == State.LOST


def test_looking_at_a_silent_run_leaves_its_lock_to_the_next_writer(tmp_path: Path) -> None:
    write_status(tmp_path, "running", heartbeat=time.time() - SILENT)
    (tmp_path / ".lock").touch()
    standing(tmp_path)
    lock = acquire(tmp_path / ".lock")
    assert lock is not None
    lock.close()


def test_a_clock_that_is_ahead_proves_no_life(tmp_path: Path) -> None:
    write_status(tmp_path, "running", host=ELSEWHERE, heartbeat=time.time() + 10 * SILENT)
    assert standing(tmp_path).state == State.UNKNOWN


@pytest.mark.parametrize(
    ("age", "state"),
    [(0.0, State.RUNNING), (FRESH_SECONDS - 1, State.RUNNING), (FRESH_SECONDS, State.UNKNOWN), (1e6, State.UNKNOWN)],
)
def test_a_run_elsewhere_is_running_while_it_is_heard_and_then_unknown_not_dead(
    tmp_path: Path, age: float, state: State
) -> None:
    write_status(tmp_path, "running", host=ELSEWHERE, pid=dead_pid(), heartbeat=5e8)
    assert standing(tmp_path, now=5e8 + age).state == state


# -- done --------------------------------------------------------------------------------------------------------------


def test_a_run_with_its_result_is_done(tmp_path: Path) -> None:
    write_done(tmp_path, score=12.5)
    found = standing(tmp_path)
    assert (found.state, found.result["score"], found.step) == (State.DONE, 12.5, 256)


def test_a_run_killed_between_its_result_and_its_status_is_done(tmp_path: Path) -> None:
    write_done(tmp_path)
    write_status(tmp_path, "running", pid=dead_pid(), step=192)
    found = standing(tmp_path)
    assert (found.state, found.step) == (State.DONE, 256)


def test_a_result_without_a_status_is_done(tmp_path: Path) -> None:
    write_done(tmp_path)
    (tmp_path / "status.json").unlink()
    assert standing(tmp_path).state == State.DONE


def test_a_run_that_says_done_and_has_no_result_is_not_done(tmp_path: Path) -> None:
    write_status(tmp_path, "done")
    assert standing(tmp_path).state == State.LOST


# -- broken files ------------------------------------------------------------------------------------------------------

BROKEN = [b"", b"{", b'{"state": "runn', b"null", b"[]", b'"done"', b"\x00\xff\xfe", b"3", b"{}\n{}"]


@pytest.mark.parametrize("content", BROKEN)
def test_a_status_that_cannot_be_read_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    found = standing(tmp_path)
    assert found.state == State.DAMAGED
    assert found.damage.startswith("status.json")


@pytest.mark.parametrize("content", [None, *BROKEN])
def test_a_status_that_cannot_be_read_hides_no_good_result(tmp_path: Path, content: bytes | None) -> None:
    write_done(tmp_path, score=12.5)
    (tmp_path / "status.json").unlink()
    if content is not None:
        (tmp_path / "status.json").write_bytes(content)
    found = standing(tmp_path)
    assert (found.state, found.result["score"], found.damage) == (State.DONE, 12.5, "")


@pytest.mark.parametrize("content", [*BROKEN, b"{}", b'{"a": 1}'])
@pytest.mark.parametrize("state", ["done", "running", "planned", "failed"])
def test_a_result_that_cannot_be_read_is_damage_whatever_the_status_says(
    tmp_path: Path, content: bytes, state: str
) -> None:
    write_done(tmp_path)
    write_status(tmp_path, state)
    (tmp_path / "result.json").write_bytes(content)
    found = standing(tmp_path)
    assert (found.state, found.result) == (State.DAMAGED, {})
    assert found.damage.startswith("result.json")


def test_a_status_that_was_cut_anywhere_never_raises(tmp_path: Path) -> None:
    write_status(tmp_path, "running", pid=dead_pid(), step=64)
    content = (tmp_path / "status.json").read_bytes()
    for length in range(len(content)):
        (tmp_path / "status.json").write_bytes(content[:length])
        assert standing(tmp_path).state == State.DAMAGED


@pytest.mark.parametrize(
    "keys", [{"pid": "x"}, {"attempts": "x"}, {"pid": None}, {"pid": 1.5}, {"host": None}, {"heartbeat": None}]
)
def test_a_value_of_the_wrong_kind_never_raises(tmp_path: Path, keys: dict[str, Any]) -> None:
    write_status(tmp_path, "running", **keys)
    found = standing(tmp_path)
    assert found.state in (State.LOST, State.RUNNING)
    assert found.step == 0


@pytest.mark.parametrize("keys", [{"heartbeat": "soon"}, {"step": "many"}, {"pid": 10**30}, {"step": [1]}], ids=str)
def test_a_value_that_no_conversion_takes_never_raises(tmp_path: Path, keys: dict[str, Any]) -> None:
    write_status(tmp_path, "running", **keys)
    found = standing(tmp_path)
    assert found.state in (State.LOST, State.RUNNING)
    assert found.step == 0


@pytest.mark.parametrize("state", ["asleep", 3, ["running"], {"a": 1}, True])
def test_a_status_without_a_state_is_damage(tmp_path: Path, state: Any) -> None:
    (tmp_path / "status.json").write_text(json.dumps({"state": state}))
    assert standing(tmp_path).state == State.DAMAGED


# -- processes ---------------------------------------------------------------------------------------------------------


def test_only_numbers_of_living_processes_live() -> None:
    assert process_lives(os.getpid())
    assert process_lives(1), "a process of somebody else's"
    assert not any(process_lives(pid) for pid in (dead_pid(), None, "1", 1.0))


