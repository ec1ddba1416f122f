"""Files and folders that people name: whatever they are called is taken as typed, whatever they are is one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ppo.config.compose import compose, load_mapping
from ppo.config.files import MOST_BYTES, dump, text_of
from ppo.errors import UserError


@pytest.mark.parametrize("name", ["a=b", "a:b", "a b", "日本/ü", "1e5", ".5", "010", "7", "a#b", "a@b", "x;y", "a%b"])
@pytest.mark.parametrize("key", ["outputs", "run_dir"])
def test_a_folder_is_called_what_was_typed_and_is_read_back_so(key: str, name: str, tmp_path: Path) -> None:
    typed = getattr(compose([f"{key}={name}"]).execution, key)
    assert typed == name
    (tmp_path / "config.yaml").write_text(dump({key: typed}), encoding="utf-8")
    assert str(load_mapping(tmp_path / "config.yaml", [])[0][key]) == name


NONE = ["''", "' '", "/", "x" * 256, "'a\x01b'", "true", "{}", "a/" * 2000, "'\udcc3'", "\\${x}"]


@pytest.mark.parametrize("name", NONE, ids=ascii)
def test_what_cannot_be_a_folder_s_name_is_one_sentence(name: str) -> None:
    with pytest.raises(UserError, match="outputs") as error:
        compose([f"outputs={name}"])
    assert "\n" not in str(error.value)


def test_what_is_dumped_is_read_by_plain_yaml_too() -> None:
    values = {"a": "1e5", "b": "3e-4x", "c": 3e-4, "d": [1, "2", None], "e": "1:30"}
    assert yaml.safe_load(dump(values)) == values


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(UserError, match="it is not a file"):
        text_of(tmp_path / "pipe.yaml")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "huge.yaml").write_text("# x\n" * (MOST_BYTES // 4 + 1))
    with pytest.raises(UserError, match="larger than 256 KB"):
        text_of(tmp_path / "huge.yaml")


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "crlf.yaml").write_bytes(b"seed: 1\r\nthreads: 2\r\n")
    assert load_mapping(tmp_path / "crlf.yaml", [])[0] == {"seed": 1, "threads": 2}
