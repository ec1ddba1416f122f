"""The SLURM launcher on a real SLURM: `eval "$(tests/slurm/start.sh)"` starts one; without it all here is skipped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.small import records, times_finished

HERE = Path(__file__).parent


def slurm_answers() -> bool:
    try:
        return subprocess.run(["scontrol", "ping"], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if not slurm_answers():
    if os.environ.get("REQUIRE_SLURM"):
        raise RuntimeError("REQUIRE_SLURM is set, but there is no SLURM here: scontrol ping does not answer")
    pytest.skip("no SLURM here: start one with tests/slurm/start.sh", allow_module_level=True)

pytestmark = pytest.mark.slow


def sweeps(*arguments: str, expect: int | None = 0) -> str:
    """What a command of ours prints."""
    command = [sys.executable, "-m", "sweeps", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert expect is None or done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def status(*arguments: str) -> dict[str, Any]:
    return json.loads(sweeps("status", *arguments, "--json", expect=None))


def squeue(*arguments: str) -> str:
    return subprocess.run(["squeue", "-h", *arguments], capture_output=True, text=True, check=True).stdout


def wait_until(what: str, holds: Callable[[], Any], seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, f"waited in vain until {what}\n{squeue('--array')}"
        time.sleep(0.5)
    return value


def running(store: Path) -> dict[str, list[dict[str, Any]]]:
    """Array task -> the status.json of the runs that it trains and that have taken steps."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for path in store.rglob("status.json"):
        found = json.loads(path.read_text())
        if found["state"] == "running" and found["step"] > 0:
            tasks.setdefault(found["slurm"]["SLURM_ARRAY_TASK_ID"], []).append(found)
    return tasks


def test_a_smoke_sweep_on_slurm_preempted_and_killed_ends_with_the_local_bytes(tmp_path: Path) -> None:
    longer = ["smoke", "total_steps=40960", "checkpoint_seconds=5"]
    local, store = [*longer, f"outputs={tmp_path / 'local'}"], [*longer, f"outputs={tmp_path / 'slurm'}"]
    slurm = ["launcher=slurm", "launcher.pack_size=3", "launcher.memory_gb=1", "launcher.time=30"]
    printed = sweeps("run", *store, *slurm)
    assert re.search(r"submitted 4 packs as job \d+", printed), printed
    assert set(status(*store)["counts"]) <= {"queued", "running"}
    assert "submitted" not in sweeps("run", *store, *slurm), "what is queued or running is not submitted twice"

    wait_until("all four packs run", lambda: len(running(tmp_path / "slurm")) == 4)
    urgent = ["sbatch", "--partition=urgent", "--mem=1G", f"--output={os.devnull}", "--wrap=sleep 10"]
    subprocess.run(urgent, check=True, capture_output=True)
    preempted = wait_until("one pack has saved", lambda: interrupted_tasks(tmp_path / "slurm"))
    print("preempted:", preempted)
    task, found = next((t, h) for t, h in running(tmp_path / "slurm").items() if t not in preempted)
    os.kill(found[0]["pid"], signal.SIGKILL)
    print("killed: task", task, "at step", found[0]["step"])

    wait_until("the queue is empty", lambda: not squeue("--me"))
    counts = status(*store)["counts"]
    assert counts == {"done": 9, "lost": 3}, counts
    assert "submitted 1 pack " in sweeps("run", *store, *slurm)
    wait_until("the queue is empty again", lambda: not squeue("--me"))
    assert status(*store)["counts"] == {"done": 12}
    sweeps("status", *store)
    sweeps("run", *local)
    assert records(tmp_path / "slurm") == records(tmp_path / "local")
    assert len(records(tmp_path / "slurm")) == 12
    assert times_finished(tmp_path / "slurm") == {1}
    for log in sorted((tmp_path / "slurm").rglob("log.txt")):
        print(log.parent.name, log.read_text(), sep="\n")


def interrupted_tasks(store: Path) -> list[str]:
    """Array tasks that saved and put themselves back into the queue."""
    logs = store.glob("sweeps/smoke/slurm/*_log.*")
    return sorted({log.name.split("_")[1] for log in logs if "Exiting gracefully after preemption" in log.read_text()})


