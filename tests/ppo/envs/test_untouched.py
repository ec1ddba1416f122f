"""Other people's modules and constructors, run before any training: the process stays as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ppo.envs.process import ProcessState
from ppo.envs.untouched import untouched

MODULE = """
import os, sys
import gymnasium, torch
from gymnasium.spaces import Box, Discrete

print("hello")

def change():
    os.chdir("/")
    torch.set_default_dtype(torch.float64)
    sys.stdout = sys.stderr

change()

class Task(gymnasium.Env):
    observation_space, action_space = Box(-1, 1, (1,)), Discrete(2)

    def __init__(self):
        change()
        print("hello")

gymnasium.register("Odd-v0", Task)
"""
PROGRAM = """
import os, sys
from ppo.config.compose import compose
assert "torch" not in sys.modules
before, stdout = os.getcwd(), sys.stdout
compose(["env=gymnasium", "env.id=odd:Odd-v0"]).env.check()
import torch
assert (os.getcwd(), torch.get_default_dtype()) == (before, torch.float32)
assert sys.stdout is stdout
print("ours")
"""


def change() -> None:
    os.chdir("/")
    os.environ["ODD_NAME"] = "1"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    np.seterr(all="raise")
    torch.autograd.set_detect_anomaly(True)
    print("hello")
    raise KeyError


def test_what_code_changes_is_put_back_and_what_it_prints_goes_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = ProcessState()
    with pytest.raises(KeyError), untouched():
        change()
    assert not before.differs()
    assert capsys.readouterr() == ("", "hello\n")


def test_environment_variables_of_a_module_stay_for_its_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_NAME", "1")
    with untouched(variables=False):
        os.environ["ODD_NAME"] = "2"
    assert os.environ["ODD_NAME"] == "2"


def test_a_module_and_its_environment_leave_a_process_without_torch_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(MODULE)
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[3]), str(tmp_path)])
    environment = os.environ | {"PYTHONPATH": paths}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "ours\n"
