"""`ls` and `logs`: run folders filtered and shown by any column, and what one run wrote down."""

from __future__ import annotations

import csv
import io
import threading
import time
from pathlib import Path

import pytest

from ppo.errors import UserError
from ppo.runs.states import Standing, standing
from sweeps.__main__ import main
from sweeps.planning.runs import Run
from sweeps.showing import listing
from sweeps.showing.listing import find
from tests.sweeps.folders import tiny_runs, write_config, write_done, write_status


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Clip with seeds 0 and 1 is done, None failed, KL was interrupted; on two tasks."""
    runs = tiny_runs(tmp_path, seeds=2, envs=("inverted_pendulum", "reacher"))
    for run in runs:
        write_config(run)
        if run.label == "Clip":
            write_done(run.folder, score=100.0 + run.config.seed)
        elif run.label == "None":
            write_status(run.folder, "failed", step=128, error="ValueError: no, never\nagain")
        else:
            write_status(run.folder, "planned", step=64)
    return runs


def ls(store: Path, capsys: pytest.CaptureFixture[str], *arguments: str, columns: str) -> list[list[str]]:
    """The rows that `ls --csv` prints, the header first."""
    assert main(["ls", *arguments, "--csv", "--columns", columns, "--outputs", str(store)]) == 0
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))


def complaint(store: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--outputs", str(store)]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    return told.err


# -- rows --------------------------------------------------------------------------------------------------------------


def test_every_run_of_a_store_is_a_row(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = ls(tmp_path, capsys, columns="hash,state,env,seed,step,score")
    assert header == ["hash", "state", "env", "seed", "step", "score"]
    ends = {"Clip": ("done", "256"), "None": ("failed", "128"), "KL": ("planned", "64")}
    expected = [
        [r.hash, ends[r.label][0], r.config.env.id, str(r.config.seed), ends[r.label][1],
         str(100 + r.config.seed) if r.label == "Clip" else ""]
        for r in runs
    ]  # fmt: skip
    assert sorted(rows) == sorted(expected)


def test_seeds_stand_in_the_order_of_their_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (10, 9, 100, 0):
        write_done(tmp_path / "runs" / "Task-v0" / "ppo" / f"seed={seed}-{seed:08x}")
    assert ls(tmp_path, capsys, columns="seed")[1:] == [["0"], ["9"], ["10"], ["100"]]


def test_the_table_ends_with_how_many_runs_it_shows(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls", "state=done", "--outputs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["state", "env", "setting", "seed", "step", "score", "hash"]
    assert lines[-1] == f"4 runs under {tmp_path}"
    assert len(lines) == 1 + 4 + 1


def test_a_store_without_runs_is_an_empty_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--outputs", str(tmp_path / "none")]) == 0
    assert f"0 runs under {tmp_path / 'none'}" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_a_broken_run_folder_is_a_row_like_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "runs" / "Task-v0" / "ppo" / "seed=0-00000000"
    write_status(folder, "failed")
    (folder / "status.json").write_text("{")
    (folder / "config.yaml").write_text("a: [")
    assert ls(tmp_path, capsys, columns="hash,state")[1:] == [["00000000", "new"]]


def test_a_cell_with_commas_and_lines_is_one_cell(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ls(tmp_path, capsys, "state=failed", columns="error,seed")[1:]
    assert rows == [["ValueError: no, never\nagain", seed] for seed in "0101"]


# -- filters -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ([], 12),
        (["state=done"], 4),
        (["state=done,failed"], 8),
        (["env=Inverted*"], 6),
        (["env=Reacher-v?"], 6),
        (["env=Reacher-v??"], 0),
        (["env=reacher"], 0),
        (["env=Reacher*", "state=planned", "seed=1"], 1),
        (["setting=ppo-clip*"], 4),
        (["score=10?"], 4),
        (["surrogate.epsilon=0.2"], 4),
        (["algorithm.lr=0.0003", "env.id=Reacher-v5"], 6),
    ],
)
def test_a_run_is_shown_if_it_matches_every_filter(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str], filters: list[str], count: int
) -> None:
    assert len(ls(tmp_path, capsys, *filters, columns="hash")[1:]) == count


def test_a_filter_without_a_value_is_told_in_a_sentence(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint(tmp_path, capsys, "ls", "done").startswith("'done' is not a filter: key=value is allowed")


def test_a_filter_of_an_unknown_column_is_told_in_a_sentence(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "sttae is unknown" in complaint(tmp_path, capsys, "ls", "sttae=failed")


def test_filters_may_stand_before_and_after_options(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls", "state=done", "--outputs", str(tmp_path), "seed=0"]) == 0


# -- columns -----------------------------------------------------------------------------------------------------------


def test_any_key_of_a_config_is_a_column(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    rows = ls(tmp_path, capsys, "env=Reacher*", "seed=0", columns="surrogate.name,surrogate.epsilon,total_steps")[1:]
    assert sorted(rows) == [["clip", "0.2", "256"], ["kl_fixed", "", "256"], ["none", "", "256"]]


def test_an_unknown_column_is_told_in_a_sentence(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    told = complaint(tmp_path, capsys, "ls", "--columns", "state,scor")
    assert told.startswith("column scor is unknown: did you mean score?")


def test_a_column_of_a_config_is_known_though_no_run_matches(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ls(tmp_path, capsys, "state=lost", columns="surrogate.epsilon") == [["surrogate.epsilon"]]


# -- logs --------------------------------------------------------------------------------------------------------------


def test_a_run_is_found_by_its_hash_a_part_of_its_name_or_its_folder(tmp_path: Path, runs: list[Run]) -> None:
    run = runs[4]
    for name in (run.hash, run.hash[:6], f"seed={run.config.seed}-{run.hash}", str(run.folder)):
        assert find(name, tmp_path) == run.folder


def test_a_name_of_several_runs_is_refused_with_some_of_them(tmp_path: Path, runs: list[Run]) -> None:
    with pytest.raises(UserError, match=r"^run seed=1 is 6 folders under .*: one is needed\.$") as error:
        find("seed=1", tmp_path)
    assert str(error.value).count("seed=1-") == 5


def test_a_name_of_no_run_is_refused(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(tmp_path, capsys, "logs", "zzz") == (
        f"run zzz is 0 folders under {tmp_path} (none): one is needed.\n"
    )


def test_logs_of_a_failed_run_end_with_its_traceback(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = next(run for run in runs if run.label == "None")
    (failed.folder / "log.txt").write_text("attempt 1\nfailed at step 128\n")
    (failed.folder / "traceback.txt").write_text("Traceback\nValueError: no\n")
    assert main(["logs", failed.hash, "--outputs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "attempt 1\nfailed at step 128\nTraceback\nValueError: no\n"


def test_logs_of_a_run_that_was_tried_again_show_no_old_traceback(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    (runs[0].folder / "log.txt").write_text("attempt 2\ndone\n")
    (runs[0].folder / "traceback.txt").write_text("Traceback\n")
    assert main(["logs", runs[0].hash, "--outputs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "attempt 2\ndone\n"


def test_following_a_log_shows_each_line_once_and_ends_when_the_run_ends(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FOLLOW_SECONDS", 0.01)
    run = next(run for run in runs if run.label == "KL")
    write_status(run.folder, "running")

    def train() -> None:
        for i in range(5):
            with (run.folder / "log.txt").open("a") as file:
                file.write(f"line {i}\n")
            time.sleep(0.03)
        write_done(run.folder)

    trainer = threading.Thread(target=train)
    trainer.start()
    assert main(["logs", run.hash, "-f", "--outputs", str(tmp_path)]) == 0
    trainer.join()
    assert capsys.readouterr().out == "".join(f"line {i}\n" for i in range(5))


def test_what_is_written_in_the_moment_of_the_end_is_shown(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (runs[0].folder / "log.txt").write_text("attempt 1\n")

    def end(folder: Path) -> Standing:
        (folder / "log.txt").write_text("attempt 1\ndone\n")
        return standing(folder)

    monkeypatch.setattr(listing, "standing", end)
    assert main(["logs", runs[0].hash, "--outputs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "attempt 1\ndone\n"
