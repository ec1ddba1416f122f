"""A config.yaml is read back, or is None, whatever it is: too deep a nesting must not end the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.errors import UserError
from ppo.runs.configs import differing_keys, read_config


def test_a_config_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("network: {hidden: [64, 64]}\nseed: 3\n")
    assert read_config(tmp_path / "config.yaml") == {"network": {"hidden": [64, 64]}, "seed": 3}


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? ", "-\t"])
def test_what_is_nested_too_deeply_is_none(tmp_path: Path, unit: str) -> None:
    (tmp_path / "config.yaml").write_text(unit * 100_000)
    assert read_config(tmp_path / "config.yaml") is None


def test_a_config_that_is_a_pipe_is_none_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.yaml")
    assert read_config(tmp_path / "config.yaml") is None


def test_a_config_that_is_nested_too_deeply_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("[" * 100_000)
    with pytest.raises(UserError, match="cannot be read"):
        differing_keys(tmp_path / "config.yaml", compose([]))
