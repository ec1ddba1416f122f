"""A file is its old content or all of the new one, whatever happens; locks have one owner."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ppo.runs import files
from ppo.runs.files import ASIDE, fresh_sibling, read_json, remove_leftovers, write_atomically, write_json
from ppo.runs.locks import acquire, is_locked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_next_free_name_beside_a_folder_is_found(tmp_path: Path) -> None:
    assert fresh_sibling(tmp_path / "a") == tmp_path / "a-2"
    (tmp_path / "a-2").mkdir()
    assert fresh_sibling(tmp_path / "a") == tmp_path / "a-3"


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        write_atomically(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write_atomically(tmp_path / "file", b"old")
    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_file_and_folder_are_forced_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")) or fsync(fd))
    write_atomically(tmp_path / "file", b"x")
    assert len(synced) == 2
    assert synced[0].endswith(ASIDE)
    assert synced[1] == str(tmp_path)


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "0" * 8)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / f".file.{os.getpid()}-{'0' * 8}{ASIDE}").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"x")
    assert victim.read_bytes() == b"precious"


def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.txt")
    with pytest.raises(OSError, match="No such device"):
        files.append(tmp_path / "log.txt", b"x")


def test_writers_at_once_do_not_collide(tmp_path: Path) -> None:
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_json(tmp_path / "status.json", {"writer": number, "content": "x" * 1000})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert read_json(tmp_path / "status.json") is not None
    assert names(tmp_path) == ["status.json"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".status.json.12-00000000{ASIDE}").write_bytes(b"half")
    (tmp_path / "status.json").write_bytes(b"{}")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["status.json"]


def test_json_is_strict_and_nan_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"score": math.nan, "seconds": 1.5, "best": math.inf})
    assert read_json(tmp_path / "a.json") == {"score": None, "seconds": 1.5, "best": None}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000])
def test_what_is_no_mapping_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read_json(tmp_path / "a.json") is None
    assert read_json(tmp_path / "absent.json") is None


# -- locks -------------------------------------------------------------------------------------------------------------

OWN = """
import sys
from pathlib import Path
from ppo.runs.locks import acquire
lock = acquire(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_lock_has_one_owner_and_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    environment = os.environ | {"PYTHONPATH": str(Path(files.__file__).parents[2])}
    command = [sys.executable, "-c", OWN, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "locked\n"
        assert acquire(path) is None
        assert is_locked(path)
        owner.kill()
    assert not is_locked(path)
    lock = acquire(path)
    assert lock is not None
    assert is_locked(path)
    lock.close()
    assert not is_locked(path)


def test_asking_makes_no_lock(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / ".lock")
    assert names(tmp_path) == []


def test_a_lock_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        acquire(tmp_path / "none" / ".lock")
