"""A sweep's own folder: its runs, one driver at a time, packs that read back as they were written, its jobs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.errors import UserError
from ppo.runs.files import write_json
from ppo.runs.row import read_rows
from ppo.runs.store import folder_of
from sweeps import home as module
from sweeps.home import Home, PackFile, homes
from sweeps.planning.runs import listed_runs
from tests.sweeps.declared import fake_run
from tests.sweeps.folders import ELSEWHERE, dead_pid

DRIVE = """
import sys
from pathlib import Path
from sweeps.home import Home
home = Home(Path(sys.argv[1]), "tiny")
home.open()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def rival(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that drives the sweep `tiny`."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVE, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path, "tiny")
    yield home
    home.close()


# -- one driver --------------------------------------------------------------------------------------------------------


def test_a_second_driver_is_refused_with_the_firsts_pid_and_host(rival: subprocess.Popen[str], tmp_path: Path) -> None:
    second = Home(tmp_path, "tiny")
    before = (second.path / "driver.json").read_bytes()
    with pytest.raises(UserError) as error:
        second.open()
    who = f"process {rival.pid} on {socket.gethostname()}"
    assert who in str(error.value)
    assert (second.path / "driver.json").read_bytes() == before


def test_a_refused_driver_does_not_take_back_what_was_asked_of_the_first(
    rival: subprocess.Popen[str], tmp_path: Path
) -> None:
    second = Home(tmp_path, "tiny")
    second.cancel_request.touch()
    with pytest.raises(UserError):
        second.open()
    assert second.cancel_request.exists()


def test_another_sweep_of_the_store_can_be_driven_meanwhile(rival: subprocess.Popen[str], tmp_path: Path) -> None:
    other = Home(tmp_path, "other")
    other.open()
    assert other.driver()["pid"] == os.getpid()
    other.close()


def test_the_driver_can_be_seen_by_everybody(rival: subprocess.Popen[str], home: Home) -> None:
    assert home.driver()["pid"] == rival.pid
    assert home.driver()["host"] == socket.gethostname()


def test_after_a_kill_nobody_drives_and_the_next_one_can(rival: subprocess.Popen[str], home: Home) -> None:
    rival.kill()
    rival.wait()
    assert (home.path / "driver.json").exists()
    assert home.driver() == {}
    home.open()
    assert home.driver()["pid"] == os.getpid()


def test_who_closes_leaves_no_driver_behind(home: Home) -> None:
    home.open()
    home.close()
    assert home.driver() == {}
    assert not (home.path / "driver.json").exists()
    home.open()


def driven_elsewhere(home: Home, age: float | None) -> None:
    """A driver of another machine whose last heartbeat was some seconds ago."""
    home.path.mkdir(parents=True)
    beat = {} if age is None else {"heartbeat": time.time() - age}
    write_json(home.path / "driver.json", {"pid": dead_pid(), "host": ELSEWHERE} | beat)


def test_a_driver_of_another_machine_that_was_heard_of_lately_keeps_others_from_driving(home: Home) -> None:
    driven_elsewhere(home, age=20.0)
    assert home.driver()["host"] == ELSEWHERE
    with pytest.raises(UserError, match=f"on {ELSEWHERE} .*silent for 120 s"):
        home.open()
    write_json(home.path / "driver.json", home.driver() | {"heartbeat": 0.0})
    home.open()


@pytest.mark.parametrize("age", [3600.0, -3600.0, None])  # silent, a clock that was ahead, one of an older version
def test_a_driver_of_another_machine_that_is_silent_is_taken_over(home: Home, age: float | None) -> None:
    driven_elsewhere(home, age)
    assert home.driver() == {}
    home.open()
    assert home.driver()["host"] == socket.gethostname()


def test_a_driver_is_heard_of_again_and_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.open()
    first = home.driver()["heartbeat"]
    home.beat()
    assert home.driver()["heartbeat"] == first, "not at once"
    monkeypatch.setattr(module, "BEAT_SECONDS", -1.0)
    home.beat()
    assert home.driver()["heartbeat"] > first
    monkeypatch.setattr(module, "write_json", fail)
    home.beat()


def fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}'])
def test_a_driver_file_that_makes_no_sense_never_raises(home: Home, content: str) -> None:
    home.path.mkdir(parents=True)
    (home.path / "driver.json").write_text(content)
    assert home.driver().get("host") is None