def test_a_partition_that_sbatch_refuses_is_told_in_its_own_words_and_leaves_nothing_queued(tmp_path: Path) -> None:
    sweep = ["smoke", f"outputs={tmp_path}"]
    printed = sweeps("run", *sweep, "launcher=slurm", "launcher.partition=nosuch", expect=2)
    assert printed.strip().splitlines()[-1].startswith("SLURM refuses the job:")
    assert "invalid partition" in printed
    assert status(*sweep)["counts"] == {"new": 12}


def test_cancel_empties_the_queue_and_what_ran_is_saved(tmp_path: Path) -> None:
    sweep = ["smoke", "total_steps=2048000", f"outputs={tmp_path}"]
    sweeps("run", *sweep, "launcher=slurm", "launcher.pack_size=12", "launcher.memory_gb=1")
    wait_until("a pack runs", lambda: running(tmp_path))
    assert "cancelled" in sweeps("cancel", *sweep)
    wait_until("the queue is empty", lambda: not squeue("--me", "--name=ppo-smoke"))
    counts = status(*sweep)["counts"]
    assert counts.get("planned", 0) >= 6
    assert "nothing of sweep smoke is running" in sweeps("cancel", *sweep)


def test_a_pack_whose_time_is_over_saves_and_is_requeued(tmp_path: Path) -> None:
    sweep = ["smoke", "env=reacher", "total_steps=409600", f"outputs={tmp_path}"]
    # 15 minutes less 14:45: fifteen seconds of training at a time.
    times = ["launcher.time=15", "launcher.stop_seconds=885"]
    sweeps("run", *sweep, "launcher=slurm", "launcher.memory_gb=1", "launcher.pack_size=6", *times)
    logs = wait_until("it begins again", lambda: [p for p in tmp_path.rglob("log.txt") if "attempt 2" in p.read_text()])
    assert "interrupted at step" in logs[0].read_text()
    assert "starts at step 0 " not in logs[0].read_text().partition("attempt 2")[2]
    sweeps("cancel", *sweep)
    wait_until("the queue is empty", lambda: not squeue("--me", "--name=ppo-smoke"))


@pytest.mark.parametrize("how", ["preempted", "signalled"])
def test_a_pack_that_is_preempted_before_it_can_save_is_requeued_and_trained(tmp_path: Path, how: str) -> None:
    """Its process has just started: Python, NumPy and torch take seconds to load."""
    sweep = ["smoke", "env=inverted_pendulum", "seed=0", "total_steps=4096", f"outputs={tmp_path}"]
    sweeps("run", *sweep, "launcher=slurm", "launcher.memory_gb=1", "launcher.cpus=4", "launcher.workers=1")
    (job,) = json.loads(next(tmp_path.rglob("jobs.json")).read_text())
    if how == "preempted":
        wait_until("it runs", lambda: squeue(f"--job={job}", "--states=RUNNING"))
        urgent = ["sbatch", "--partition=urgent", "--mem=100M", f"--output={os.devnull}", "--wrap=sleep 5"]
        subprocess.run(urgent, check=True, capture_output=True)
    else:
        wait_until("it is up, or gone", lambda: signalled(job) and (is_up(tmp_path) or not squeue("--me")))
        assert is_up(tmp_path)
    wait_until("the queue is empty", lambda: not squeue("--me"))
    assert status(*sweep)["counts"] == {"done": 3}
    assert times_finished(tmp_path) == {1}
    log = next(tmp_path.rglob("log.txt"))
    print(log.read_text(), printed_by_tasks(tmp_path), sep="\n")


def signalled(job: str) -> bool:
    """Send what SLURM sends before it preempts, again and again."""
    for _ in range(10):
        subprocess.run(["scancel", "--signal=USR2", job], check=False, capture_output=True)
        time.sleep(0.02)
    return True


def is_up(store: Path) -> bool:
    """Whether a task has got to submitit."""
    return "Starting with" in printed_by_tasks(store)


def printed_by_tasks(store: Path) -> str:
    return "\n".join(path.read_text() for path in store.rglob("*_log.*"))
