"""A result is sealed, names the files that it is the result of, and is believed only if all of it fits (law 4)."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ppo.config.compose import compose
from ppo.config.files import dump
from ppo.config.identity import run_hash, setting_hash
from ppo.config.run import to_mapping
from ppo.pack import SCORE_EPISODES
from ppo.runs import results, verified
from ppo.runs.results import CONFIG, EPISODES, RESULT, UPDATES, examine, read_result, seal, verify, write_result
from ppo.runs.states import State, standing
from tests.sealed import write_sealed

NAMED = (RESULT, CONFIG, EPISODES, UPDATES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run of ten episodes, in a store."""
    folder = tmp_path / "runs" / "Task-v0" / "ppo" / f"seed-0-{'0' * 12}"
    folder.mkdir(parents=True)
    (folder / "line.csv").write_text("x,y\n1,2\n")
    write_sealed(folder, {"score": 1.0, "episodes": 10, "steps": 64}, ["line.csv"])
    return folder


def change(folder: Path, **values: Any) -> None:
    """Change a result as somebody would who knows how it is sealed."""
    write_result(folder, json.loads((folder / RESULT).read_bytes()) | values)


# -- seals -------------------------------------------------------------------------------------------------------------


def test_what_is_sealed_is_read_back_as_it_is(tmp_path: Path) -> None:
    values = {"run": "0" * 64, "steps": 3, "episodes": 1, "rows": {}, "sha256": {}}
    values |= {"score": float("nan"), "pack": ("a",)}
    sealed = write_result(tmp_path, values)
    assert read_result(tmp_path) == sealed == seal(sealed)
    assert (sealed["score"], sealed["pack"]) == (None, ["a"])


def test_the_order_of_a_results_keys_is_no_damage(folder: Path) -> None:
    values = json.loads((folder / RESULT).read_bytes())
    (folder / RESULT).write_text(json.dumps(dict(reversed(values.items()))))
    assert verify(folder, thorough=False) == []
    assert "other bytes" in verify(folder, thorough=True)[0]


def test_every_flipped_bit_of_a_result_is_found_or_changes_no_value(folder: Path) -> None:
    path, moments = folder / RESULT, random.Random(0)
    content, whole = path.read_bytes(), read_result(folder)
    for position in moments.sample(range(8 * len(content)), 400):
        flipped = bytearray(content)
        flipped[position // 8] ^= 1 << position % 8
        path.write_bytes(flipped)
        assert verify(folder, thorough=True), f"bit {position}"
        assert verify(folder, thorough=False) or read_result(folder) == whole, f"bit {position}"


WRONG = [{"steps": "x"}, {"score": [1]}, {"code": [1]}, {"compiled": "yes"}, {"rows": [1]}, {"run": None}]


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_a_result_of_the_wrong_kinds_is_damage(folder: Path, values: dict[str, Any]) -> None:
    change(folder, **values)
    found = standing(folder)
    assert (found.state, found.result) == (State.DAMAGED, {})


# -- what it names -----------------------------------------------------------------------------------------------------


def test_a_whole_folder_fits(folder: Path) -> None:
    found = examine(folder, thorough=True)
    assert found.damage == []
    assert found.result is not None
    assert set(found.result["sha256"]) == {CONFIG, EPISODES, UPDATES, "line.csv"}
    assert found.result["rows"] == {EPISODES: 10, UPDATES: 0}
    assert standing(folder).state == State.DONE


@pytest.mark.parametrize("name", [CONFIG, EPISODES, UPDATES, "line.csv"])
def test_a_named_file_that_changed_or_is_gone_is_named_as_damage(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for damaged in (content + b"1", content[:-1], content.replace(b"e", b"f").replace(b"x", b"z"), None):
        (folder / name).unlink()
        if damaged is not None:
            (folder / name).write_bytes(damaged)
        found = standing(folder)
        assert (found.state, found.damage.partition(" ")[0]) == (State.DAMAGED, name)
        (folder / name).write_bytes(content)
    assert standing(folder).state == State.DONE


def test_another_runs_result_is_damage_and_so_is_its_whole_folder(folder: Path) -> None:
    change(folder, run="1" * 64)
    assert "is of run 111111111111" in standing(folder).damage


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"episodes": 9}, "counts 9"), ({"sha256": {}}, "does not name"), ({"rows": {EPISODES: 10, UPDATES: 7}}, "rows")],
)
def test_a_result_that_contradicts_its_folder_is_damage(folder: Path, values: dict[str, Any], reason: str) -> None:
    change(folder, **values)
    assert reason in verify(folder, thorough=True)[0]


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"score": 2.5}, "another score"), ({"score": None}, "another score"), ({"seed": 3}, "seed=3, and config.yaml 0"),
     ({"env": "Walker2d-v5"}, "env=Walker2d-v5"), ({"steps": 3}, "3 of ")],
)  # fmt: skip
def test_a_result_that_was_edited_and_sealed_again_is_found_by_a_thorough_look(
    tmp_path: Path, values: dict[str, Any], reason: str
) -> None:
    config = compose(["env=hopper", "total_steps=64", "algorithm.horizon=64"])
    (tmp_path / "config.yaml").write_text(dump(to_mapping(config)))
    facts = {"run": run_hash(config), "env": "Hopper-v5", "seed": 0, "setting_hash": setting_hash(config)}
    write_sealed(tmp_path, facts | {"score": 1.5, "episodes": 10, "steps": config.goal})
    assert verify(tmp_path, thorough=True) == []
    change(tmp_path, **values)
    assert reason in verify(tmp_path, thorough=True)[0]
    assert verify(tmp_path, thorough=False) == []


