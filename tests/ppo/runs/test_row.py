"""A run of a sweep has one shape, and what is read back is checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ppo.config.schema import MOST_SEED
from ppo.runs.files import write_json
from ppo.runs.row import RunRow, read_rows

ROW = RunRow("Clip", "Hopper-v5", "ppo clip epsilon=0.2", "a" * 64, 3, "b" * 64, "runs/Hopper-v5/ppo/seed-3-b", 10_240)


def test_a_row_survives_json() -> None:
    assert RunRow.from_json(json.loads(json.dumps(ROW.to_json()))) == ROW


@pytest.mark.parametrize("seed", [0, 2**63, MOST_SEED])
def test_every_seed_that_a_run_may_have_is_one_of_a_list(seed: int) -> None:
    row = ROW._replace(seed=seed)
    assert RunRow.from_json(json.loads(json.dumps(row.to_json()))) == row


@pytest.mark.parametrize("values", [{"seed": -1}, {"seed": MOST_SEED + 1}, {"goal": 0}])
def test_numbers_out_of_range_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        RunRow.from_json(ROW.to_json() | values)


def test_other_keys_beside_a_rows_are_left_out() -> None:
    assert RunRow.from_json(ROW.to_json() | {"state": "done", "score": 1.0}) == ROW


@pytest.mark.parametrize("key", RunRow._fields)
@pytest.mark.parametrize("value", [None, 1.5, [], True])
def test_a_value_of_the_wrong_type_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=key):
        RunRow.from_json(ROW.to_json() | {key: value})


@pytest.mark.parametrize("key", RunRow._fields)
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        RunRow.from_json({k: v for k, v in ROW.to_json().items() if k != key})


@pytest.mark.parametrize("folder", ["../outside", "runs/../../outside", "/etc", "", "."])
def test_a_folder_outside_the_store_is_refused(folder: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        RunRow.from_json(ROW.to_json() | {"folder": folder})


@pytest.mark.parametrize("values", [None, [], "row", 3])
def test_what_is_no_mapping_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="mapping"):
        RunRow.from_json(values)


def test_the_list_of_a_sweep_is_read(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    assert read_rows(path) == []
    write_json(path, {"sweep": "mine", "runs": [ROW.to_json()] * 2})
    assert read_rows(path) == [ROW, ROW]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"runs": 3}', '{"runs": [{}]}', '{"runs": [3]}'])
def test_a_list_that_is_malformed_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "runs.json").write_text(content)
    with pytest.raises(ValueError, match=r"runs|run"):
        read_rows(tmp_path / "runs.json")
