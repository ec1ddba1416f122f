"""A pack and its run folders: what each member keeps, when it is saved, and that a fault is its own run's."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest

from ppo.config.identity import run_hash
from ppo.errors import Busy
from ppo.pack import Iteration
from ppo.runs import provenance
from ppo.runs.folder import RunFolder
from ppo.runs.store import folder_of
from ppo.session import train_pack
from tests.ppo.checkpointed import read_state, rewrite
from tests.ppo.handmade import records
from tests.ppo.sessions import ITERATIONS, STEPS, finish, members_of, run, status, stop_after, updates

# -- what is recorded --------------------------------------------------------------------------------------------------


def test_every_iteration_is_a_row_and_the_result_says_who_was_trained_with_whom(tmp_path: Path) -> None:
    configs = [run(tmp_path, seed) for seed in range(2)]
    outcomes = finish(configs)
    for config, outcome in zip(configs, outcomes, strict=True):
        rows, result = updates(outcome.folder), outcome.result or {}
        assert [int(row["iteration"]) for row in rows] == [1, 2, 3, 4, 5]
        assert [int(row["step"]) for row in rows] == [128 * i for i in range(1, 6)]
        assert result["run"] == run_hash(config)
        assert result["pack"] == [run_hash(c) for c in configs]
        assert (result["pack_size"], result["steps"], result["compiled"]) == (2, STEPS, False)
        assert "mixed_modes" not in result
        with (outcome.folder / "episodes.csv").open(newline="") as file:
            returns = [float(row["return"]) for row in csv.DictReader(file)]
        assert result["episodes"] == len(returns) == int(rows[-1]["episodes"])
        assert result["score"] == pytest.approx(np.mean(returns[-100:]))
        assert status(outcome.folder)["state"] == "done"


def test_an_interrupted_pack_is_saved_whole_and_says_so(tmp_path: Path) -> None:
    members = members_of([run(tmp_path, seed) for seed in range(3)])
    stop_after(2, members)
    for member in members:
        assert (status(member.folder.path)["state"], status(member.folder.path)["step"]) == ("planned", 256)
        assert len(updates(member.folder.path)) == 2
        assert not member.ended
        assert not (member.folder.path / "result.json").exists()


def test_seconds_add_up_over_interruptions(tmp_path: Path) -> None:
    config = run(tmp_path)
    stop_after(2, members_of([config]))
    path = folder_of(config) / "checkpoint.pt"
    state = read_state(path)
    (member,) = members_of([config])
    member.seconds = 0.0
    stop_after(1, [member])
    assert member.seconds == state["seconds"]


# -- when it is saved --------------------------------------------------------------------------------------------------


def test_each_member_is_saved_as_often_as_its_own_config_says(tmp_path: Path) -> None:
    configs = [run(tmp_path, seed, f"checkpoint_seconds={s}") for seed, s in enumerate((1e9, 0, 1e9))]
    members, saved = members_of(configs), []

    def look(_number: int) -> None:
        saved.append([(m.folder.path / "checkpoint.pt").exists() for m in members])

    stop_after(3, members, look)
    assert saved == [[False] * 3, *[[False, True, False]] * 3]
    assert all((m.folder.path / "checkpoint.pt").exists() for m in members), "who is interrupted is saved"


def test_members_saved_at_different_steps_go_on_in_one_pack_with_the_same_bytes(tmp_path: Path) -> None:
    seconds = ("checkpoint_seconds=0", "checkpoint_seconds=1e9")
    undisturbed = [records(o.folder) for o in finish([run(tmp_path / "a", i) for i in range(2)])]
    configs = [run(tmp_path / "b", i, s) for i, s in enumerate(seconds)]

    def killed(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_after(9, members_of(configs), killed)
    outcomes = finish(configs)
    assert [records(outcome.folder) for outcome in outcomes] == undisturbed
    logs = [(outcome.folder / "log.txt").read_text() for outcome in outcomes]
    assert ["starts at step 384 " in log for log in logs] == [True, False]


# -- the writer of a folder --------------------------------------------------------------------------------------------


def test_a_folder_in_use_is_left_alone_and_the_others_are_let_go(tmp_path: Path) -> None:
    configs = [run(tmp_path, seed) for seed in range(2)]
    theirs = RunFolder(folder_of(configs[1]), configs[1])
    theirs.check()
    theirs.open()
    with pytest.raises(Busy, match="in use"):
        finish(configs)
    theirs.close()
    assert [outcome.error for outcome in finish(configs)] == [None, None]


@pytest.mark.parametrize("previous", [True, False], ids=["with-previous", "without"])
@pytest.mark.parametrize("part", ["pack", "resumes", "learner"])
def test_a_checkpoint_that_lacks_something_fails_its_own_run_once(tmp_path: Path, part: str, previous: bool) -> None:
    alone = [records(o.folder) for o in finish([run(tmp_path / "alone", seed) for seed in range(3)])]
    runs = [run(tmp_path, seed, "checkpoint_seconds=0") for seed in range(3)]
    members = members_of(runs)
    stop_after(2, members)
    folder = members[0].folder.path
    state = read_state(folder / "checkpoint.pt")
    del (state if part in state else state["pack"])[part]
    rewrite(folder / "checkpoint.pt", state)
    if not previous:
        (folder / "checkpoint.old.pt").unlink()
    broken, *others = finish(runs)
    assert part in str(broken.error)
    assert status(broken.folder)["state"] == "failed"
    assert [records(outcome.folder) for outcome in others] == alone[1:]
    assert (folder / "checkpoint.pt.bad").exists()
    assert "set aside as checkpoint.pt.bad" in (folder / "log.txt").read_text()
    (again,) = finish(runs[:1])
    assert [records(again.folder)] == alone[:1]
    assert f"starts at step {256 if previous else 0} " in (folder / "log.txt").read_text()


# -- resumes and clocks ------------------------------------------------------------------------------------------------


def test_a_resume_is_in_the_result_with_what_was_different_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MKL_CBWR", raising=False)
    config = run(tmp_path)
    stop_after(1, members_of([config]))
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    stop_after(1, members_of([config]))
    told = "numerics.MKL_CBWR was not set, is COMPATIBLE"
    assert told in caplog.text
    assert told in (folder_of(config) / "log.txt").read_text()
    caplog.clear()
    (outcome,) = finish([config])
    assert "other terms" not in caplog.text, "the last resume is on the terms of the one before"
    assert (outcome.result or {})["resumes"] == [
        {"step": 128, "exact": True, "differences": [told]},
        {"step": 256, "exact": True, "differences": []},
    ]


def test_gradient_steps_that_were_skipped_are_counted_to_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Iteration.row

    def row(self: Iteration, lane: int) -> dict[str, float]:
        return original(self, lane) | {"skipped": float(np.float32(7 / 10)) * 10}  # 6.99999988

    monkeypatch.setattr(Iteration, "row", row)
    (outcome,) = finish([run(tmp_path, 0, "algorithm.epochs=20")])
    assert (outcome.result or {})["skipped"] == 7 * ITERATIONS


def test_an_undisturbed_run_has_no_resumes(tmp_path: Path) -> None:
    (outcome,) = finish([run(tmp_path)])
    result = outcome.result or {}
    assert result["resumes"] == []
    assert set(result["numerics"]) >= {"capability", "device", "threads"}


def test_code_that_was_changed_midway_is_told_and_in_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = run(tmp_path)
    stop_after(2, members_of([config]))
    real = provenance.code_hashes
    monkeypatch.setattr(provenance, "code_hashes", lambda config: real(config) | {"core": "0badc0de"})
    (outcome,) = finish([config])
    (resume,) = (outcome.result or {})["resumes"]
    assert "is 0badc0de" in resume["differences"][0]
    assert "code.core" in caplog.text


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_a_clock_that_jumps_by_a_day_changes_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    real, shift = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + shift)
    saves: list[int] = []
    monkeypatch.setattr(RunFolder, "save_checkpoint", lambda self, state: saves.append(state["pack"]["step"]))

    def stopping() -> bool:
        nonlocal shift
        shift += jump
        return False

    (member,) = members = members_of([run(tmp_path, 0, "checkpoint_seconds=3600")])
    train_pack(members, stopping)
    assert 0 <= (member.outcome.result or {})["seconds"] < 3600
    assert saves == [STEPS], "nothing was due but the last one"
    assert all(0 < float(row["steps_per_second"]) < 1e9 for row in updates(member.folder.path))