def test_the_score_is_that_of_training() -> None:
    assert results.SCORED == SCORE_EPISODES


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b"])
def test_a_result_names_files_of_its_own_folder_only(folder: Path, name: str) -> None:
    whole = read_result(folder)
    assert whole is not None
    change(folder, sha256=whole["sha256"] | {name: "0" * 64})
    assert "no file of a run folder" in standing(folder).damage


# -- what is remembered ------------------------------------------------------------------------------------------------


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are hashed, as they are."""
    names, original = [], verified.sha256_of

    def count(path: Path) -> str:
        names.append(path.name)
        return original(path)

    monkeypatch.setattr(verified, "sha256_of", count)
    return names


def test_files_are_hashed_once_and_again_when_they_change(
    folder: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "RACY_SECONDS", -1.0)
    for _ in range(3):
        assert verify(folder, thorough=False) == []
    assert len(hashed) == 4
    (folder / EPISODES).write_bytes((folder / EPISODES).read_bytes().replace(b"1.0", b"2.0"))
    assert verify(folder, thorough=False)
    assert len(hashed) == 8


def test_a_thorough_look_hashes_everything(folder: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "RACY_SECONDS", -1.0)
    for _ in range(2):
        assert verify(folder, thorough=True) == []
    assert len(hashed) == 8


def test_files_as_young_as_a_tick_of_the_clock_are_hashed_again(folder: Path, hashed: list[str]) -> None:
    for _ in range(2):
        assert verify(folder, thorough=False) == []
    assert len(hashed) == 8


@pytest.fixture
def memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> verified.Memory:
    """What the store remembers after a look, written at once however little it is."""
    monkeypatch.setattr(verified, "RACY_SECONDS", -1.0)
    monkeypatch.setattr(verified, "WORTH_WRITING", 0)
    verified._memory.cache_clear()
    verify(folder, thorough=False)
    memory = verified.memory_of(folder)
    memory.write()
    verified._memory.cache_clear()
    return memory


def test_the_next_process_hashes_nothing(folder: Path, memory: verified.Memory, hashed: list[str]) -> None:
    assert memory.path == folder.parents[3] / verified.NAME
    assert verify(folder, thorough=False) == []
    assert hashed == []


LOOKS = [b"", b"{", b"[]", b'{"looks": 3}', b'{"looks": {"a": [1]}}', b"\xff", b"[" * 10**5]


@pytest.mark.parametrize("content", LOOKS)
def test_a_damaged_memory_is_no_memory(
    folder: Path, memory: verified.Memory, hashed: list[str], content: bytes
) -> None:
    assert memory.path is not None
    memory.path.write_bytes(content)
    assert verify(folder, thorough=False) == []
    assert len(hashed) == 4


def test_a_memory_never_vouches_for_what_it_has_not_seen(
    folder: Path, memory: verified.Memory, hashed: list[str]
) -> None:
    assert memory.path is not None
    (folder / EPISODES).write_bytes((folder / EPISODES).read_bytes().replace(b"1.0", b"2.0"))
    assert verify(folder, thorough=False)
    assert EPISODES in hashed


def test_memories_of_two_processes_are_merged(folder: Path, memory: verified.Memory) -> None:
    other = verified.Memory(str(folder.parents[3]))
    other.known.clear()
    other.add(folder.with_name("other"), (1, "x"))
    other.write()
    assert len(verified.Memory(str(folder.parents[3])).known) == 2


def test_a_store_that_may_only_be_read_is_read(
    folder: Path, memory: verified.Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(verified, "write_atomically", refuse)
    memory.added = 100
    memory.write()
    assert standing(folder).state == State.DONE
