"""`ls`: the runs of a store, filtered and shown by any column."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from ppo.config.identity import short
from ppo.config.run import to_mapping
from ppo.runs import published
from sweeps.__main__ import main
from sweeps.planning.runs import Run
from tests.sweeps.folders import some_runs, write_done, write_status


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    return some_runs(tmp_path)


def ls(store: Path, capsys: pytest.CaptureFixture[str], *arguments: str, columns: str) -> list[list[str]]:
    """The rows that `ls --csv` prints, the header first."""
    assert main(["ls", *arguments, "--csv", "--columns", columns, f"outputs={store}"]) == 0
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))


def complaint(store: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, f"outputs={store}"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


# -- rows --------------------------------------------------------------------------------------------------------------


def test_every_run_of_a_store_is_a_row(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = ls(tmp_path, capsys, columns="run,state,env,seed,step,score")
    assert header == ["run", "state", "env", "seed", "step", "score"]
    ends = {"Clip": ("done", "256"), "None": ("failed", "128"), "KL": ("planned", "64")}
    expected = [
        [r.hash, ends[r.label][0], r.config.env.id, str(r.config.seed), ends[r.label][1],
         str(100 + r.config.seed) if r.label == "Clip" else ""]
        for r in runs
    ]  # fmt: skip
    assert sorted(rows) == sorted(expected)


def test_seeds_are_in_the_order_of_their_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (10, 9, 100, 0):
        write_done(tmp_path / "runs" / "Task-v0" / "ppo" / f"seed-{seed}-{seed:012x}", seed=seed)
    assert ls(tmp_path, capsys, columns="seed")[1:] == [["0"], ["9"], ["10"], ["100"]]


def test_the_table_ends_with_how_many_runs_it_shows(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls", "state=done", f"outputs={tmp_path}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["state", "env", "setting", "seed", "step", "score", "run"]
    assert lines[-1] == f"4 runs in {tmp_path}"
    assert len(lines) == 1 + 4 + 1


def test_one_run_is_one_run_not_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_done(tmp_path / "runs" / "Task-v0" / "ppo" / f"seed-0-{0:012x}")
    assert main(["ls", f"outputs={tmp_path}"]) == 0
    assert capsys.readouterr().out.endswith(f"\n1 run in {tmp_path}\n")


@pytest.mark.parametrize(("states", "status"), [("faild", 2), ("done,faild", 2), ("f*", 0), ("queued,lost", 0)])
def test_a_state_that_no_run_can_have_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], states: str, status: int
) -> None:
    assert main(["ls", f"state={states}", f"outputs={tmp_path}"]) == status
    assert ("Did you mean failed?" in capsys.readouterr().err) == (status == 2)


def test_a_store_without_runs_is_an_empty_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", f"outputs={tmp_path}"]) == 0
    assert f"0 runs in {tmp_path}" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["ls"], ["logs", "0123"]])
def test_a_store_that_is_missing_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert "none" in complaint(tmp_path / "none", capsys, *words)
    assert not (tmp_path / "none").exists()


def test_a_store_of_version_0_1_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_done(tmp_path / "runs" / "Hopper-v5" / "ppo-clip-epsilon=0.2" / "seed=0-1a2b3c4d")
    assert "version 0.1" in complaint(tmp_path, capsys, "ls")


def test_a_broken_run_folder_is_a_row_like_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "runs" / "Task-v0" / "ppo" / "seed-0-000000000000"
    write_status(folder, "failed")
    (folder / "status.json").write_text("{")
    (folder / "config.yaml").write_text("a: [")
    assert ls(tmp_path, capsys, columns="run,state,env,setting")[1:] == [["000000000000", "damaged", "Task-v0", "ppo"]]


def test_json_has_what_the_table_has(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "state=done", "--json", "--columns", "run,score,folder", f"outputs={tmp_path}"]) == 0
    rows = json.loads(capsys.readouterr().out)
    done = [run for run in runs if run.label == "Clip"]
    assert {(row["run"], row["score"], row["folder"]) for row in rows} == {
        (run.hash, 100.0 + run.config.seed, str(run.folder)) for run in done
    }


def test_a_person_sees_the_digits_that_name_a_folder(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls", "--columns", "run", f"outputs={tmp_path}"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:-1]
    assert sorted(lines) == sorted(short(run.hash) for run in runs)


# -- published stores --------------------------------------------------------------------------------------------------


def publish(store: Path, runs: list[Run], name: str = "tiny") -> None:
    """All of these runs as a published sweep of which the first one has no record."""
    records = {
        run.hash: {"result": {"env": run.row.env, "setting": run.row.setting, "seed": run.row.seed, "run": run.hash,
                              "score": 1.5, "steps": 256}, "config": to_mapping(run.config)}
        for run in runs[1:]
    }  # fmt: skip
    published.write(store / f"{name}.json.gz", name, [run.row for run in runs], records)


def test_published_runs_are_listed(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "published"
    publish(store, runs[:3])
    publish(store, runs[:3], "again")
    rows = ls(store, capsys, columns="run,state,score,surrogate.epsilon")[1:]
    assert rows == [
        [run.hash, "done", "1.5", "0.2"] if i else [run.hash, "new", "", ""] for i, run in enumerate(runs[:3])
    ]


def test_a_damaged_published_sweep_is_a_row_and_the_others_are_listed(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "published"
    publish(store, runs[:3])
    (store / "table1.json.gz").write_bytes(b"no gzip")
    rows = ls(store, capsys, columns="state,setting,error")[1:]
    assert sorted(state for state, *_ in rows) == ["damaged", "done", "done", "new"]
    (bad,) = [row for row in rows if row[0] == "damaged"]
    assert bad[1] == "table1.json.gz"
    assert "cannot be read" in bad[2]


def test_numbers_are_compared(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    def scores(*filters: str) -> list[str]:
        return sorted(score for (score,) in ls(tmp_path, capsys, *filters, columns="score")[1:])

    assert scores("score>100") == ["101", "101"]
    assert scores("score>=100", "score<101") == ["100", "100"]
    assert scores("score<=1e2", "seed>0") == []
    assert "expected a number after >" in complaint(tmp_path, capsys, "ls", "score>high")


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
        (["setting=*clip*"], 4),
        (["score=10?"], 4),
        (["surrogate.epsilon=0.2"], 4),
        (["algorithm.lr=0.0003", "env.id=Reacher-v5"], 6),
        (["algorithm.lr=3e-4"], 12),  # values are compared, not their spelling
        (["total_steps=2.56e2", "seed=01"], 6),
        (["compile=False"], 12),
        (["network.hidden=[64, 64]"], 12),
    ],
)
def test_a_run_is_shown_if_it_matches_every_filter(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str], filters: list[str], count: int
) -> None:
    assert len(ls(tmp_path, capsys, *filters, columns="run")[1:]) == count


def test_a_filter_without_a_value_is_reported_in_a_sentence(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "key=value" in complaint(tmp_path, capsys, "ls", "done")


def test_a_filter_of_an_unknown_column_is_reported_in_a_sentence(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "sttae is unknown" in complaint(tmp_path, capsys, "ls", "sttae=failed")


def test_filters_may_stand_before_and_after_options(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls", "state=done", f"outputs={tmp_path}", "seed=0"]) == 0


# -- columns -----------------------------------------------------------------------------------------------------------


def test_any_key_of_a_config_is_a_column(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    rows = ls(tmp_path, capsys, "env=Reacher*", "seed=0", columns="surrogate.name,surrogate.epsilon,total_steps")[1:]
    assert sorted(rows) == [["clip", "0.2", "256"], ["kl_fixed", "", "256"], ["none", "", "256"]]


def test_an_unknown_column_is_reported_in_a_sentence(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = complaint(tmp_path, capsys, "ls", "--columns", "state,scor")
    assert "column scor is unknown" in sentence
    assert "Did you mean score?" in sentence


def test_a_column_of_a_config_is_known_though_no_run_matches(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ls(tmp_path, capsys, "state=lost", columns="surrogate.epsilon") == [["surrogate.epsilon"]]
