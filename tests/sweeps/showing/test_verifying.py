"""`ppo-sweeps verify` hashes everything, names what does not fit, and works on a store that may only be read."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from ppo.runs import published
from sweeps import commands
from sweeps.__main__ import main
from sweeps.home import Home
from sweeps.planning.runs import Run
from tests.sweeps.folders import some_runs


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Clip done, None failed, KL interrupted, on two tasks with two seeds; listed as the sweep `mine`."""
    made = some_runs(tmp_path)
    Home(tmp_path, "mine").path.mkdir(parents=True)
    Home(tmp_path, "mine").write_runs([run.row for run in made])
    return made


def verify(store: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["verify", *words, f"outputs={store}"])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def damage(run: Run) -> None:
    """Change one digit of a finished run's episodes, and neither size nor time."""
    path = run.folder / "episodes.csv"
    path.write_bytes(path.read_bytes()[:-2] + b"7\n")


def test_a_store_of_which_everything_fits_is_0(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out = verify(tmp_path, capsys)
    assert (status, out.count("\n")) == (0, 1)
    assert "12 runs looked at, 4 of them done" in out
    assert verify(tmp_path, capsys, "mine")[0] == 0


def test_what_is_damaged_is_named_with_its_folder_and_reason(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(runs[0])
    for words in ([], ["mine"]):
        status, out = verify(tmp_path, capsys, *words)
        assert status == 1
        (line,) = [line for line in out.splitlines() if line.startswith("damaged")]
        assert str(runs[0].folder) in line
        assert "episodes.csv" in line
    checked = json.loads(verify(tmp_path, capsys, "--json")[1])
    assert [one["path"] for one in checked if one["damage"]] == [str(runs[0].folder)]


def test_a_damaged_list_and_a_damaged_published_file_are_named_and_the_rest_is_looked_at(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    (Home(tmp_path, "mine").path / "runs.json").write_text("[]")
    (tmp_path / "other.json.gz").write_bytes(b"")
    published.write(tmp_path / "good.json.gz", "good", [run.row for run in runs], {})
    status, out = verify(tmp_path, capsys)
    assert status == 1
    assert "runs.json cannot be read" in out
    assert "other.json.gz cannot be read" in out
    assert "12 runs looked at" in out
    assert verify(tmp_path, capsys, "good")[0] == 0


@pytest.mark.parametrize("words", [["nope"], ["mine", "other"], ["seed=1"]])
def test_a_mistake_is_one_sentence(
    tmp_path: Path, runs: list[Run], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out = verify(tmp_path, capsys, *words)
    assert (status, out.count("\n")) == (2, 1)


def test_cancelling_in_a_store_that_may_only_be_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Home, "driver", lambda _home: {"pid": 1, "host": "x"})
    monkeypatch.setattr(commands, "append", refuse)
    assert main(["cancel", "smoke", f"outputs={tmp_path}"]) == 2
    assert "cannot be written: Permission denied." in capsys.readouterr().err
