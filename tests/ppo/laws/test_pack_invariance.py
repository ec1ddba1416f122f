"""Law 1: a run's bytes do not depend on the pack it is trained in."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.envs.simulators.lockstep import MujocoLockStep
from ppo.train import Outcome, train
from tests.bits import SURROGATES

ODD = ["env=reacher", "network.hidden=[33]", "network.shared=true", "algorithm.log_std=-1"]
SMALL = ["algorithm.horizon=256", "algorithm.epochs=2", "total_steps=1024", "compile=false"]


def train_pack(outputs: Path, size: int, *extra: str) -> list[Outcome]:
    """The first `size` of 11 settings x 3 seeds, in one pack."""
    runs = [[*setting, f"seed={seed}"] for seed in range(3) for setting in SURROGATES][:size]
    return train([compose([*SMALL, *extra, *run, f"outputs={outputs}"]) for run in runs])


def records(outcome: Outcome) -> tuple[bytes, bytes]:
    """A run's episodes.csv, and its updates.csv without the column of speeds."""
    rows = (outcome.folder / "updates.csv").read_bytes().splitlines()
    return (outcome.folder / "episodes.csv").read_bytes(), b"\n".join(row.rpartition(b",")[0] for row in rows)


@pytest.mark.parametrize(
    "extra",
    [
        ["env=hopper"],
        pytest.param(["env=inverted_pendulum", "algorithm.num_actors=2"], marks=pytest.mark.slow),
        pytest.param(ODD, marks=pytest.mark.slow),
        pytest.param(["env=gymnasium", "env.id=CartPole-v1"], marks=pytest.mark.slow),
    ],
    ids=["hopper", "two actors", "odd shared network", "discrete actions"],
)
def test_a_run_has_the_same_bytes_alone_and_in_packs_of_2_3_11_and_33(tmp_path: Path, extra: list[str]) -> None:
    largest = train_pack(tmp_path / "33", 33, *extra)
    assert len(records(largest[0])[0].splitlines()) > 3, "too few episodes to compare"
    for size in (1, 2, 3, 11):
        smaller = train_pack(tmp_path / str(size), size, *extra)
        assert [records(o) for o in smaller] == [records(o) for o in largest[:size]]


@pytest.mark.slow
def test_a_compiled_run_has_the_same_bytes_alone_and_in_packs_of_2_3_and_33(tmp_path: Path) -> None:
    extra = ["env=hopper", "compile=true"]
    largest = train_pack(tmp_path / "33", 33, *extra)
    for size in (1, 2, 3):
        smaller = train_pack(tmp_path / str(size), size, *extra)
        assert [records(o) for o in smaller] == [records(o) for o in largest[:size]]


def test_the_order_of_a_pack_does_not_matter(tmp_path: Path) -> None:
    configs = [compose([*SMALL, f"seed={seed}", f"outputs={tmp_path / 'a'}"]) for seed in range(4)]
    forwards = train(configs)
    backwards = train([compose([*SMALL, f"seed={seed}", f"outputs={tmp_path / 'b'}"]) for seed in (3, 2, 1, 0)])
    assert [records(o) for o in forwards] == [records(o) for o in reversed(backwards)]


def test_a_mate_whose_simulator_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = train_pack(tmp_path / "healthy", 4)
    steps = 0

    def advance(self: MujocoLockStep, actions: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 300:
            self._fail(1, RuntimeError("the simulator broke"))
        original(self, actions)

    original = MujocoLockStep._advance
    monkeypatch.setattr(MujocoLockStep, "_advance", advance)
    broken = train_pack(tmp_path / "broken", 4)
    assert broken[1].error == "RuntimeError: the simulator broke"
    assert [records(broken[i]) for i in (0, 2, 3)] == [records(healthy[i]) for i in (0, 2, 3)]


def test_a_mate_that_turns_to_nan_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = train_pack(tmp_path / "healthy", 4)
    original = MujocoLockStep._advance

    def advance(self: MujocoLockStep, actions: object) -> None:
        actions[1] = float("nan")  # type: ignore[index]
        original(self, actions)  # type: ignore[arg-type]

    monkeypatch.setattr(MujocoLockStep, "_advance", advance)
    broken = train_pack(tmp_path / "broken", 4)
    assert broken[1].error is not None
    assert "not finite" in broken[1].error
    assert [records(broken[i]) for i in (0, 2, 3)] == [records(healthy[i]) for i in (0, 2, 3)]
