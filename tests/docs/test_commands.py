"""The commands that README and docs/ show are accepted as they are written there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from analysis.__main__ import main as analysis
from ppo.config.compose import compose, expand
from sweeps.__main__ import main as sweeps

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SHOWN = re.compile(r"^    (ppo(?:-sweeps|-analysis)? .+)$|`(ppo(?:-sweeps|-analysis)? [^`]+)`", re.MULTILINE)
PLACEHOLDER = re.compile(r"NAME|NEW|FOLDER|SWEEP|path/to|my_module|--help")  # not to be typed as it is written


def commands(program: str, *, without: str = "") -> list[str]:
    """The words after a program's name, wherever it is shown; comments left out."""
    found: dict[str, None] = {}
    for page in PAGES:
        for block, inline in SHOWN.findall(page.read_text(encoding="utf-8")):
            name, *words = shlex.split(block or inline, comments=True)
            if name == program and words and not PLACEHOLDER.search(" ".join(words)):
                found[shlex.join(words)] = None
    return [words for words in found if not (without and re.match(without, words))]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    (tmp_path / "mine.yaml").write_text(sweep_file(), encoding="utf-8")


def sweep_file() -> str:
    """The sweep file that README shows."""
    return (ROOT / "README.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]


@pytest.mark.parametrize("words", commands("ppo"))
def test_a_training_that_is_shown_composes(words: str) -> None:
    overrides = [word for word in shlex.split(words) if word != "-m" and not word.startswith("hydra/")]
    assert [compose(run) for run in expand(overrides)]


def test_the_sweep_file_that_is_shown_has_the_runs_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    rows = yaml.safe_load(sweep_file())["settings"]
    assert len(rows) == 2
    assert sweeps(["plan", "mine.yaml"]) == 0
    assert "30 runs of 3 settings" in capsys.readouterr().out  # 2 x 3 and 1 x 3 of its own, 7 x 3 of Table 1


@pytest.mark.slow
@pytest.mark.parametrize("words", commands("ppo-sweeps", without="logs|cancel|status|verify|plan$|run$|retry$|ls$"))
def test_a_sweep_that_is_shown_can_be_planned(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *rest = shlex.split(words)
    assert (sweeps([command if command == "ls" else "plan", *rest]), capsys.readouterr().err) == (0, "")


@pytest.mark.slow
def test_the_analyses_that_are_shown_work_on_the_published_runs(capsys: pytest.CaptureFixture[str]) -> None:
    shown = [words for words in commands("ppo-analysis", without="publish") if "mine.yaml" not in words]
    for words in sorted(shown, key=lambda words: "--reference" in words):  # a reference is frozen by another command
        assert (analysis(shlex.split(words)), capsys.readouterr().err) == (0, ""), words
