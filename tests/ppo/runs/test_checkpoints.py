"""A checkpoint is used only if every bit of it, and of the rows it knows, is as it was written (laws 2 and 4)."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.data import Episode
from ppo.errors import UserError
from ppo.runs import checkpoints, files
from ppo.runs.checkpoints import MAGIC, NEWEST, PREVIOUS, damage_of, unpacked
from ppo.runs.folder import RunFolder
from ppo.runs.results import verify
from tests.ppo.checkpointed import rewrite

CONFIG = compose(["algorithm=cem", "seed=3"])
UPDATE = {"iteration": 1, "step": 64, "episodes": 1, "score": 1.5, "steps_per_second": 1e3}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run with a checkpoint at steps 64 and 128, and rows after them."""
    folder = opened(tmp_path)
    assert folder.restore() is None
    for step in (64, 128):
        folder.append([Episode(step, 1.5 * step, 20)], UPDATE | {"step": step})
        folder.keep_artefact("line", ("x",), [[step]])
        folder.save_checkpoint({"step": step})
    folder.append([Episode(170, 0.1, 21)], UPDATE | {"step": 192})
    folder.close()
    return opened(tmp_path)


def opened(path: Path) -> RunFolder:
    folder = RunFolder(path / "run", CONFIG)
    folder.check()
    folder.open()
    return folder


def flip(path: Path, position: int) -> None:
    """Flip a bit of a file."""
    content = bytearray(path.read_bytes())
    content[position // 8] ^= 1 << position % 8
    path.write_bytes(content)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


# -- the file ----------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_read_back_and_tables_and_artefacts_are_put_back_to_it(folder: RunFolder) -> None:
    (folder.path / "line.csv").write_text("newer")
    state = folder.restore()
    assert state is not None
    assert state["step"] == 128
    assert (lines(folder.episodes), lines(folder.updates)) == (3, 3)
    assert (folder.path / "line.csv").read_text() == "x\n128.0\n"
    assert folder.damage == []


def test_every_flipped_bit_of_a_checkpoint_is_found_before_torch_sees_a_byte(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.path / NEWEST
    content, moments = path.read_bytes(), random.Random(0)
    head = 8 * (content.index(b"\n", len(MAGIC)) + 1)
    for position in [*range(head), *moments.sample(range(head, 8 * len(content)), 300)]:
        flip(path, position)
        with pytest.raises(ValueError, match=r"damaged|format|not a checkpoint"):
            unpacked(path.read_bytes())
        path.write_bytes(content)
    assert unpacked(content)[0]["run"] == run_hash(CONFIG)


def test_a_damaged_checkpoint_is_set_aside_and_the_older_one_used(
    folder: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    flip(folder.path / NEWEST, 5000)
    state = folder.restore()
    assert state is not None
    assert state["step"] == 64
    assert lines(folder.episodes) == 2
    assert (folder.path / "checkpoint.pt.bad").exists()
    for told in ((folder.path / "log.txt").read_text(), caplog.text, " ".join(folder.damage)):
        assert "checkpoint.pt cannot be used" in told


@pytest.mark.parametrize(
    ("header", "reason"),
    [({"run": "0" * 64}, "belongs to run"), ({"tables": {"updates.csv": [10**9, "0" * 64]}}, "shorter")],
)
def test_a_checkpoint_of_something_else_is_set_aside(folder: RunFolder, header: dict[str, Any], reason: str) -> None:
    rewrite(folder.path / NEWEST, **header)
    state = folder.restore()
    assert state is not None
    assert state["step"] == 64
    assert reason in folder.damage[0]


@pytest.mark.parametrize("name", [NEWEST, "episodes.csv"])
@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), MemoryError()])
def test_a_checkpoint_that_cannot_be_read_just_now_stays_where_it_is(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    original = files.open_regular

    def opened(path: Path) -> Any:
        if path.name == name:
            raise error
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "open_regular", opened)
        with pytest.raises((OSError, MemoryError, ValueError)):
            folder.restore()
    state = folder.restore()
    assert state is not None
    assert (state["step"], folder.damage) == (128, [])


def test_a_checkpoint_of_another_format_is_named_as_such(folder: RunFolder) -> None:
    path = folder.path / NEWEST
    path.write_bytes(MAGIC + b"4 " + path.read_bytes()[len(MAGIC) + 2 :])
    torch.save({"format": 2}, folder.path / PREVIOUS)
    assert folder.restore() is None
    assert "format is 4" in folder.damage[0]
    assert "not a checkpoint of this version" in folder.damage[1]


