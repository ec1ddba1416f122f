"""One pack in a worker: a run that cannot be trained keeps none of its mates from it (law 8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppo.errors import UserError
from ppo.runs.exits import Exit
from ppo.runs.states import State, standing
from sweeps.home import Home
from sweeps.launching.worker import train_pack_file
from tests.sweeps.folders import tiny_runs


def test_a_run_whose_folder_cannot_be_written_is_refused_once_its_mates_are_done(tmp_path: Path) -> None:
    runs = tiny_runs(tmp_path)
    runs[1].folder.parent.mkdir(parents=True)
    runs[1].folder.write_text("a file in its place")
    file = Home(tmp_path, "tiny").write_pack(runs)
    with pytest.raises(UserError, match="cannot be written"):
        train_pack_file(file, lambda: False)
    assert [standing(run.folder).state for run in runs] == [State.DONE, State.DAMAGED, State.DONE]


def test_a_mistake_of_all_runs_starts_nothing(tmp_path: Path) -> None:
    runs = tiny_runs(tmp_path)
    for run in runs:
        run.folder.parent.mkdir(parents=True, exist_ok=True)
        run.folder.write_text("a file in its place")
    with pytest.raises(UserError, match="cannot be written"):
        train_pack_file(Home(tmp_path, "tiny").write_pack(runs), lambda: False)
    assert {standing(run.folder).state for run in runs} == {State.DAMAGED}


def test_a_workers_log_tells_how_far_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert train_pack_file(Home(tmp_path, "tiny").write_pack(tiny_runs(tmp_path)), lambda: False) == Exit.DONE
    lines = [record.getMessage() for record in caplog.records if record.name == "ppo.console"]
    assert "starting at 0 of 256 steps" in lines[0]
    assert all(word in lines[-1] for word in ("256 of 256 steps", "steps/s", "score"))