def test_a_store_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written") as error:
        Home(tmp_path / "file", "tiny").open()
    assert "\n" not in str(error.value)


# -- cancelling --------------------------------------------------------------------------------------------------------


def test_a_request_to_cancel_is_a_file_that_a_new_driver_forgets(home: Home) -> None:
    home.path.mkdir(parents=True)
    home.cancel_request.touch()
    assert home.cancel_request.exists()
    home.open()
    assert not home.cancel_request.exists()


# -- packs -------------------------------------------------------------------------------------------------------------

PACK = [
    ["surrogate=none", "algorithm.adam_epsilon=1e-8", "total_steps=1e6"],
    ["surrogate=clip_log", "surrogate.reading=objective", "algorithm.max_grad_norm=0.5", "seed=3"],
    ["surrogate=kl_adaptive", "network.hidden=[]", "compile=false", "checkpoint_seconds=0.5"],
    ["algorithm=random", "env=gymnasium", "env.id=CartPole-v1"],
]


def test_a_pack_is_read_back_as_it_was_written(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = listed_runs([compose(overrides) for overrides in PACK])
    file = home.write_pack(runs)
    assert file.working_directory() == tmp_path
    assert file.runs() == [(run.config, run.folder) for run in runs]


def test_relative_outputs_start_from_the_folder_where_the_pack_was_written(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    file = home.write_pack(listed_runs([compose(["outputs=store"])]))
    monkeypatch.chdir("/")
    ((config, folder),) = file.runs()
    assert file.working_directory() == tmp_path / "project"
    assert Path.cwd() == Path("/"), "reading changes no state of the process"
    assert folder == folder_of(config)
    assert folder.is_relative_to(Path("store") / "runs")


def test_the_same_pack_written_twice_in_a_second_is_two_files(home: Home) -> None:
    files = [home.write_pack([fake_run("00")]) for _ in range(3)]
    assert len({file.path for file in files}) == 3
    assert len({file.log for file in files} | {file.marker for file in files}) == 6
    assert all(file.path.parent == home.path / "packs" for file in files)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"runs": []}', '{"runs": 3}', '{"runs": [{}]}'])
def test_a_pack_that_cannot_be_read_is_reported(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "pack.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"pack\.json cannot be read as a pack\.$"):
        (PackFile(path).working_directory(), PackFile(path).runs())


# -- runs --------------------------------------------------------------------------------------------------------------


def test_the_runs_of_a_sweep_are_its_rows(home: Home) -> None:
    home.path.mkdir(parents=True)
    rows = [fake_run(f"{i:08x}").row for i in range(3)]
    home.write_runs(rows)
    assert read_rows(home.path / "runs.json") == rows
    assert json.loads((home.path / "runs.json").read_text())["sweep"] == "tiny"


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_jobs_are_remembered_beside_earlier_ones(home: Home) -> None:
    assert home.jobs() == {}
    home.path.mkdir(parents=True)
    home.add_jobs({"12_0": ["a"], "12_1": ["b", "c"]})
    home.add_jobs({"13_0": ["a"]})
    assert Home(home.path.parents[1], "tiny").jobs() == {"12_0": ["a"], "12_1": ["b", "c"], "13_0": ["a"]}


def test_the_sweeps_of_a_store_are_its_folders(tmp_path: Path) -> None:
    assert homes(tmp_path) == []
    for name in ("b", "a"):
        (tmp_path / "sweeps" / name).mkdir(parents=True)
    (tmp_path / "sweeps" / "notes.txt").touch()
    assert [home.name for home in homes(tmp_path)] == ["a", "b"]
