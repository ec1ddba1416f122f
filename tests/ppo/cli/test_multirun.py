"""`ppo -m`: checked as a whole before anything starts, composed once, and trained by whichever launcher Hydra finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ppo.__main__ import main
from ppo.cli import composing, multirun
from ppo.config.compose import compose
from ppo.runs.store import folder_of
from tests.console import ROOT, environment
from tests.test_command_lines import mistake

SMALL = ["algorithm.horizon=256", "algorithm.epochs=1", "total_steps=512", "compile=false"]


def path_of(*overrides: str, outputs: Path) -> str:
    return str(folder_of(compose([*SMALL, *overrides, f"outputs={outputs}"])))


MISTAKES = {
    "env=gymnasium env.id=Nope-v0,CartPole-v1": "env.id=Nope-v0 is invalid",
    "env=hoper,hopper": "Did you mean hopper",
    "seed=1,2 run_dir=x": "outputs=FOLDER",
    "seed=1,2 resume=false": "resume=false is invalid",
    "seed=1,2 outputs=": "outputs= is invalid",
    "seed=interval(1,2)": "seed=interval(1,2)",
    "surrogat.epsilon=0.1,0.2": "surrogate.epsilon",
    "hydra/launcher=nope": "hydra/launcher=nope is invalid: expected basic, local, slurm",
    "hydra/sweeper=optuna": "hydra/sweeper=optuna is invalid: expected basic, grid",
    "hydra.sweep.dri=x": "Did you mean hydra.sweep.dir?",
    "hydra.launcher.wokers=2": "Did you mean hydra.launcher.workers?",
    "hydra.launcher.workers=0": "hydra.launcher.workers=0 is invalid",
    "hydra.sweep=3": "hydra.sweep",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_gets_one_sentence_and_starts_nothing(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    store = [] if "outputs=" in arguments else [f"outputs={tmp_path / 'store'}"]
    assert MISTAKES[arguments] in mistake(capsys, "-m", *SMALL, *store, *arguments.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_runs_are_composed_once_and_printed_in_hydras_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    composed: list[list[str]] = []

    def counted(overrides: list[str]) -> object:
        composed.append(list(overrides))
        return compose(overrides)

    monkeypatch.setattr(composing, "compose", counted)
    assert main(["-m", *SMALL, "surrogate=clip,none", "seed=1,0", f"outputs={tmp_path}"]) == 0
    assert len(composed) == 4
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("score ")]
    orders = [(surrogate, seed) for surrogate in ("clip", "none") for seed in (1, 0)]
    assert [line.split()[-1] for line in lines] == [
        path_of(f"surrogate={surrogate}", f"seed={seed}", outputs=tmp_path) for surrogate, seed in orders
    ]
    assert all(f"ppo {surrogate}" in line for line, (surrogate, _) in zip(lines, orders, strict=True))
    assert list(tmp_path.glob("hydra/*/multirun.yaml")), "Hydra notes what it was asked for inside the store"


def test_a_pattern_stands_for_choices_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert multirun._without_glob("env=glob(h*)") == "env=halfcheetah,hopper"
    assert "mujoco" not in multirun._without_glob("env=glob(*)"), "others build on it: it is no choice"
    assert multirun._without_glob("seed=1,2") == "seed=1,2"


def test_hydras_own_launcher_trains_one_run_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*SMALL, "seed=1,0", f"outputs={tmp_path}", "hydra/launcher=basic", "hydra/job_logging=none"]
    assert main(["-m", *arguments]) == 0
    printed = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if line.startswith("score ")]
    assert printed == [path_of(f"seed={seed}", outputs=tmp_path) for seed in (1, 0)]
    assert not list(tmp_path.glob("sweeps/*"))


BROKEN = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Broken(CartPoleEnv):
    def step(self, action):
        raise RuntimeError("broken")

gymnasium.register("Broken-v0", Broken)
"""


@pytest.mark.slow
def test_a_failed_run_is_exit_status_1_and_the_others_are_trained(tmp_path: Path) -> None:
    (tmp_path / "broken_env.py").write_text(BROKEN)
    done = subprocess.run(
        [sys.executable, "-m", "ppo", "-m", *SMALL, f"outputs={tmp_path / 'store'}", "env=gymnasium",
         "env.id=CartPole-v1,broken_env:Broken-v0"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    first, second = [line for line in done.stdout.splitlines() if line.startswith(("score ", "failed: "))]
    assert first.startswith("score ")
    assert second.startswith("failed: RuntimeError: broken")


@pytest.mark.slow
def test_interrupted_is_130_and_everything_is_saved(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ppo", "-m", *SMALL, "total_steps=1e7", "seed=0,1", f"outputs={tmp_path}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(),
        start_new_session=True,
    ) as process:  # fmt: skip
        while not any(len(p.read_text().splitlines()) > 1 for p in tmp_path.glob("runs/*/*/*/updates.csv")):
            assert process.poll() is None, process.communicate()
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert "interrupted" in err.splitlines()[-1]
    assert "Traceback" not in err
    statuses = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/*/status.json")]
    assert max(status["step"] for status in statuses) > 0
    assert all(status["error"] is None for status in statuses)


@pytest.mark.parametrize(
    ("package", "named"), [("sweeps", "would be imported in place of ours"), ("hydra_plugins", "hydra_plugins")]
)
def test_a_package_that_hides_ours_is_one_sentence(package: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "path" / package).mkdir(parents=True)
    (tmp_path / "path" / package / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "ppo", "-m", *SMALL, "seed=0,1", f"outputs={tmp_path / 'store'}"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=environment(PYTHONPATH=f"{tmp_path / 'path'}:{ROOT}"),
    )  # fmt: skip
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert named in sentence
    assert not (tmp_path / "store" / "runs").exists()


@pytest.mark.slow
def test_a_sweeps_folder_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "__init__.py").write_text("raise SystemExit('theirs')\n")
    done = subprocess.run(
        [sys.executable, "-m", "ppo", "-m", *SMALL, "seed=0,1", f"outputs={tmp_path / 'store'}"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
