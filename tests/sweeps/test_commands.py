"""The command line of sweeps: what is printed, what is left on disk, and the exit status (law 4)."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from ppo.runs.files import write_json
from ppo.runs.provenance import code_hashes
from ppo.runs.row import RunRow, read_rows
from ppo.runs.states import State, standing
from sweeps.home import Home
from sweeps.planning.runs import Run
from tests.sweeps.folders import ELSEWHERE, Sweeps, write_command, write_done, write_status


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Sweeps:
    return Sweeps(tmp_path, capsys)


@pytest.fixture
def store(command: Sweeps) -> Path:
    return command.store


@pytest.fixture
def runs(command: Sweeps) -> list[Run]:
    return command.runs


# -- plan --------------------------------------------------------------------------------------------------------------


def test_a_plan_for_programs_has_every_run_and_pack(command: Sweeps, runs: list[Run], store: Path) -> None:
    write_done(runs[0].folder, score=2.5, code=code_hashes(runs[0].config))
    write_done(runs[1].folder, code={"core": "0" * 8})
    write_status(runs[2].folder, "failed", error="ValueError: no")
    ended = json.loads(command("plan", "SWEEP", "launcher.workers=1", "--json").out)
    assert (ended["sweep"], ended["workers"]) == (command.name, 1)
    assert ended["counts"] == {"done": 2, "failed": 1, "new": 3}
    assert [RunRow.from_json(run) for run in ended["runs"]] == [run.row for run in runs]
    assert [run["state"] for run in ended["runs"]] == ["done", "done", "failed", "new", "new", "new"]
    assert ended["runs"][0]["score"] == 2.5
    assert ended["runs"][2]["error"] == "ValueError: no"
    assert ended["other_code"] == [runs[1].hash]
    assert [pack["runs"] for pack in ended["packs"]] == [[run.hash for run in runs[3:]]]
    assert ended["estimate"]["seconds"] > 0
    assert ended["disk"]["free"] > ended["disk"]["needed"] > 0


def test_a_plan_starts_nothing_and_makes_no_folders(command: Sweeps, store: Path) -> None:
    assert command("plan", "SWEEP").status == 0
    assert not store.exists()


def test_a_plan_for_a_person_has_counts_settings_packs_and_time(command: Sweeps, runs: list[Run]) -> None:
    write_done(runs[0].folder, code={"core": "0" * 8})
    lines = command("plan", "SWEEP", "launcher.workers=1").out.splitlines()
    assert lines[0] == f"{command.name}: 6 runs of 3 settings"
    assert [line.split()[:2] for line in lines[1:4]] == [["5", "new"], ["1", "done"], ["1", "of"]]
    assert "other code" in lines[3]
    assert [line.split() for line in lines[4:8]] == [["setting", "runs"], ["Clip", "2"], ["None", "2"], ["KL", "2"]]
    assert lines[8].split() == ["pack", "runs", "minutes"]
    assert lines[9].startswith("InvertedPendulum-v5  3 settings")
    assert lines[10].startswith("1 pack, 1 at a time: ")
    assert re.fullmatch(r"disk: about \d+ MB of [\d,]+ GB free", lines[11])


def test_what_varies_is_in_the_plan_the_status_and_the_closing_table(command: Sweeps, store: Path) -> None:
    words = ["SWEEP", "algorithm.lr=1e-3,1e-4", "--setting", "Clip*"]
    rows = json.loads(command("plan", *words, "--json").out)["runs"]
    labels = {row["label"] for row in rows}
    assert len(rows) == 4
    assert len(labels) == 2
    for row in rows:
        write_done(store / row["folder"], score=1.0)
    for name in ("plan", "status", "run"):
        assert all(label in command(name, *words).out for label in labels), name
    (listed,) = store.glob("sweeps/*/runs.json")
    assert {row.label for row in read_rows(listed)} >= labels


def test_a_plan_of_what_is_done_has_nothing_to_train(command: Sweeps, runs: list[Run]) -> None:
    for run in runs:
        write_done(run.folder)
    assert command("plan", "SWEEP").out.splitlines()[-1] == "nothing to train"


def test_overrides_may_stand_before_and_after_options(command: Sweeps) -> None:
    ended = json.loads(command("plan", "SWEEP", "seed=0", "--json", "total_steps=128", "--setting", "Clip").out)
    assert [(run["label"], run["seed"]) for run in ended["runs"]] == [("Clip", 0)]


# -- run ---------------------------------------------------------------------------------------------------------------


def test_a_sweep_that_is_done_is_reported_and_nothing_is_touched(command: Sweeps, runs: list[Run]) -> None:
    for run in runs:
        write_done(run.folder, score=run.config.seed + 1.0)
    before = {path: path.stat().st_mtime_ns for run in runs for path in run.folder.iterdir()}
    ended = command("run", "SWEEP")
    assert ended.status == 0
    assert ["Clip", "1.5"] in [line.split() for line in ended.out.splitlines()]
    assert {path: path.stat().st_mtime_ns for run in runs for path in run.folder.iterdir()} == before


def test_a_failed_run_is_not_trained_again_but_reported_with_exit_1(command: Sweeps, runs: list[Run]) -> None:
    for run in runs[1:]:
        write_done(run.folder)
    write_status(runs[0].folder, "failed", error="ValueError: no")
    ended = command("run", "SWEEP")
    assert ended.status == 1
    assert "1.0 (1/2)" in ended.out
    assert f"1 failed: ValueError: no\n    {runs[0].folder}\n" in ended.out


def test_the_closing_report_is_there_for_programs_too(command: Sweeps, runs: list[Run]) -> None:
    for run in runs:
        write_done(run.folder, score=2.5)
    content = json.loads(command("run", "SWEEP", "--json").out)
    assert [RunRow.from_json(row) for row in content["runs"]] == [run.row for run in runs]
    assert {(row["state"], row["score"]) for row in content["runs"]} == {("done", 2.5)}


def test_a_part_of_a_sweep_leaves_the_list_of_the_whole(command: Sweeps, runs: list[Run], store: Path) -> None:
    for run in runs:
        write_done(run.folder)
    command("run", "SWEEP", "--setting", "Clip")
    assert read_rows(store / "sweeps" / command.name / "runs.json") == [run.row for run in runs]


def test_silent_runs_elsewhere_are_left_alone_with_exit_1(command: Sweeps, runs: list[Run]) -> None:
    for run in runs:
        write_status(run.folder, "running", host=ELSEWHERE, heartbeat=0.0)
    assert command("run", "SWEEP").status == 1
    assert {standing(run.folder).state for run in runs} == {State.UNKNOWN}


def test_after_a_sweep_nobody_drives_it(command: Sweeps, runs: list[Run], store: Path) -> None:
    for run in runs:
        write_done(run.folder)
    command("run", "SWEEP")
    assert Home(store, command.name).driver() == {}


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_cancelling_what_does_not_run_says_so(command: Sweeps, store: Path) -> None:
    assert command("cancel", "SWEEP") == (0, f"nothing of sweep {command.name} is running or queued\n", "")
    assert not store.exists()


def test_a_driver_elsewhere_is_asked_through_the_store(command: Sweeps, store: Path) -> None:
    home = Home(store, command.name)
    home.path.mkdir(parents=True)
    write_json(home.path / "driver.json", {"pid": 77, "host": ELSEWHERE, "heartbeat": time.time()})
    assert command("cancel", "SWEEP").out == f"asked process 77 on {ELSEWHERE} to save and stop\n"
    assert home.cancel_request.exists()


def test_a_request_to_cancel_follows_no_link(command: Sweeps, store: Path, tmp_path: Path) -> None:
    home = Home(store, command.name)
    home.path.mkdir(parents=True)
    write_json(home.path / "driver.json", {"pid": 77, "host": ELSEWHERE, "heartbeat": time.time()})
    home.cancel_request.symlink_to(tmp_path / "theirs")
    ended = command("cancel", "SWEEP")
    assert (ended.status, ended.out) == (2, "")
    assert str(home.cancel_request) in ended.err
    assert not (tmp_path / "theirs").exists()


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is PATH, so that there is no SLURM but what a test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_jobs_that_have_not_ended_are_cancelled(command: Sweeps, runs: list[Run], store: Path, commands: Path) -> None:
    Home(store, command.name).path.mkdir(parents=True)
    Home(store, command.name).add_jobs({"12_0": [runs[0].hash], "12_1": [runs[1].hash], "12_2": [runs[2].hash]})
    write_command(commands, "squeue", "printf '%s\\n' '12_0 RUNNING' '12_2 PENDING' '13_0 RUNNING'")
    write_command(commands, "scancel", f'echo "$@" > {store}/cancelled')
    assert command("cancel", "SWEEP") == (0, "cancelled 2 jobs: 12_0 12_2\n", "")
    assert (store / "cancelled").read_text() == "12_0 12_2\n"


def test_jobs_cannot_be_cancelled_where_slurm_does_not_answer(
    command: Sweeps, runs: list[Run], store: Path, commands: Path
) -> None:
    Home(store, command.name).path.mkdir(parents=True)
    Home(store, command.name).add_jobs({"12_0": [runs[0].hash]})
    ended = command("cancel", "SWEEP")
    assert (ended.status, ended.out) == (2, "")
    assert "SLURM does not answer here" in ended.err


# -- submitting --------------------------------------------------------------------------------------------------------


def test_without_sbatch_slurm_is_refused_and_nothing_is_queued(
    command: Sweeps, runs: list[Run], store: Path, commands: Path
) -> None:
    ended = command("run", "SWEEP", "launcher=slurm")
    assert ended.status == 2
    assert all(word in ended.err for word in ("launcher=slurm", "sbatch", "local"))
    assert Home(store, command.name).jobs() == {}
    assert Home(store, command.name).driver() == {}
    assert {standing(run.folder).state for run in runs} == {State.NEW}


def test_without_sbatch_nothing_is_made_or_printed(command: Sweeps, store: Path, commands: Path) -> None:
    assert command("run", "SWEEP", "launcher=slurm").out == ""
    assert not store.exists()


def slurm(commands: Path, monkeypatch: pytest.MonkeyPatch, sbatch: str) -> None:
    """A SLURM that answers to submissions with a script."""
    monkeypatch.setenv("PATH", f"{commands}:{os.defpath}")
    for name in ("srun", "scontrol", "squeue"):
        write_command(commands, name, "true")
    write_command(commands, "sbatch", sbatch)


def test_a_partition_that_sbatch_refuses_is_told_in_its_words_and_nothing_is_queued(
    command: Sweeps, runs: list[Run], store: Path, commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm(commands, monkeypatch, "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    ended = command("run", "SWEEP", "launcher=slurm", "launcher.partition=nope")
    assert ended.status == 2
    assert ended.err == "SLURM refuses the job: invalid partition specified: nope\n"
    assert Home(store, command.name).jobs() == {}
    assert {standing(run.folder).state for run in runs} == {State.NEW}


def test_packs_that_were_submitted_are_recorded_as_jobs(
    command: Sweeps, runs: list[Run], store: Path, commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm(commands, monkeypatch, "echo 'Submitted batch job 77'")
    ended = command("run", "SWEEP", "launcher=slurm", "launcher.pack_size=2")
    assert ended.status == 0
    assert ended.out.splitlines()[:2] == [f"{command.name}: 6 new", "submitted 3 packs as job 77: 77_0 to 77_2"]
    assert f"status {command.sweep[0]} " in ended.err, "with the same overrides, or other runs would be shown"
    assert f"outputs={store} --watch" in ended.err
    jobs = Home(store, command.name).jobs()
    assert sorted(jobs) == ["77_0", "77_1", "77_2"]
    assert sorted(run for pack in jobs.values() for run in pack) == sorted(run.hash for run in runs)
    write_command(commands, "squeue", "printf '%s\\n' '77_1 PENDING'")
    assert json.loads(command("status", "SWEEP", "--json").out)["counts"] == {"new": 4, "queued": 2}
