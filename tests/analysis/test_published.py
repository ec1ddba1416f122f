"""The published runs: complete, the runs that their hashes say, and readable from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from analysis.records import from_published
from ppo.config.flatten import flatten
from ppo.config.identity import run_hash, setting_hash
from ppo.config.naming import folder_name
from ppo.config.run import to_config, to_mapping
from ppo.runs.published import Published, files, read
from tests.analysis.folders import cells

PUBLISHED = Path(__file__).parents[2] / "outputs" / "published"
SWEEPS = {path.name.partition(".")[0]: read(path) for path in files(PUBLISHED)}
RUNS = {"atari2_long": 2, "clipping": 84, "figure2": 1, "figure3": 147, "first_row": 45, "random": 42, "table1": 231}

every_sweep = pytest.mark.parametrize("published", SWEEPS.values(), ids=SWEEPS)


def records() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Sweep, run and record of everything that is published."""
    for name, published in SWEEPS.items():
        yield from ((name, run, dict(record)) for run, record in published.records.items())


def test_every_declared_run_is_published() -> None:
    assert {name: len(published.runs) for name, published in SWEEPS.items()} == RUNS
    assert all([row.run for row in p.runs] == list(p.records) for p in SWEEPS.values())


@every_sweep
def test_every_record_is_the_run_that_its_hash_says(published: Published) -> None:
    for row in published.runs:
        config = to_config(published.records[row.run]["config"])
        assert (run_hash(config), setting_hash(config)) == (row.run, row.setting_hash)
        assert flatten(published.records[row.run]["config"]).items() <= flatten(to_mapping(config)).items()
        assert row.folder == f"runs/{folder_name(config)}"
        assert (config.env.id, config.seed, config.goal) == (row.env, row.seed, row.goal)


@every_sweep
def test_every_result_is_that_of_its_run(published: Published) -> None:
    for row in published.runs:
        record = from_published(published.records[row.run], row.run)
        result, config = record.result, record.config
        same = ("run", "env", "setting", "setting_hash", "seed")
        assert [result[key] for key in same] == [getattr(row, key) for key in same]
        assert (result["suite"], result["algorithm"]) == (config["env"]["suite"], config["algorithm"]["name"])
        assert result["surrogate"] == config.get("surrogate", {}).get("name")
        assert row.run in result["pack"]


@every_sweep
def test_a_label_is_one_setting(published: Published) -> None:
    settings = {(row.label, row.setting_hash) for row in published.runs}
    assert len(settings) == len({label for label, _ in settings})


def test_runs_that_are_in_several_sweeps_are_the_same_in_each() -> None:
    seen: dict[str, dict[str, Any]] = {}
    for name, run, record in records():
        assert seen.setdefault(run, record) == record, (name, run)


def test_nothing_that_is_published_says_where_it_was_trained() -> None:
    for name, run, record in records():
        assert (record["config"]["outputs"], record["config"]["run_dir"]) == ("outputs", None), (name, run)
        assert "host" not in record["result"], (name, run)


def test_they_are_read_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["table1", "--sweep", "figure3"]) == 0
    assert cells(capsys.readouterr().out, "Clipping, epsilon = 0.2")[4:6] == ["21/21", "0.82"]


def test_table_1_is_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table1", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    scores = {row["label"]: (row["score"], row["low"], row["high"]) for row in table["rows"]}
    assert scores["Clipping, epsilon = 0.1"] == pytest.approx((0.83412, 0.82369, 0.84577), abs=1e-5)
