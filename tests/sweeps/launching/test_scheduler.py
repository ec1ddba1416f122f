"""What SLURM says of runs, asked through commands that are shell scripts here: unknown is not dead (law 4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppo.runs.states import State, standing
from sweeps.home import Home
from sweeps.launching import scheduler as module
from sweeps.launching.launchers import compose_launcher
from sweeps.launching.scheduler import Scheduler, ask_scheduler, job_of, queue, reasons
from sweeps.launching.slurm import chunks, max_array_size
from sweeps.planning.plan import make_plan
from sweeps.planning.runs import Run
from tests.sweeps.folders import ELSEWHERE, dead_pid, tiny_runs, write_command, write_done, write_status

ARRAY_TASK = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3", "SLURM_JOB_ID": "15"}
QUOTES = "printf '%s\\n'"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of PATH; empty until a test puts SLURM's commands there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that was submitted as task 3 of job 12."""
    run = tiny_runs(tmp_path)[0]
    home_of(tmp_path).path.mkdir(parents=True)
    home_of(tmp_path).add_jobs({"12_2": ["0" * 8], "12_3": [run.hash]})
    return run


def home_of(store: Path) -> Home:
    """Of a sweep whose name does not matter: jobs are looked up in all of them."""
    return Home(store, "tiny")


def state(run: Run, store: Path) -> State:
    """The state of a run, SLURM having been asked."""
    return ask_scheduler(store).refine(run.hash, standing(run.folder)).state


def would_train(run: Run, store: Path, *, retry: bool = False) -> bool:
    plan = make_plan("tiny", [run], compose_launcher(["launcher=slurm"]), ask_scheduler(store), retry=retry)
    return any(run in pack.runs for pack in plan.packs)


# -- squeue ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["PENDING", "RUNNING", "REQUEUED", "COMPLETING"])
def test_a_run_whose_job_is_listed_is_queued_and_not_submitted_again(
    tmp_path: Path, commands: Path, run: Run, word: str
) -> None:
    write_command(commands, "squeue", f"{QUOTES} '12_2 RUNNING' '12_3 {word}'")
    assert state(run, tmp_path) == State.QUEUED
    assert not would_train(run, tmp_path, retry=True)


@pytest.mark.parametrize("listed", ["", "12_2 RUNNING", "12_30 RUNNING", "112_3 RUNNING", "12 RUNNING"])
def test_a_run_whose_job_is_not_listed_is_to_be_trained(tmp_path: Path, commands: Path, run: Run, listed: str) -> None:
    write_command(commands, "squeue", f"{QUOTES} '{listed}'")
    assert state(run, tmp_path) == State.NEW
    assert would_train(run, tmp_path)


def test_squeue_is_asked_once_for_every_task_of_our_arrays(tmp_path: Path, commands: Path, run: Run) -> None:
    write_command(commands, "squeue", f'echo "$@" >> {tmp_path}/asked; echo "12_3 PENDING"')
    scheduler = ask_scheduler(tmp_path)
    assert scheduler.listed == {"12_3": "PENDING"}
    assert scheduler.jobs == {"0" * 8: ["12_2"], run.hash: ["12_3"]}
    assert (tmp_path / "asked").read_text() == "--me --noheader --array --format=%i %T\n"


def test_squeue_is_not_asked_where_nothing_was_ever_submitted(tmp_path: Path, commands: Path) -> None:
    write_command(commands, "squeue", f"echo asked > {tmp_path}/asked")
    home_of(tmp_path).path.mkdir(parents=True)
    assert ask_scheduler(tmp_path) == ({}, {})
    assert not (tmp_path / "asked").exists()


def test_a_requeued_run_that_was_cut_off_is_queued(tmp_path: Path, commands: Path, run: Run) -> None:
    write_status(run.folder, "running", pid=dead_pid(), step=64)
    write_command(commands, "squeue", "echo '12_3 PENDING'")
    assert state(run, tmp_path) == State.QUEUED


def test_a_run_submitted_twice_is_queued_while_either_job_is_listed(tmp_path: Path, commands: Path, run: Run) -> None:
    Home(tmp_path, "other").path.mkdir()
    Home(tmp_path, "other").add_jobs({"77_0": [run.hash]})
    write_command(commands, "squeue", "echo '77_0 PENDING'")
    assert state(run, tmp_path) == State.QUEUED


# -- SLURM does not answer ---------------------------------------------------------------------------------------------

SILENCE = {"missing": None, "failing": "echo '12_3 PENDING'; exit 1", "hanging": "echo '12_3 PENDING'; exec sleep 99"}


@pytest.mark.parametrize("how", SILENCE)
def test_without_an_answer_a_submitted_run_is_unknown_and_not_submitted_again(
    tmp_path: Path, commands: Path, monkeypatch: pytest.MonkeyPatch, run: Run, how: str
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.2)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin" if how == "hanging" else str(commands))
    if script := SILENCE[how]:
        write_command(commands, "squeue", script)
    assert queue() is None, "whoever hangs is given up, long before it would answer"
    assert state(run, tmp_path) == State.UNKNOWN
    assert not would_train(run, tmp_path)
    assert would_train(run, tmp_path, retry=True), "who says retry knows better"


