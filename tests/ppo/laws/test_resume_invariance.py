"""Law 2: killed at any moment and resumed, a run ends with the same bytes as an undisturbed one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.runs.files import write_atomically
from ppo.train import Interrupted, train

RUN = ["algorithm.horizon=256", "algorithm.epochs=2", "total_steps=4096", "compile=false", "checkpoint_seconds=0"]
SEEDS = (0, 1, 2)


def command(outputs: Path) -> list[str]:
    """Three runs in one pack, on the command line."""
    launcher = ["hydra.launcher.workers=1", "hydra.launcher.pack_size=3"]
    return [sys.executable, "-m", "ppo", "-m", *RUN, "seed=0,1,2", f"outputs={outputs}", *launcher]


def folders(outputs: Path) -> list[Path]:
    """The three run folders, by seed."""
    return sorted((outputs / "runs").glob("*/*/seed-*"))


def records(folder: Path) -> tuple[bytes, list[bytes], float]:
    """episodes.csv, updates.csv without speeds, and the score."""
    rows = (folder / "updates.csv").read_bytes().splitlines()
    score = json.loads((folder / "result.json").read_text())["score"]
    return (folder / "episodes.csv").read_bytes(), [row.rpartition(b",")[0] for row in rows], score


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, list[bytes], float]]:
    """What the three runs come to when nothing happens."""
    outputs = tmp_path_factory.mktemp("undisturbed")
    train([compose([*RUN, f"seed={seed}", f"outputs={outputs}"]) for seed in SEEDS])
    return [records(folder) for folder in folders(outputs)]


def stop_after(iterations: int, outputs: Path, seeds: tuple[int, ...] = SEEDS) -> None:
    """Train a pack and interrupt it after some iterations."""
    configs = [compose([*RUN, f"seed={seed}", f"outputs={outputs}"]) for seed in seeds]
    asked = iter(range(iterations))
    with pytest.raises(Interrupted):
        train(configs, stop=lambda: next(asked, None) is None)


def finish(outputs: Path) -> list[tuple[bytes, list[bytes], float]]:
    """Train the three runs to their end, whatever was there, and read them."""
    outcomes = train([compose([*RUN, f"seed={seed}", f"outputs={outputs}"]) for seed in SEEDS])
    return [records(outcome.folder) for outcome in outcomes]


@pytest.mark.slow
def test_runs_killed_at_random_moments_end_with_the_same_bytes(tmp_path: Path, undisturbed: list) -> None:
    moments, kills = random.Random(0), 0
    for _ in range(12):
        process = subprocess.Popen(command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + 60
        while process.poll() is None and not any(tmp_path.rglob("status.json")) and time.time() < deadline:
            time.sleep(0.05)
        time.sleep(moments.uniform(0.0, 2.5))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
    assert kills >= 2, "the runs were over before they could be killed"
    last = subprocess.run(command(tmp_path), capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stdout + last.stderr
    assert [records(folder) for folder in folders(tmp_path)] == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_exits_130_and_the_same_command_goes_on(
    tmp_path: Path, undisturbed: list, number: signal.Signals
) -> None:
    process = subprocess.Popen(command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 60
    while not any(tmp_path.rglob("checkpoint.pt")) and time.time() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "saved" in told
    states = [json.loads((folder / "status.json").read_text())["state"] for folder in folders(tmp_path)]
    assert states == ["planned"] * 3
    assert finish(tmp_path) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("iterations", [1, 7, 15])
def test_an_interrupted_pack_goes_on_with_the_same_bytes(tmp_path: Path, undisturbed: list, iterations: int) -> None:
    stop_after(iterations, tmp_path)
    assert finish(tmp_path) == undisturbed


def test_members_at_different_steps_go_on_in_one_pack(tmp_path: Path, undisturbed: list) -> None:
    stop_after(3, tmp_path, (0,))
    stop_after(9, tmp_path, (1,))
    assert finish(tmp_path) == undisturbed


def test_a_packed_run_goes_on_alone(tmp_path: Path, undisturbed: list) -> None:
    stop_after(5, tmp_path)
    (alone,) = train([compose([*RUN, "seed=1", f"outputs={tmp_path}"])])
    assert records(alone.folder) == undisturbed[1]


def break_file(path: Path, how: str) -> None:
    """Do to a checkpoint what disks and people do."""
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(b"this is no checkpoint")


@pytest.mark.parametrize("how", ["truncated", "empty", "garbage"])
def test_a_broken_checkpoint_is_said_and_set_aside_and_the_last_good_one_used(
    tmp_path: Path, undisturbed: list, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    stop_after(4, tmp_path)
    folder = folders(tmp_path)[0]
    break_file(folder / "checkpoint.pt", how)
    assert finish(tmp_path) == undisturbed
    assert "set aside as checkpoint.pt.bad" in caplog.text
    assert (folder / "checkpoint.pt.bad").exists()
    assert "starts at step 1024 " in (folder / "log.txt").read_text()


def test_without_any_good_checkpoint_a_run_starts_from_zero(tmp_path: Path, undisturbed: list) -> None:
    stop_after(4, tmp_path)
    for name in ("checkpoint.pt", "checkpoint.old.pt"):
        break_file(folders(tmp_path)[0] / name, "truncated")
    assert finish(tmp_path) == undisturbed


@pytest.mark.slow
def test_a_foreign_checkpoint_is_not_used(tmp_path: Path, undisturbed: list) -> None:
    stop_after(4, tmp_path)
    first, second, _ = folders(tmp_path)
    for name in ("checkpoint.pt", "checkpoint.old.pt"):
        shutil.copy(second / name, first / name)
    assert finish(tmp_path) == undisturbed
    assert "belongs to run" in (first / "log.txt").read_text()


@pytest.mark.slow
def test_what_a_kill_can_leave_between_two_writes_does_no_harm(tmp_path: Path, undisturbed: list) -> None:
    stop_after(4, tmp_path)
    first, second, third = folders(tmp_path)
    (first / "checkpoint.pt").unlink()  # killed after the old one was moved away
    (second / "checkpoint.pt.tmp").write_bytes(b"half")  # killed while writing aside
    with (third / "episodes.csv").open("ab") as file:  # killed after an iteration that no checkpoint knows of
        file.write(b"99999,1.0,5\n123")
    assert finish(tmp_path) == undisturbed


def test_a_run_killed_just_before_its_result_is_finished_without_training(tmp_path: Path, undisturbed: list) -> None:
    finish(tmp_path)
    for folder in folders(tmp_path):
        (folder / "result.json").unlink()
    assert finish(tmp_path) == undisturbed
    assert "starts at step 4096 " in (folders(tmp_path)[0] / "log.txt").read_text()


def test_a_resumed_gymnasium_run_ends_with_the_same_bytes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "RUN", [*RUN, "env=gymnasium", "env.id=CartPole-v1"])
    stop_after(3, tmp_path / "resumed")
    assert finish(tmp_path / "resumed") == finish(tmp_path / "undisturbed")
    assert "not exactly" not in caplog.text


def test_a_checkpoint_is_never_seen_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(2, tmp_path, (0,))
    (folder,) = folders(tmp_path)
    good = (folder / "checkpoint.pt").read_bytes()

    def killed(_number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(folder / "checkpoint.pt", b"new")
    assert (folder / "checkpoint.pt").read_bytes() == good
