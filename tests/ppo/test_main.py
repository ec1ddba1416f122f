"""Training by command: what is printed, what is left on disk, and the exit status (laws 3, 4 and 7)."""

from __future__ import annotations

import errno
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ppo.__main__ import main
from ppo.runs import tables
from ppo.runs.files import DISK_FULL
from ppo.runs.states import State, standing

SMALL = ["algorithm.horizon=256", "algorithm.epochs=1", "total_steps=768", "compile=false"]


def only_folder(outputs: Path) -> Path:
    """The one run folder under a store."""
    (folder,) = (outputs / "runs").glob("*/*/*")
    return folder


MISTAKES = {
    "surrogat.epsilon=1": ["surrogat.epsilon", "Did you mean surrogate.epsilon"],
    "surrogate.epsilonn=1": ["surrogate.epsilonn", "Did you mean surrogate.epsilon"],
    "epsilon=0.1": ["epsilon", "Did you mean surrogate.epsilon"],
    "algorithm.clip_range=0.1": ["algorithm.clip_range", "surrogate.epsilon"],
    "env=hoper": ["env=hoper", "Did you mean hopper"],
    "surrogate=clp": ["surrogate=clp", "Did you mean clip"],
    "surrogate.epsilon=0": ["surrogate.epsilon=0", "from 1e-30"],
    "algorithm.lr=-1": ["algorithm.lr=-1", "from 1e-30"],
    "surrogate=kl_adaptive surrogate.d_targ=0": ["surrogate.d_targ=0", "from 1e-30"],
    "surrogate=kl_fixed surrogate.beta=-3": ["surrogate.beta=-3", "from 1e-30"],
    "algorithm.minibatch_size=4096": ["algorithm.minibatch_size=4096", "divisor"],
    "algorithm.minibatch_size=100": ["algorithm.minibatch_size=100", "divisor"],
    "total_steps=100": ["total_steps=100", "one iteration"],
    "env=gymnasium env.id=CartPol-v1": ["env.id=CartPol-v1", "Did you mean CartPole-v1"],
    "env=gymnasium": ["env.id"],
    "env=gymnasium env.id=Blackjack-v1": ["env.id=Blackjack-v1", "Box"],
    "algorithm=trpo surrogate=clip": ["surrogate=clip", "no effect"],
    "seed=0,1": ["seed=0,1", "-m"],
    "seed=1.5": ["seed=1.5", "integer"],
    "surrogate": ["surrogate", "key=value"],
    "compile=perhaps": ["compile=perhaps", "auto or true or false"],
    "run_dir=here": ["outputs=", "no effect", "run_dir=here"],
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=str)
def test_a_mistake_gets_one_sentence_and_exit_2_and_starts_nothing(
    arguments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments.split(), f"outputs={tmp_path / 'store'}"]) == 2
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert all(part in printed.err for part in MISTAKES[arguments]), printed.err
    assert printed.out == ""
    assert not (tmp_path / "store").exists()


def test_cuda_without_cuda_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device=cuda", f"outputs={tmp_path / 'store'}"]) == 2
    assert "device=cuda is invalid" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_run_prints_its_score_and_folder_and_where_it_is_read_later_its_start_and_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ppo", *SMALL, f"outputs={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    folder = only_folder(tmp_path)
    result = json.loads((folder / "result.json").read_text())
    assert done.stdout == f"score {result['score']:.2f}  {folder}\n"
    first, last = done.stderr.splitlines()
    assert "Hopper-v5 ppo clip" in first
    assert "0 of 768 steps" in first
    assert "768 of 768 steps" in last
    assert "\r" not in done.stderr


def test_a_run_folder_holds_what_the_contract_says(tmp_path: Path) -> None:
    main([*SMALL, f"outputs={tmp_path}", "seed=7"])
    folder = only_folder(tmp_path)
    result = json.loads((folder / "result.json").read_text())
    status = json.loads((folder / "status.json").read_text())
    episodes = [line.split(",") for line in (folder / "episodes.csv").read_text().splitlines()]
    assert folder.name == f"seed-7-{result['run'][:12]}"
    assert folder.parent.name.startswith("ppo-clip-epsilon-0.2")
    assert (status["state"], status["attempts"], status["step"], status["error"]) == ("done", 1, 768, None)
    assert episodes[0] == ["step", "return", "length"]
    assert result["episodes"] == len(episodes) - 1
    assert result["score"] == pytest.approx(sum(float(e[1]) for e in episodes[1:][-100:]) / min(len(episodes) - 1, 100))
    assert int(episodes[-1][0]) <= result["steps"] == 768
    assert sum(int(e[2]) for e in episodes[1:]) == int(episodes[-1][0])
    assert len((folder / "updates.csv").read_text().splitlines()) == 1 + 3
    assert {"versions", "commit", "seconds", "processor"} <= set(result)


def test_a_run_already_done_is_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALL, f"outputs={tmp_path}"])
    written = {p: p.stat().st_mtime_ns for p in only_folder(tmp_path).iterdir()}
    assert main([*SMALL, f"outputs={tmp_path}", "surrogate.epsilon=2e-1", "threads=2"]) == 0
    assert "(done before)" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in only_folder(tmp_path).iterdir()} == written


