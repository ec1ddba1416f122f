"""Whatever is typed, `ppo` answers a mistake with one line on stderr and nothing on stdout."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppo.__main__ import main


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence of a command that is refused."""
    status = main(arguments)
    printed = capsys.readouterr()
    assert (status, printed.out) == (2, ""), printed
    (sentence,) = printed.err.splitlines()
    return sentence


def test_a_sentence_stays_one_line_whatever_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = mistake(capsys, "hydra/help='a\nb'", "outputs='x\x1b[31m'")
    assert "a\\nb" in sentence
    assert "\x1b" not in mistake(capsys, "env='\x1b[31m'")


def test_nothing_is_printed_of_a_question_that_hydra_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert "hydra.run.dir" in mistake(capsys, "--info", "all", "~hydra.run.dir=x")


@pytest.mark.parametrize(
    "override",
    ["hydra.sweeper.max_batch_size=x", "hydra.sweeper.max_batch_size=0.1", "hydra.sweeper.max_batch_size=0",
     "hydra.sweeper.params=3", "++hydra.verbose=0", "hydra.verbose=[64.0,64]"],
)  # fmt: skip
def test_hydras_keys_of_the_wrong_type_are_a_mistake(override: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = mistake(capsys, "-m", "env=reacher", override)
    assert "hydra." in sentence
    assert "expected" in sentence


@pytest.mark.parametrize("values", ["range(0,3,0)", "range(0,1000000000)"])
def test_a_range_without_end_is_a_mistake(values: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected" in mistake(capsys, "-m", f"seed={values}")


@pytest.mark.parametrize("key", ["outputs", "hydra.sweep.dir"])
def test_a_store_that_cannot_be_made_is_a_mistake(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert "file" in mistake(capsys, "-m", "env=reacher", "seed=0,1", f"{key}={tmp_path / 'file' / 'x'}")


@pytest.mark.parametrize("override", ["+sweep=[3]", "+sweep=[1,2],[3]", "+launcher=[[1]]", "+sweep=smoke"])
def test_a_group_of_no_run_is_a_mistake(override: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "." in mistake(capsys, "-m", "env=reacher", override)
