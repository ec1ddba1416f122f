"""Damaged runs from end to end: `run` leaves them alone and says so, `retry` trains them to the bytes they had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ppo.runs.states import State, standing
from sweeps.__main__ import main
from sweeps.planning.runs import sweep_runs
from sweeps.planning.spec import load
from tests.ppo.checkpointed import read_state, rewrite
from tests.sweeps.small import TINY, records, write_sweep

Damage = Callable[[Path], object]


def cut_rows(folder: Path) -> None:
    rows = (folder / "episodes.csv").read_text().splitlines(keepends=True)
    (folder / "episodes.csv").write_text("".join(rows[:2] + rows[4:]))


def no_result_and_a_status_of_nothing(folder: Path) -> None:
    (folder / "result.json").unlink()
    (folder / "status.json").write_text("[1, 2]")


def no_result_and_a_config_of_nothing(folder: Path) -> None:
    (folder / "result.json").unlink()
    (folder / "config.yaml").write_text("foo: [")


DAMAGES: tuple[tuple[Damage, str], ...] = (
    (lambda folder: (folder / "result.json").write_text('{"a": 1}'), "result.json.bad"),
    (cut_rows, "episodes.csv.bad"),
    (no_result_and_a_status_of_nothing, "status.json.bad"),
    (no_result_and_a_config_of_nothing, "config.yaml.bad"),
)


@pytest.mark.slow
def test_damaged_runs_are_left_alone_by_run_and_trained_to_the_same_bytes_by_retry(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [write_sweep(tmp_path, seeds=2), *TINY, f"outputs={tmp_path}"]
    assert main(["run", *words, "launcher.workers=1", "launcher.pack_size=6"]) == 0
    undisturbed = records(tmp_path)
    runs = sweep_runs(load(words[0]), words[1:])
    for run, (damage, _) in zip(runs, DAMAGES, strict=False):
        damage(run.folder)
    capfd.readouterr()
    assert main(["run", *words]) == 1
    assert "4 damaged" in capfd.readouterr().err
    assert [standing(run.folder).state for run in runs] == [State.DAMAGED] * 4 + [State.DONE] * 2
    assert main(["retry", *words, "launcher.workers=1"]) == 0
    assert records(tmp_path) == undisturbed
    for run, (_, aside) in zip(runs, DAMAGES, strict=False):
        assert (run.folder / aside).exists(), "what is damaged is kept"


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_used_fails_its_run_once_and_retry_goes_on(tmp_path: Path) -> None:
    words = [write_sweep(tmp_path, seeds=1), *TINY, f"outputs={tmp_path}", "launcher.workers=1"]
    assert main(["run", *words]) == 0
    undisturbed = records(tmp_path)
    runs = sweep_runs(load(words[0]), words[1:-1])
    for run in runs:
        (run.folder / "result.json").unlink()
    path = runs[1].folder / "checkpoint.pt"
    state = read_state(path)
    del state["pack"]["learner"]["theta"]
    rewrite(path, state)
    assert main(["run", *words]) == 1
    assert [standing(run.folder).state for run in runs] == [State.DONE, State.FAILED, State.DONE]
    assert "set aside as checkpoint.pt.bad" in str(standing(runs[1].folder).error)
    assert main(["retry", *words]) == 0
    assert records(tmp_path) == undisturbed