def test_resume_false_trains_again_into_a_fresh_folder(tmp_path: Path) -> None:
    main([*SMALL, f"outputs={tmp_path}"])
    first = only_folder(tmp_path)
    main([*SMALL, f"outputs={tmp_path}", "resume=false"])
    second = first.with_name(f"{first.name}-2")
    assert (second / "episodes.csv").read_bytes() == (first / "episodes.csv").read_bytes()


def test_a_run_is_replayed_from_its_config_file_alone(tmp_path: Path) -> None:
    main([*SMALL, "surrogate=kl_adaptive", "seed=3", f"run_dir={tmp_path / 'first'}"])
    main(["--config", str(tmp_path / "first" / "config.yaml"), f"run_dir={tmp_path / 'again'}"])
    assert (tmp_path / "again" / "episodes.csv").read_bytes() == (tmp_path / "first" / "episodes.csv").read_bytes()


def test_a_folder_of_another_run_is_refused_with_the_differing_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*SMALL, f"run_dir={tmp_path}"])
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    assert main([*SMALL, f"run_dir={tmp_path}", "surrogate.epsilon=0.3", "seed=1"]) == 2
    told = capsys.readouterr().err
    assert "surrogate.epsilon" in told
    assert "seed" in told
    assert "gamma" not in told
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main([*SMALL, f"outputs={tmp_path / 'file'}"]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_in_use_is_refused_with_the_writers_pid(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ppo", *SMALL, "total_steps=1e7", f"run_dir={tmp_path}"]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "updates.csv").exists():
            assert first.poll() is None
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 2
    assert f"process {first.pid} on " in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_full_disk_pauses_the_run_and_the_same_command_goes_on_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, f"run_dir={tmp_path / 'undisturbed'}"]) == 0
    appended, append = 0, tables.append

    def until_full(path: Path, content: bytes) -> None:
        nonlocal appended
        appended += 1
        if appended > 3:  # the second iteration: half a row fits
            append(path, b"51")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(path, content)

    folder = tmp_path / "run"
    with monkeypatch.context() as full:
        full.setattr(tables, "append", until_full)
        assert main([*SMALL, f"run_dir={folder}"]) == 1
    captured = capsys.readouterr()
    assert "paused: the disk was full" in captured.out
    assert "Traceback" not in captured.err
    found = standing(folder)
    assert (found.state, found.error) == (State.PLANNED, DISK_FULL)
    assert not (folder / "result.json").exists()
    for name in ("episodes.csv", "updates.csv"):
        assert (folder / name).read_text().endswith("\n")
    assert main([*SMALL, f"run_dir={folder}"]) == 0
    assert (folder / "episodes.csv").read_bytes() == (tmp_path / "undisturbed" / "episodes.csv").read_bytes()


def test_a_failed_run_is_tried_again_by_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(tables, "append", lambda *_: (_ for _ in ()).throw(OSError("broken")))
        assert main([*SMALL, f"run_dir={tmp_path}"]) == 1
    assert main([*SMALL, f"run_dir={tmp_path}"]) == 0
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["state"], status["attempts"]) == ("done", 2)


def test_a_diverging_run_ends_with_its_real_score(tmp_path: Path) -> None:
    absurd = ["surrogate=none", "algorithm.lr=0.3", "env=halfcheetah", "env.time_limit=100", "algorithm.epochs=4"]
    assert main([*SMALL, *absurd, f"outputs={tmp_path}"]) == 0
    assert json.loads((only_folder(tmp_path) / "result.json").read_text())["score"] < -1000


@pytest.mark.slow
def test_an_interrupted_run_is_saved_and_resumed_by_the_same_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ppo", *SMALL, "total_steps=1e7", f"run_dir={tmp_path / 'run'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        updates = tmp_path / "run" / "updates.csv"
        while not updates.exists() or len(updates.read_text().splitlines()) < 2:  # its columns, and an iteration
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert json.loads((tmp_path / "run" / "status.json").read_text())["step"] > 0


@pytest.mark.slow
def test_without_a_compiler_it_says_so_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    command = [sys.executable, "-m", "ppo", *SMALL, "compile=true", f"run_dir={tmp_path / 'run'}"]
    environment = {k: v for k, v in os.environ.items() if k != "CXX"} | {"PATH": str(tmp_path / "bin")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no C++ compiler found") == 1
    assert json.loads((tmp_path / "run" / "result.json").read_text())["compiled"] is False


@pytest.mark.slow
def test_a_terminal_sees_a_live_line(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "ppo", *SMALL, f"run_dir={tmp_path}"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment)
    process.wait()
    os.close(slave)
    seen = os.read(master, 100_000).decode()
    assert "100%  768 of 768 steps" in seen
    assert "steps/s" in seen
    assert "score" in seen, "80 columns are enough for the score"
    assert seen.count("Hopper-v5") > 1, "the line is redrawn"