def test_nothing_that_was_set_aside_is_overwritten(folder: RunFolder) -> None:
    (folder.path / "checkpoint.pt.bad").write_text("older")
    (folder.path / NEWEST).write_bytes(b"broken")
    folder.restore()
    assert (folder.path / "checkpoint.pt.bad").read_text() == "older"
    assert (folder.path / "checkpoint.pt.bad-2").read_bytes() == b"broken"


# -- the rows that it knows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["episodes.csv", "updates.csv"])
def test_a_change_in_the_last_rows_costs_the_newest_checkpoint_only(folder: RunFolder, name: str) -> None:
    size = unpacked((folder.path / PREVIOUS).read_bytes())[0]["tables"][name][0]
    flip(folder.path / name, 8 * size)
    damaged = (folder.path / name).read_bytes()
    state = folder.restore()
    assert state is not None
    assert state["step"] == 64
    assert (folder.path / f"{name}.bad").read_bytes() == damaged
    assert lines(folder.path / name) == 2


@pytest.mark.parametrize("name", ["episodes.csv", "updates.csv"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_change_in_the_first_rows_starts_the_run_again_and_deletes_nothing(
    folder: RunFolder, name: str, how: str
) -> None:
    path = folder.path / name
    kept = {p.name: p.read_bytes() for p in (folder.episodes, folder.updates) if how != "gone" or p != path}
    if how == "flipped":
        flip(path, 100)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:20])
    else:
        path.unlink()
    kept = {p: (folder.path / p).read_bytes() for p in kept}
    assert folder.restore() is None
    assert all((folder.path / f"{p}.bad").read_bytes() == content for p, content in kept.items())
    assert (folder.path / "checkpoint.pt.bad").exists()
    assert (folder.path / "checkpoint.old.pt.bad").exists()
    assert (lines(folder.episodes), lines(folder.updates)) == (1, 1)
    assert "step 0" in folder.damage[-1]


def test_a_change_after_the_checkpoint_is_harmless(folder: RunFolder) -> None:
    flip(folder.episodes, 8 * (folder.episodes.stat().st_size - 2))
    assert folder.restore() is not None
    assert folder.damage == []


def test_the_running_sha256_goes_on_after_a_resume(folder: RunFolder) -> None:
    folder.restore()
    folder.append([Episode(180, 2.0, 9)], UPDATE | {"step": 192})
    folder.save_checkpoint({"step": 192})
    assert damage_of(folder.path, folder.run) == []
    folder.close()
    state = opened(folder.path.parent).restore()
    assert state is not None
    assert state["step"] == 192


def test_a_thorough_look_at_an_unfinished_run_names_what_does_not_fit(folder: RunFolder) -> None:
    assert verify(folder.path, thorough=True) == []
    flip(folder.path / NEWEST, 5000)
    assert "checkpoint.pt cannot be used" in verify(folder.path, thorough=True)[0]
    assert verify(folder.path, thorough=False) == []
    assert (folder.path / NEWEST).exists(), "looking changes nothing"


# -- disks and links ---------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_does_not_fit_on_the_disk_costs_none_of_those_there(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.restore()
    before = {name: (folder.path / name).read_bytes() for name in (NEWEST, PREVIOUS)}

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="space"):
            checkpoints.save(folder.path, folder.run, {"step": 1}, {})
    assert {name: (folder.path / name).read_bytes() for name in (NEWEST, PREVIOUS)} == before
    assert not list(folder.path.glob(f".*{files.ASIDE}"))


@pytest.mark.parametrize("name", ["log.txt", "episodes.csv", "updates.csv", ".lock"])
def test_no_link_in_a_run_folder_is_followed(folder: RunFolder, tmp_path: Path, name: str) -> None:
    folder.restore()
    target = tmp_path / "target"
    target.write_text("precious")
    (folder.path / name).unlink()
    (folder.path / name).symlink_to(target)
    writes: dict[str, Callable[[], object]] = {
        ".lock": lambda: opened(folder.path.parent),
        "log.txt": lambda: folder.note("x"),
    }
    with pytest.raises((OSError, UserError), match=r"symbolic links"):
        writes.get(name, lambda: folder.append([Episode(180, 2.0, 9)], UPDATE))()
    assert target.read_text() == "precious"
