"""The compilers of torch.compile do not hear the signals that ask us to stop, and end with us when we are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ppo.learning import compilers
from ppo.runs.machine import process_lives

COMPILED = ["env=inverted_pendulum", "algorithm.horizon=64", "algorithm.epochs=1", "total_steps=192", "compile=true"]


@pytest.fixture
def module() -> Iterator[Any]:
    """What inductor has in place of `subprocess`."""
    yield compilers._own_subprocess()
    compilers.allow()


SLEEPS = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def test_a_compiler_does_not_hear_a_signal_and_we_still_do(module: Any) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    process = module.Popen(SLEEPS, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    for number in compilers.HELD_BACK:
        process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_killing_takes_what_a_compiler_has_started_and_lets_none_start_until_allowed(module: Any) -> None:
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    process = module.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    grandchild = int(process.stdout.readline())
    bystander = subprocess.Popen(["sleep", "60"])
    compilers.kill()
    assert process.wait() == -signal.SIGKILL
    assert all_end([grandchild])
    assert process_lives(bystander.pid)
    bystander.kill()
    bystander.wait()
    with pytest.raises(OSError, match="stopped"):
        module.run(["true"], check=True)
    compilers.allow()
    assert module.run(["true"], check=True).returncode == 0


def test_errors_of_a_compiler_are_those_of_subprocess(module: Any) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        module.check_output(["false"])
    with pytest.raises(subprocess.TimeoutExpired):
        module.run(["sleep", "60"], timeout=0.1)


def test_inductor_starts_its_processes_through_ours() -> None:
    compilers.shield()
    from torch._inductor import cpp_builder, cpu_vec_isa

    for starter in (cpp_builder, cpu_vec_isa):
        assert starter.subprocess is not subprocess
        assert starter.subprocess.Popen.__name__ == "Shielded"


def all_end(pids: list[int]) -> bool:
    """Whether killed processes end: the kernel takes a moment."""
    for _ in range(100):
        if not any(process_lives(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def train(folder: Path, name: str) -> subprocess.Popen[str]:
    """A training that compiles from nothing, in a process group of its own, as a shell starts it."""
    command = [sys.executable, "-m", "ppo", *COMPILED, f"run_dir={folder / name}"]
    environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(folder / f"cache-{name}"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, process_group=0
    )


def wait_for_compiler(process: subprocess.Popen[str]) -> list[int]:
    """The compiler's processes, once it compiles."""
    while process.poll() is None:
        found = [pid for pid in compilers.with_descendants([process.pid])[1:] if b"cc1plus" in comm(pid)]
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def comm(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/comm").read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_compiling_saves_exits_130_and_the_run_goes_on_with_the_same_bytes(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = train(tmp_path, "run")
    wait_for_compiler(process)
    os.killpg(process.pid, number)  # as a terminal does
    out, err = process.communicate()
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert "interrupted" in err.splitlines()[-1]
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "planned"
    for name in ("run", "undisturbed"):
        ended = train(tmp_path, name)
        ended.communicate()
        assert ended.returncode == 0
    assert (tmp_path / "run" / "episodes.csv").read_bytes() == (tmp_path / "undisturbed" / "episodes.csv").read_bytes()


@pytest.mark.slow
def test_a_second_ctrl_c_while_compiling_leaves_no_compiler_behind(tmp_path: Path) -> None:
    process = train(tmp_path, "run")
    running = wait_for_compiler(process)
    os.killpg(process.pid, signal.SIGINT)
    told = threading.Event()
    assert process.stderr is not None
    for line in process.stderr:  # until it says that it has understood
        if "again to stop at once" in line:
            told.set()
            break
    assert told.is_set()
    running = compilers.with_descendants([process.pid])[1:]
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert all_end(running)
