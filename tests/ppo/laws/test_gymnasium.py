"""Laws 1 and 2 for env=gymnasium: packs and interruptions change nothing, or the result says what they changed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from ppo.config.compose import compose
from ppo.config.run import Config
from ppo.train import Interrupted, train
from tests.ppo.envs.test_gymnasium_replay import Counting, Drawing, Unseeded
from tests.ppo.handmade import records

RUN = [
    "env=gymnasium", "algorithm.horizon=48", "algorithm.num_actors=3", "algorithm.minibatch_size=48",
    "algorithm.epochs=1", "total_steps=576", "compile=false", "checkpoint_seconds=0",
]  # fmt: skip
MADE = {"Drawing-v0": Drawing, "Unseeded-v0": Unseeded, "Counting-v0": Counting}
TASKS = [
    "CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MountainCarContinuous-v0", "Ant-v5", "Humanoid-v5", "Pusher-v5",
    "Drawing-v0",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    for env_id, entry in MADE.items():
        gymnasium.register(env_id, entry)  # type: ignore[arg-type]
    yield
    for env_id in MADE:
        del gymnasium.registry[env_id]


def run(env_id: str, seed: int, outputs: Path, *more: str) -> Config:
    return compose([*RUN, f"env.id={env_id}", f"seed={seed}", f"outputs={outputs}", *more])


def disturb() -> None:
    """The process's global generators are in another state."""
    random.seed()
    np.random.seed()
    torch.seed()


def train_to_the_end(configs: list[Config]) -> list[Path]:
    disturb()
    return [outcome.folder for outcome in train(configs)]


def stop_after(iterations: int, configs: list[Config]) -> None:
    disturb()
    asked = iter(range(iterations))
    with pytest.raises(Interrupted):
        train(configs, stop=lambda: next(asked, None) is None)


def resumes(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "result.json").read_text())["resumes"]
    return found


@pytest.mark.parametrize("env_id", TASKS)
def test_a_run_alone_packed_and_interrupted_has_the_same_bytes(env_id: str, tmp_path: Path) -> None:
    (alone,) = train_to_the_end([run(env_id, 1, tmp_path / "alone")])
    assert records(alone)[1].count(b"\n") == 4
    packed = train_to_the_end([run(env_id, seed, tmp_path / "packed") for seed in (0, 1, 2)])
    assert records(packed[1]) == records(alone)
    for stops in (1, 2):
        stop_after(stops, [run(env_id, seed, tmp_path / "stopped") for seed in (0, 1)[2 - stops :]])
    (resumed,) = train_to_the_end([run(env_id, 1, tmp_path / "stopped")])
    assert records(resumed) == records(alone)
    assert [(resume["step"], resume["exact"], resume["differences"]) for resume in resumes(resumed)] == [
        (144, True, []), (432, True, [])
    ]  # fmt: skip
    assert "replayed" in (resumed / "log.txt").read_text()


@pytest.mark.parametrize(
    ("env_id", "why"),
    [("Unseeded-v0", "did not lead to the same numbers: new episodes were started"), ("Counting-v0", "carries state")],
)
def test_a_resume_that_is_not_exact_is_told_everywhere_and_changes_no_mate(
    env_id: str, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop_after(2, [run(env_id, 0, tmp_path)])
    folder, mate = train_to_the_end([run(env_id, seed, tmp_path) for seed in (0, 1)])
    ((resume,), other) = resumes(folder), resumes(mate)
    assert (resume["step"], resume["exact"], other) == (288, False, [])
    assert why in resume["differences"][0]
    for told in ((folder / "log.txt").read_text(), caplog.text):
        assert f"resumed, not exactly: {resume['differences'][0]}" in told
    if env_id != "Unseeded-v0":  # of which no two are alike
        (alone,) = train_to_the_end([run(env_id, 1, tmp_path / "alone")])
        assert records(mate) == records(alone)


def test_environments_are_closed_when_their_run_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Drawing] = []
    closed: list[Drawing] = []
    real = Drawing.__init__

    def make(self: Drawing) -> None:
        made.append(self)
        real(self)

    def close(self: Drawing) -> None:
        closed.append(self)
        raise RuntimeError("closing fails, which is no matter")

    monkeypatch.setattr(Drawing, "__init__", make)
    monkeypatch.setattr(Drawing, "close", close)
    longer, shorter = (run("Drawing-v0", 0, tmp_path, f"total_steps={steps}") for steps in (288, 144))
    stop_after(1, [longer])
    assert len(made) == len(closed) >= 3
    folders = train_to_the_end([longer, shorter])
    assert all((folder / "result.json").exists() for folder in folders)
    assert len(made) > 6
    assert sorted(map(id, closed)) == sorted(map(id, made))
