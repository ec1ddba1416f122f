"""A fault of one run in a pack is its own: its mates go on (law 8)."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppo.envs.simulators.lockstep import MujocoLockStep
from ppo.runs.folder import RunFolder
from tests.ppo.handmade import records
from tests.ppo.sessions import finish, members_of, run, status, stop_after, updates


def failing(monkeypatch: pytest.MonkeyPatch, lane: int, step: int) -> None:
    """The simulator of a lane raises at that step."""
    steps, original = 0, MujocoLockStep.step

    def stepped(self: MujocoLockStep, action: np.ndarray) -> Any:
        nonlocal steps
        steps += 1
        if steps == step:
            self.failures[lane] = RuntimeError("the simulator broke")
        return original(self, action)

    monkeypatch.setattr(MujocoLockStep, "step", stepped)


def test_a_lane_whose_simulator_fails_is_told_and_its_mates_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = [records(o.folder) for o in finish([run(tmp_path / "a", seed) for seed in range(3)])]
    failing(monkeypatch, lane=1, step=300)
    first, failed, last = finish([run(tmp_path / "b", seed) for seed in range(3)])
    assert failed.error == "RuntimeError: the simulator broke"
    assert failed.result is None
    assert status(failed.folder)["state"] == "failed"
    assert "the simulator broke" in (failed.folder / "traceback.txt").read_text()
    assert len(updates(failed.folder)) == 2  # its broken iteration is not recorded
    assert [records(first.folder), records(last.folder)] == [healthy[0], healthy[2]]


def test_a_reward_that_is_not_finite_fails_its_own_run_at_its_own_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, original = 0, MujocoLockStep.step

    def stepped(self: MujocoLockStep, action: np.ndarray) -> Any:
        nonlocal steps
        steps += 1
        step = original(self, action)
        step.reward[2] = np.where(steps == 200, np.nan, step.reward[2])
        return step

    monkeypatch.setattr(MujocoLockStep, "step", stepped)
    first, second, failed = finish([run(tmp_path, seed) for seed in range(3)])
    assert failed.error is not None
    assert failed.error.startswith("FloatingPointError")
    assert "step 200" in failed.error
    assert first.error is None is second.error


@pytest.mark.parametrize("name", ["interpolation.csv", "updates.csv"])
def test_a_folder_that_cannot_be_written_fails_its_own_run(tmp_path: Path, name: str) -> None:
    configs = [run(tmp_path, seed, "algorithm.record=[interpolation]") for seed in range(3)]
    members = members_of(configs)

    def spoil(number: int) -> None:
        path = members[1].folder.path / name
        if number == (0 if name == "interpolation.csv" else 2):
            path.unlink(missing_ok=True)
            path.mkdir()

    stop_after(4, members, spoil)
    assert [member.outcome.error is None for member in members] == [True, False, True]
    assert name in str(members[1].outcome.error)
    assert [len(updates(members[i].folder.path)) for i in (0, 2)] == [4, 4]


def test_a_run_that_cannot_be_paused_does_not_keep_its_mates_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, original = members_of([run(tmp_path, seed) for seed in range(3)]), RunFolder.pause

    def pause(folder: RunFolder, step: int) -> None:
        if folder is members[0].folder:
            raise OSError("no space left")
        original(folder, step)

    monkeypatch.setattr(RunFolder, "pause", pause)
    assert "1 run could not be saved" in stop_after(2, members)
    assert [status(member.folder.path)["state"] for member in members] == ["failed", "planned", "planned"]


def test_a_state_that_cannot_be_saved_fails_its_own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = MujocoLockStep.get_state

    def saved(self: MujocoLockStep, lane: int) -> Any:
        if lane == 1:
            raise AttributeError("the simulator has lost its state")
        return original(self, lane)

    monkeypatch.setattr(MujocoLockStep, "get_state", saved)
    members = members_of([run(tmp_path, seed) for seed in range(3)])
    stop_after(2, members)
    assert [status(member.folder.path)["state"] for member in members] == ["planned", "failed", "planned"]


def test_a_result_that_does_not_fit_when_it_is_read_back_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RunFolder.finish

    def finished(folder: RunFolder, result: dict[str, Any]) -> None:
        original(folder, result)
        folder.episodes.write_bytes(b"")

    monkeypatch.setattr(RunFolder, "finish", finished)
    (outcome,) = finish([run(tmp_path)])
    assert outcome.result is None
    assert "episodes.csv" in str(outcome.error)


def test_a_disk_that_was_full_is_no_disk_on_which_everything_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = members_of([run(tmp_path, seed) for seed in range(2)])
    assert "everything is saved" in stop_after(1, members)

    def full(folder: RunFolder, state: dict[str, Any]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunFolder, "save_checkpoint", full)
    members = members_of([run(tmp_path, seed) for seed in range(2)])
    said = stop_after(2, members)
    assert "2 runs could not be saved" in said
    assert "everything is saved" not in said
    assert [status(member.folder.path)["state"] for member in members] == ["planned", "planned"]


def test_a_pack_that_fails_as_a_whole_fails_all_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: MujocoLockStep, action: np.ndarray) -> Any:
        raise MemoryError("too many simulators")

    monkeypatch.setattr(MujocoLockStep, "step", broken)
    outcomes = finish([run(tmp_path, seed) for seed in range(2)])
    assert [outcome.error for outcome in outcomes] == ["MemoryError: too many simulators"] * 2
    assert {status(outcome.folder)["state"] for outcome in outcomes} == {"failed"}
