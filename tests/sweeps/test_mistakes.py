"""A mistake on the command line of sweeps gets one sentence and exit 2, and nothing is started (DESIGN: law 7)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sweeps.__main__ import main
from tests.sweeps.folders import Sweeps


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Sweeps:
    return Sweeps(tmp_path, capsys)


@pytest.fixture
def store(command: Sweeps) -> Path:
    return command.store


MISTAKES = {
    "tabel1": ["sweep tabel1 is unknown", "did you mean table1"],
    "nowhere.yaml": ["sweep nowhere.yaml is unknown", "smoke"],
    "SWEEP env=hoper": ["sweep tiny: setting 'Clip'", "env=hoper is unknown", "did you mean hopper"],
    "SWEEP sead=1": ["unknown key sead", "did you mean seed"],
    "SWEEP surrogate.epsilonn=1": ["unknown key surrogate.epsilonn"],
    "SWEEP seed=1.5": ["seed=1.5", "whole number"],
    "SWEEP total_steps=1": ["total_steps=1 ", "one iteration"],
    "SWEEP surrogate=clip": ["'Clip' and 'None' resolve to the same run"],
    "SWEEP seed": ["'seed' is not an override", "key=value"],
    "SWEEP seed=glob(*)": ["seed=glob(*) is not possible"],
    "SWEEP run_dir=x": ["run_dir is one folder for many runs", "outputs=FOLDER"],
    "SWEEP resume=false": ["resume is not for sweeps"],
    "SWEEP --setting Clap": ["sweep tiny has no runs here", "no setting is called Clap"],
    "SWEEP launcher=slrum": ["launcher=slrum is unknown", "did you mean slurm"],
    "SWEEP launcher.workerz=2": ["unknown key launcher.workerz", "launcher.workers"],
    "SWEEP launcher.workers=0": ["launcher.workers=0 is not possible", "at least 1"],
    "SWEEP launcher.pack_size=half": ["launcher.pack_size=half is not possible", "auto"],
    "SWEEP launcher=slurm launcher.time=5": ["launcher.time=5 is not possible", "at least 15"],
    "SWEEP launcher=slurm launcher.sbatch=nice": ["launcher.sbatch=nice is not possible", "mapping"],
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=str)
@pytest.mark.parametrize("word", ["plan", "run"])
def test_a_mistake_gets_one_sentence_and_exit_2_and_starts_nothing(
    word: str, arguments: str, command: Sweeps, store: Path
) -> None:
    told = command(word, *arguments.split())
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert all(part in told.err for part in MISTAKES[arguments]), told.err
    assert not store.exists()


FILES = {
    "grid: {seed: [0]}\nsetings: {}": ["unknown key setings", "did you mean settings"],
    "grid: {seed: []}": ["grid.seed has no values"],
    "settings: {Bad: [surrogate=klip]}": ["setting 'Bad' (surrogate=klip", "did you mean clip"],
    "settings: {A: [seed=1], B: [seed=1]}": ["'A' and 'B' resolve to the same run"],
    "include: {mine.yaml: null}": ["includes itself"],
    "include: {tabel1: null}": ["sweep tabel1 is unknown"],
    "grid: [": ["cannot be read as a sweep"],
    "": ["must be a mapping"],
    "grid: {}": ["names no run"],
}


@pytest.mark.parametrize("content", FILES, ids=repr)
@pytest.mark.parametrize("word", ["plan", "run", "status", "cancel"])
def test_a_sweep_file_that_makes_no_sense_is_told_in_one_sentence(
    word: str, content: str, command: Sweeps, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(content)
    told = command(word, "mine.yaml")
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert all(part in told.err for part in FILES[content]), told.err
    assert not store.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["SWEEP", "launcher.workers=1,2"], ["launcher.workers=1,2"]),
        (["SWEEP", "launcher=local,slurm"], ["launcher=local,slurm"]),
        (["SWEEP", "launcher=slurm", "launcher.sbatch.nice=1,2"], ["launcher.sbatch.nice=1,2"]),
        (["SWEEP", "launcher=slurm", "launcher.sbatchx=3"], ["launcher.sbatchx"]),
        (["SWEEP", "launcher=slurm", "launcher.stop_seconds=1e9"], ["launcher.stop_seconds"]),
        (["mine.yaml"], ["mine.yaml"]),
    ],
    ids=" ".join,
)
def test_these_mistakes_are_told_in_one_sentence_too(
    arguments: list[str], words: list[str], command: Sweeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("grid: {[1, 2]: 3}")
    told = command("plan", *arguments)
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert all(word in told.err for word in words)


@pytest.mark.parametrize("override", ["outputs=a,b", "threads=1,2", "device=cpu,cuda"])
def test_several_values_of_what_is_no_part_of_a_run_are_refused(
    override: str, command: Sweeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", *command.sweep, override]) == 2


def test_a_store_that_cannot_be_written_is_refused(command: Sweeps, store: Path) -> None:
    store.touch()
    told = command("run", "SWEEP")
    assert told.status == 2
    assert re.fullmatch(r"outputs: .* cannot be written: Not a directory\.\n", told.err)


@pytest.mark.parametrize("words", [[], ["rum"], ["run"], ["run", "smoke", "--jsn"], ["logs"], ["ls", "--colums", "x"]])
def test_what_is_no_command_at_all_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("python -m sweeps")


@pytest.mark.parametrize("words", [[], ["plan"], ["run"], ["retry"], ["status"], ["cancel"], ["ls"], ["logs"]])
def test_help_is_there_for_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: {' '.join(['python -m sweeps', *words])}")
    assert words or all(word in told for word in ("table1", "smoke", "exit status", "retry"))
