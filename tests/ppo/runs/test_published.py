"""A published sweep is one small file that is read as it was written, or named where it is damaged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ppo.runs.published import HEADER, Published, files, path_of, read, write
from ppo.runs.row import RunRow

ROW = RunRow("Clip", "Hopper-v5", "ppo clip", "a" * 64, 0, "b" * 64, "runs/Hopper-v5/ppo-clip/seed-0-bbb", 2000)
SWEEP = Published("mine", [ROW], {ROW.run: {"result": {"run": ROW.run, "score": 0.1 + 0.2}, "curve": [[10, 1.5, 2]]}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = path_of(tmp_path / "new", "mine")
    write(path, SWEEP.sweep, SWEEP.runs, SWEEP.records)
    return path


def packed(content: bytes) -> bytes:
    """A file with our header, whatever this Python's would be."""
    return HEADER + gzip.compress(content, mtime=0)[len(HEADER) :]


def rewritten(path: Path, change: Callable[[Any], object]) -> None:
    """Change a file's content by hand, and compress it again."""
    content = json.loads(gzip.decompress(path.read_bytes()))
    change(content)
    path.write_bytes(packed(json.dumps(content).encode()))


def test_a_published_sweep_is_read_as_it_was_written(path: Path) -> None:
    assert path.name == "mine.json.gz"
    found = read(path)
    assert (found.sweep, found.runs, found.damage) == (SWEEP.sweep, SWEEP.runs, {})
    assert {**found.records[ROW.run]} == {**SWEEP.records[ROW.run], "digest": found.records[ROW.run]["digest"]}
    assert files(path.parent) == [path]


def test_the_same_content_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    found = read(path)
    write(tmp_path / "again.json.gz", found.sweep, found.runs, found.records)
    assert (tmp_path / "again.json.gz").read_bytes() == path.read_bytes()


def test_it_is_strict_json(path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write(path, "mine", [ROW], {ROW.run: {"score": float("nan")}})
    assert json.loads(gzip.decompress(path.read_bytes()))["sweep"] == "mine"


def read_or_reason(path: Path) -> Published | str:
    try:
        return read(path)
    except ValueError as error:
        return str(error)


def test_every_flipped_bit_is_noticed_or_changes_nothing(path: Path) -> None:
    content, found, harmless = path.read_bytes(), read(path), 0
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        if (reading := read_or_reason(path)) == found:
            harmless += 1
        else:
            assert "mine.json.gz cannot be read as a published sweep" in str(reading)
    assert harmless < 8, "only those that fill up the last byte before the checksum"


def test_a_record_that_was_changed_by_hand_is_damaged_and_the_others_are_read(path: Path) -> None:
    other = ROW._replace(run="c" * 64)
    write(path, "mine", [ROW, other], {row.run: {"result": {"run": row.run, "score": 1.0}} for row in (ROW, other)})
    rewritten(path, lambda content: content["records"][ROW.run]["result"].update(score=2.0))
    found = read(path)
    assert list(found.records) == [other.run]
    assert "digest" in found.damage[ROW.run]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        packed(b"{}"),
        packed(b"[1]"),
        packed(b'{"sweep": "x", "runs": [{}], "records": {}}'),
        packed(b"{" * 100)[:-9],
    ],
)
def test_a_damaged_file_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.json\.gz cannot be read as a published sweep"):
        read(path)


def test_a_row_that_leaves_the_store_is_refused(path: Path) -> None:
    write(path, "mine", [ROW._replace(folder="../outside")], {})
    with pytest.raises(ValueError, match="outside"):
        read(path)


@pytest.mark.parametrize(
    "result", [{"run": "c" * 64, "score": 1.0}, {"score": 1.0}, {"run": ROW.run, "score": "x"},
               {"run": ROW.run, "steps": "1"}, {"run": ROW.run, "compiled": [1]}], ids=str
)  # fmt: skip
def test_a_record_of_another_run_or_of_something_else_is_damaged(path: Path, result: dict[str, object]) -> None:
    write(path, "mine", [ROW], {ROW.run: {"result": result}})
    found = read(path)
    assert found.records == {}
    assert "its record" in found.damage[ROW.run]


@pytest.mark.parametrize("record", [None, 1, [], {}, {"result": []}], ids=str)
def test_what_is_no_record_is_damaged(path: Path, record: object) -> None:
    rewritten(path, lambda content: content["records"].update({ROW.run: record}))
    assert list(read(path).damage) == [ROW.run]
