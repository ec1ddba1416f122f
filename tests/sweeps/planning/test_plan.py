"""A plan shows the state of every run and what would be trained, and touches nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ppo.runs.provenance import code_hashes
from ppo.runs.row import RunRow
from ppo.runs.states import State
from sweeps.__main__ import main
from sweeps.launching.launchers import Launcher, Local, compose_launcher
from sweeps.launching.scheduler import Scheduler
from sweeps.planning import speeds
from sweeps.planning.plan import Plan, disk_free, disk_needed, make_plan, to_json
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load
from tests.sealed import write_sealed
from tests.sweeps.declared import EVEN, TOY, declare, million

ALONE = Local("local", workers=1, pack_size="auto")
NOBODY = Scheduler({}, {})  # no job was ever submitted
CODE = code_hashes(million())
RESULT = {"score": 12.5, "steps": 1_000_000, "code": CODE}


def runs_in(store: Path, count: int = 6) -> list[Run]:
    return declare([*EVEN, f"outputs={store}"], grid={"env": "reacher", "seed": list(range(count))})


def write(run: Run, *, result: dict[str, Any] | None = None, **status: Any) -> None:
    """A run folder that says this of itself."""
    run.folder.mkdir(parents=True)
    (run.folder / "status.json").write_text(json.dumps(status))
    if result is not None:
        write_sealed(run.folder, result)


def alive(**changes: Any) -> dict[str, Any]:
    """The status of a run that this process trains."""
    status = {"state": "running", "host": socket.gethostname(), "pid": os.getpid(), "heartbeat": time.time()}
    return status | {"step": 4000} | changes


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def plan(runs: list[Run], launcher: Launcher = ALONE, scheduler: Scheduler = NOBODY, **options: Any) -> Plan:
    return make_plan("mine", runs, launcher, scheduler, **options)


def trained(made: Plan) -> set[str]:
    return {run.hash for pack in made.packs for run in pack.runs}


def hashes(*runs: Run) -> set[str]:
    return {run.hash for run in runs}


# -- states -----------------------------------------------------------------------------------------------------------


def test_new_done_failed_planned_running_and_lost_runs_are_distinguished(tmp_path: Path) -> None:
    new, done, failed, planned, running, lost = runs = runs_in(tmp_path)
    write(done, state="done", result=RESULT)
    write(failed, state="failed", error="ValueError: 0", step=3)
    write(planned, state="planned", step=5000)
    write(running, **alive())
    write(lost, **alive(pid=dead_pid()))
    made = plan(runs)
    assert [str(made.state(run)) for run in runs] == ["new", "done", "failed", "planned", "running", "lost"]
    assert set(made.counts.values()) == {1}
    assert made.of(State.DONE, State.FAILED) == [done, failed]
    assert trained(made) == hashes(new, planned, lost)


def test_a_run_that_says_done_but_has_no_result_is_trained(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 1)
    write(run, state="done")
    assert trained(plan([run])) == {run.hash}


def test_a_half_written_result_is_damage_and_trained_again_only_on_request(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 1)
    write(run, state="done")
    (run.folder / "result.json").write_text('{"score": 12.')
    assert trained(plan([run])) == set()
    assert trained(plan([run], retry=True)) == {run.hash}


def test_a_failed_run_is_trained_again_only_on_request(tmp_path: Path) -> None:
    failed, new = runs = runs_in(tmp_path, 2)
    write(failed, state="failed", error="ValueError: 0")
    assert trained(plan(runs)) == {new.hash}
    assert trained(plan(runs, retry=True)) == hashes(failed, new)


def test_a_silent_run_on_another_machine_is_left_alone_unless_on_request(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 1)
    write(run, **alive(host="elsewhere", heartbeat=time.time() - 3600))
    assert plan([run]).counts == {State.UNKNOWN: 1}
    assert trained(plan([run])) == set()
    assert trained(plan([run], retry=True)) == {run.hash}


def test_a_running_run_is_left_alone_even_on_request(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 1)
    write(run, **alive())
    assert trained(plan([run], retry=True)) == set()


def test_a_run_that_a_scheduler_has_is_queued_and_left_alone(tmp_path: Path) -> None:
    queued, ended, new = runs = runs_in(tmp_path, 3)
    jobs = {queued.hash: ["12_0"], ended.hash: ["11_3"]}
    made = plan(runs, scheduler=Scheduler(jobs, {"12_0": "PENDING"}))
    assert made.state(queued) == State.QUEUED
    assert trained(made) == hashes(ended, new)


def test_where_the_scheduler_does_not_answer_unknown_is_not_dead(tmp_path: Path) -> None:
    submitted, new = runs = runs_in(tmp_path, 2)
    made = plan(runs, scheduler=Scheduler({submitted.hash: ["12_0"]}, None))
    assert made.state(submitted) == State.UNKNOWN
    assert trained(made) == {new.hash}


def test_on_a_cluster_runs_whose_process_died_twice_are_trained_alone(tmp_path: Path) -> None:
    _, once, twice, thrice = runs = runs_in(tmp_path, 4)
    for number, run in enumerate((once, twice, thrice), start=1):
        write(run, **alive(pid=dead_pid(), attempts=number))
    cluster = compose_launcher(["launcher=slurm", "launcher.workers=1"])
    packs = [hashes(*pack.runs) for pack in plan(runs, cluster).packs]
    assert {twice.hash} in packs
    assert {thrice.hash} in packs
    assert trained(plan(runs, cluster)) == hashes(*runs)
    assert all(len(pack & hashes(twice, thrice)) == 0 or len(pack) == 1 for pack in packs)
    assert sorted(map(len, packs))[-1] == 2, "the others share one"
    assert len(plan(runs, ALONE).packs) < len(packs), "here, whoever drives finds who is to blame"


def test_runs_to_be_left_are_not_packed(tmp_path: Path) -> None:
    first, *rest = runs = runs_in(tmp_path, 3)
    assert trained(plan(runs, leave={first.hash})) == hashes(*rest)


def test_a_finished_run_trained_by_other_code_is_shown_and_not_trained_again(tmp_path: Path) -> None:
    ours, core, nameless, text = runs = runs_in(tmp_path, 4)
    write(ours, state="done", result=RESULT)
    write(core, state="done", result=RESULT | {"code": CODE | {"core": "0badc0de"}})
    write(nameless, state="done", result={"score": 1.0, "steps": 1_000_000})
    write(text, state="done", result=RESULT | {"code": "0badc0de"})
    made = plan(runs)
    assert made.other_code == [core, nameless, text]
    assert made.packs == []


def test_an_interrupted_run_begun_by_other_code_is_shown_and_goes_on(tmp_path: Path) -> None:
    ours, other, unknown = runs = runs_in(tmp_path, 3)
    write(ours, state="planned", code=CODE)
    write(other, state="planned", code=CODE | {"core": "0badc0de"})
    write(unknown, state="planned")
    made = plan(runs)
    assert made.begun_by_other_code == [other]
    assert trained(made) == hashes(*runs)


def test_only_the_parts_of_the_code_that_a_run_uses_count(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 1)
    write(run, state="done", result=RESULT | {"code": CODE | {"algorithm/cem": "0badc0de"}})
    assert plan([run]).other_code == []


def test_a_run_done_in_one_sweep_is_done_in_the_other(tmp_path: Path) -> None:
    narrow = ["env=hopper", "seed=0", f"outputs={tmp_path}"]
    (shared,) = sweep_runs(load("figure3"), narrow, ["Clipping, epsilon = 0.2"])
    write(shared, state="done", result=RESULT)
    made = plan(sweep_runs(load("table1"), narrow))
    assert made.of(State.DONE) == [shared]
    assert made.counts == {State.DONE: 1, State.NEW: 10}


# -- what it would take ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("launcher", "seconds"),
    [
        (Local("local", 1, "auto"), 345.0),
        (Local("local", 2, "auto"), 201.0),  # packs of 17 and 16
        (Local("local", 1, 3), 11 * 75.0),
        (Local("local", 4, 3), 3 * 75.0),  # eleven packs, four at a time
    ],
)
def test_the_estimate_is_when_the_last_worker_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, launcher: Local, seconds: float
) -> None:
    monkeypatch.setattr(speeds, "measured", lambda: TOY)
    made = plan(runs_in(tmp_path, 33), launcher)
    assert made.seconds == pytest.approx(seconds)
    assert made.workers == launcher.workers


def test_finished_runs_of_this_machine_set_the_pace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speeds, "measured", lambda: TOY)
    done, new = runs = runs_in(tmp_path, 2)
    result = RESULT | {"env": "Reacher-v5", "algorithm": "ppo", "pack_size": 1, "seconds": 95.0}
    write(done, state="done", result=result | {"processor": speeds.processor()})
    made = plan(runs)
    assert trained(made) == {new.hash}
    assert made.seconds == pytest.approx(15 + 2 * 40)  # what the finished run took, of which 15 are the start
    assert made.speeds.source == "1 finished runs on this machine"


def test_a_million_steps_need_some_600_kilobytes_of_disk_and_finished_runs_no_more(tmp_path: Path) -> None:
    done, *_ = runs = runs_in(tmp_path, 3)
    write(done, state="done", result=RESULT)
    assert disk_needed(plan(runs)) == pytest.approx(2 * 600_000, rel=0.1)


def test_space_is_looked_for_where_the_store_would_be(tmp_path: Path) -> None:
    assert disk_free(tmp_path / "not" / "there" / "yet") > 0
    assert not (tmp_path / "not").exists()


# -- for programs ------------------------------------------------------------------------------------------------------


def test_the_json_holds_every_run_and_survives_being_written(tmp_path: Path) -> None:
    new, done, failed = runs = runs_in(tmp_path, 3)
    write(done, state="done", result=RESULT | {"code": {}})
    write(failed, state="failed", error="ValueError: 0", step=3000)
    made = plan(runs)
    content = to_json(made, tmp_path)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert (content["sweep"], content["workers"]) == ("mine", 1)
    assert content["counts"] == {"done": 1, "failed": 1, "new": 1}
    assert content["other_code"] == [done.hash]
    assert content["packs"] == [{"runs": [new.hash], "seconds": round(made.packs[0].seconds, 1)}]
    assert content["estimate"] == {"seconds": round(made.seconds, 1), "source": made.speeds.source}
    assert content["disk"]["needed"] == disk_needed(made)
    by_state = {run["state"]: (run["run"], run["step"], run["score"], run["error"]) for run in content["runs"]}
    assert by_state == {
        "new": (new.hash, 0, None, None),
        "done": (done.hash, 1_000_000, 12.5, None),
        "failed": (failed.hash, 3000, None, "ValueError: 0"),
    }


def test_a_run_in_the_json_is_its_row(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 1)
    content = to_json(plan([run]), tmp_path)
    (listed,) = content["runs"]
    assert RunRow.from_json(listed) == run.row
    assert Path(content["outputs"]) / listed["folder"] == run.folder


# -- nothing starts ----------------------------------------------------------------------------------------------------


def test_planning_starts_nothing_and_makes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a plan started a process")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert main(["plan", "smoke", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"new": 12}
    assert not list(tmp_path.iterdir())


def test_looking_at_run_folders_changes_no_file(tmp_path: Path) -> None:
    done, running, _ = runs = runs_in(tmp_path, 3)
    write(done, state="done", result=RESULT)
    write(running, **alive(heartbeat=0.0))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    to_json(plan(runs), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
