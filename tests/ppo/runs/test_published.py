"""A published sweep is one small file that is read as it was written, or named where it is damaged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ppo.runs.published import Published, files, path_of, read, write
from ppo.runs.row import RunRow

ROW = RunRow("Clip", "Hopper-v5", "ppo clip", "a" * 64, 0, "b" * 64, "runs/Hopper-v5/ppo-clip/seed-0-bbb", 2000)
SWEEP = Published("mine", [ROW], {ROW.run: {"result": {"run": ROW.run, "score": 0.1 + 0.2}, "curve": [[10, 1.5, 2]]}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = path_of(tmp_path / "new", "mine")
    write(path, SWEEP)
    return path


def test_a_published_sweep_is_read_as_it_was_written(path: Path) -> None:
    assert path.name == "mine.json.gz"
    assert read(path) == SWEEP
    assert files(path.parent) == [path]


def test_the_same_content_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write(tmp_path / "again.json.gz", read(path))
    assert (tmp_path / "again.json.gz").read_bytes() == path.read_bytes()


def test_it_is_strict_json(path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write(path, SWEEP._replace(records={ROW.run: {"score": float("nan")}}))
    assert json.loads(gzip.decompress(path.read_bytes()))["sweep"] == "mine"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        gzip.compress(b"{}", mtime=0),
        gzip.compress(b"[1]", mtime=0),
        gzip.compress(b'{"sweep": "x", "runs": [{}], "records": {}}', mtime=0),
        gzip.compress(b'{"sweep": "x", "runs": [], "records": {"a": 1}}', mtime=0),
        gzip.compress(b"{" * 100, mtime=0)[:-9],
    ],
)
def test_a_damaged_file_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.json\.gz cannot be read as a published sweep"):
        read(path)


def test_a_row_that_leaves_the_store_is_refused(path: Path) -> None:
    write(path, SWEEP._replace(runs=[ROW._replace(folder="../outside")]))
    with pytest.raises(ValueError, match="outside"):
        read(path)


@pytest.mark.parametrize(
    "result", [{"run": "c" * 64, "score": 1.0}, {"score": 1.0}, {"run": ROW.run, "score": "x"},
               {"run": ROW.run, "steps": "1"}, {"run": ROW.run, "compiled": [1]}], ids=str
)  # fmt: skip
def test_a_record_of_another_run_or_of_something_else_is_refused(path: Path, result: dict[str, object]) -> None:
    write(path, SWEEP._replace(records={ROW.run: {"result": result}}))
    with pytest.raises(ValueError, match="the record of run bbbbbbbbbbbb"):
        read(path)