def test_without_an_answer_a_run_that_was_never_submitted_is_to_be_trained(
    tmp_path: Path, commands: Path, run: Run
) -> None:
    other = tiny_runs(tmp_path)[1]
    assert state(other, tmp_path) == State.NEW
    assert would_train(other, tmp_path)


@pytest.mark.parametrize("script", [None, "true", "echo '12_3 RUNNING'"])
def test_a_result_counts_whatever_slurm_says(tmp_path: Path, commands: Path, run: Run, script: str | None) -> None:
    write_done(run.folder)
    if script:
        write_command(commands, "squeue", script)
    assert state(run, tmp_path) == State.DONE


# -- a run on a node that has gone silent ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "expected"),
    [("true", State.LOST), ("echo '12_3 RUNNING'", State.UNKNOWN), (None, State.UNKNOWN)],
)
def test_a_silent_run_of_a_node_is_lost_only_if_slurm_answers_and_does_not_list_its_job(
    tmp_path: Path, commands: Path, run: Run, script: str | None, expected: State
) -> None:
    write_status(run.folder, "running", host=ELSEWHERE, heartbeat=0.0, slurm=ARRAY_TASK)
    if script:
        write_command(commands, "squeue", script)
    assert state(run, tmp_path) == expected


def test_a_silent_run_that_never_was_a_job_stays_unknown(tmp_path: Path, commands: Path, run: Run) -> None:
    write_status(run.folder, "running", host=ELSEWHERE, heartbeat=0.0)
    write_command(commands, "squeue", "true")
    assert state(run, tmp_path) == State.UNKNOWN


def test_a_run_of_a_node_that_is_heard_is_running(tmp_path: Path, commands: Path, run: Run) -> None:
    write_status(run.folder, "running", host=ELSEWHERE, slurm=ARRAY_TASK)
    write_command(commands, "squeue", "echo '12_3 RUNNING'")
    assert state(run, tmp_path) == State.RUNNING


def test_a_job_is_named_as_squeue_writes_it() -> None:
    assert job_of({"slurm": ARRAY_TASK}) == "12_3"
    assert job_of({"slurm": {"SLURM_JOB_ID": "15"}}) == "15"
    assert job_of({"slurm": None}) is None
    assert job_of({}) is None


# -- sacct and scontrol ------------------------------------------------------------------------------------------------


def test_sacct_tells_how_jobs_ended(tmp_path: Path, commands: Path) -> None:
    write_command(
        commands, "sacct", f"echo \"$@\" > {tmp_path}/asked; {QUOTES} '12_3|OUT_OF_MEMORY' '12_4|CANCELLED by 0' ''"
    )
    assert reasons(["12_4", "12_3", "12_3"]) == {"12_3": "OUT_OF_MEMORY", "12_4": "CANCELLED by 0"}
    assert "--jobs 12_3,12_4 " in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("script", [None, "echo 'Slurm accounting storage is disabled' >&2; exit 1"])
def test_without_accounting_there_are_no_reasons(commands: Path, script: str | None) -> None:
    if script:
        write_command(commands, "sacct", script)
    assert reasons(["12_3"]) == {}


@pytest.mark.parametrize(
    ("script", "size"),
    [
        (f"{QUOTES} 'MailProg = /bin/mail' 'MaxArraySize            = 2001' 'MaxJobCount = 10000'", 2001),
        (f"{QUOTES} 'MaxArraySize=50'", 50),
        ("echo nothing", 1001),
        ("exit 1", 1001),
        (None, 1001),
    ],
)
def test_the_largest_array_is_what_scontrol_says_or_slurms_default(
    commands: Path, script: str | None, size: int
) -> None:
    if script:
        write_command(commands, "scontrol", script)
    assert max_array_size() == size


def test_2500_packs_are_three_arrays_whose_indices_stay_below_the_limit(commands: Path) -> None:
    packs = list(range(2500))
    arrays = list(chunks(packs, max_array_size() - 1))  # type: ignore[arg-type]
    assert [len(array) for array in arrays] == [1000, 1000, 500]
    assert max(len(array) - 1 for array in arrays) < 1001
    assert [pack for array in arrays for pack in array] == packs


def test_what_fits_is_one_array_and_nothing_is_none() -> None:
    assert [len(array) for array in chunks([1] * 1000, 1000)] == [1000]  # type: ignore[list-item]
    assert list(chunks([], 1000)) == []


def test_nothing_known_changes_nothing(tmp_path: Path) -> None:
    found = standing(tmp_path)
    assert Scheduler({}, {}).refine("0" * 64, found) == found
    assert Scheduler({}, None).refine("0" * 64, found) == found
