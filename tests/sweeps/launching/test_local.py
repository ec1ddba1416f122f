"""The local launcher: real processes, in which runs fail, crash and are killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ppo.config.run import to_mapping
from ppo.runs.states import State, standing
from sweeps.__main__ import main
from sweeps.home import PackFile
from sweeps.launching import local
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load
from tests.sweeps.small import TINY, records, times_finished, write_sweep

FAILED, INTERRUPTED = 1, 130
WORKER = local.WORKER


def runs_of(sweep: str, outputs: Path) -> list[Run]:
    return sweep_runs(load(sweep), [*TINY, f"outputs={outputs}"])


def sabotage(monkeypatch: pytest.MonkeyPatch, run: Run, what: str, step: int = 100) -> None:
    monkeypatch.setenv("SABOTAGE", f"{run.hash}:{what}:{step}")
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-m", "tests.sweeps.sabotage"))


def count_starts(store: Path) -> int:
    return len(list(store.glob("sweeps/*/packs/*.json")))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes]]:
    """What the 33 runs come to when nobody disturbs them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main(["run", write_sweep(folder, seeds=11), *TINY, f"outputs={folder}"]) == 0
    return records(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("what", "most_extra"), [("raise", 0), ("SIGSEGV", 2), ("SIGKILL", 3)])
def test_one_of_33_runs_fails_and_its_mates_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    undisturbed: dict[str, tuple[bytes, bytes]], what: str, most_extra: int,
) -> None:  # fmt: skip
    sweep = write_sweep(tmp_path, seeds=11)
    runs = runs_of(sweep, tmp_path)
    poison = runs[20]
    sabotage(monkeypatch, poison, what)
    arguments = ["run", sweep, *TINY, f"outputs={tmp_path}", "launcher.workers=1", "launcher.pack_size=33"]
    assert main(arguments) == FAILED
    states = {run.hash: standing(run.folder).state for run in runs}
    assert states.pop(poison.hash) == State.FAILED
    assert set(states.values()) == {State.DONE}
    assert count_starts(tmp_path) <= 1 + most_extra
    mates = records(tmp_path)
    assert mates == {folder: record for folder, record in undisturbed.items() if folder in mates}
    assert len(mates) == 32
    assert f"    {poison.folder}\n" in capfd.readouterr().out, "the failure is reported at the end"
    assert main(arguments) == FAILED, "a failed run is not trained again unless asked for"
    monkeypatch.setattr(local, "WORKER", WORKER)
    assert main(["retry", *arguments[1:]]) == 0
    assert records(tmp_path) == undisturbed


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweeps", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_a_running_run(runs: list[Run]) -> None:
    """Until one is in training and has written down an iteration."""
    deadline = time.monotonic() + 60
    while not any(standing(run.folder).state == State.RUNNING and iterations(run) for run in runs):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def iterations(run: Run) -> int:
    updates = run.folder / "updates.csv"
    return updates.read_text().count("\n") - 1 if updates.exists() else 0


LONG = ["algorithm.horizon=64", "algorithm.epochs=1", "total_steps=200000", "compile=false"]


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = write_sweep(tmp_path, seeds=1)
    overrides = [*LONG, f"outputs={tmp_path}"]
    arguments = ["run", sweep, *overrides, "launcher.workers=1", "launcher.pack_size=3"]
    runs = sweep_runs(load(sweep), overrides)
    driver = start(*arguments)
    wait_for_a_running_run(runs)
    rival = subprocess.run([sys.executable, "-m", "sweeps", *arguments], capture_output=True, text=True, check=False)
    assert rival.returncode == 2
    assert f"process {driver.pid} on" in rival.stderr
    driver.send_signal(signal.SIGINT)
    printed, _ = driver.communicate(timeout=60)
    assert driver.returncode == INTERRUPTED, printed
    steps = [standing(run.folder).step for run in runs]
    assert all(standing(run.folder).state == State.PLANNED for run in runs)
    assert min(steps) > 0
    again = start(*arguments)
    wait_for_a_running_run(runs)
    assert main(["cancel", *arguments[1:]]) == 0
    again.communicate(timeout=60)
    assert again.returncode == INTERRUPTED
    assert all(f"starts at step {s} " in (r.folder / "log.txt").read_text() for r, s in zip(runs, steps, strict=True))


@pytest.mark.slow
def test_a_driver_that_is_killed_takes_its_workers_along_and_the_next_one_goes_on(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, seeds=1)
    arguments = ["run", sweep, *LONG[:2], "total_steps=50000", "compile=false", f"outputs={tmp_path}"]
    runs = sweep_runs(load(sweep), arguments[2:])
    driver = start(*arguments)
    wait_for_a_running_run(runs)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    following = start(*arguments)
    printed, _ = following.communicate(timeout=120)
    assert following.returncode == 0, printed
    assert times_finished(tmp_path) == {1}


HOLDER = """
import sys, time
from pathlib import Path
from ppo.config.run import to_config
from ppo.runs.folder import RunFolder
import yaml
folder = RunFolder(Path(sys.argv[1]), to_config(yaml.safe_load(sys.stdin.read())))
folder.check()
folder.open()
print("open", flush=True)
while not Path(sys.argv[2]).exists():
    time.sleep(0.1)
folder.pause(0)
"""


@pytest.mark.slow
def test_a_run_that_a_dying_worker_still_has_open_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = write_sweep(tmp_path, seeds=1)
    busy = runs_of(sweep, tmp_path)[0]
    real, release, wait_for = local._launch, tmp_path / "release", local.Pool._wait_for

    def let_go(pool: local.Pool, runs: list[Run], writer: str) -> None:
        """The first pack has been kept out: now the holder may end."""
        release.touch()
        wait_for(pool, runs, writer)

    def launch(file: PackFile) -> subprocess.Popen[bytes]:
        """At the first launch another process has a run open: a worker whose driver was killed, on its way out."""
        monkeypatch.setattr(local, "_launch", real)
        command = [sys.executable, "-c", HOLDER, str(busy.folder), str(release)]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(yaml.safe_dump(to_mapping(busy.config)))
        holder.stdin.close()
        assert holder.stdout.readline() == "open\n"
        return real(file)

    monkeypatch.setattr(local, "_launch", launch)
    monkeypatch.setattr(local.Pool, "_wait_for", let_go)
    assert main(["run", sweep, *TINY, f"outputs={tmp_path}", "launcher.workers=1", "launcher.pack_size=3"]) == 0
    assert times_finished(tmp_path) == {1}
    assert count_starts(tmp_path) > 1, "the first pack was not kept out: nothing was tested"


@pytest.mark.slow
def test_a_pack_whose_process_cannot_be_started_waits_until_another_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = write_sweep(tmp_path, seeds=1)
    started: list[subprocess.Popen[bytes]] = []
    real = local._launch

    def launch(file: PackFile) -> subprocess.Popen[bytes]:
        if any(process.poll() is None for process in started):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        started.append(real(file))
        return started[-1]

    monkeypatch.setattr(local, "_launch", launch)
    sizes = ["launcher.workers=2", "launcher.pack_size=2"]
    assert main(["run", sweep, *TINY, f"outputs={tmp_path}", *sizes]) == 0
    assert len(started) == 2


def test_a_pack_whose_process_can_never_be_started_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def launch(_: PackFile) -> subprocess.Popen[bytes]:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(local, "_launch", launch)
    assert main(["run", write_sweep(tmp_path, seeds=1), *TINY, f"outputs={tmp_path}"]) == FAILED
    assert "no process can be started for it: Resource temporarily unavailable" in "".join(capfd.readouterr())
