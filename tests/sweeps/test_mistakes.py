"""A mistake on the command line of sweeps gets one sentence and exit 2, and nothing is started (law 7)."""

from __future__ import annotations

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
    "tabel1": ["sweep tabel1 is unknown", "Did you mean table1"],
    "nowhere.yaml": ["sweep nowhere.yaml is unknown", "smoke"],
    "SWEEP env=hoper": ["setting 'Clip'", "env=hoper", "hopper"],
    "SWEEP sead=1": ["sead", "seed"],
    "SWEEP surrogate.epsilonn=1": ["surrogate.epsilonn"],
    "SWEEP seed=1.5": ["seed=1.5", "integer"],
    "SWEEP seed=0,0": ["seed=0,0", "twice"],
    "SWEEP total_steps=1": ["total_steps=1"],
    "SWEEP surrogate=clip": ["'Clip' and 'None' resolve to the same run"],
    "SWEEP seed": ["seed", "key=value"],
    "SWEEP seed=glob(*)": ["seed=glob(*)"],
    "SWEEP run_dir=x": ["run_dir=x", "outputs=FOLDER"],
    "SWEEP resume=false": ["resume=false"],
    "SWEEP --setting Clap": ["no setting is called 'Clap'", "Clip"],
    "SWEEP launcher=slrum": ["launcher=slrum", "Did you mean slurm"],
    "SWEEP launcher.workerz=2": ["launcher.workerz", "launcher.workers"],
    "SWEEP launcher.workers=0": ["launcher.workers=0", "from 1"],
    "SWEEP launcher.pack_size=half": ["launcher.pack_size=half", "auto"],
    "SWEEP launcher=slurm launcher.time=5": ["launcher.time=5", "from 15"],
    "SWEEP launcher=slurm launcher.sbatch=nice": ["launcher.sbatch=nice", "mapping"],
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=str)
@pytest.mark.parametrize("word", ["plan", "run"])
def test_a_mistake_gets_one_sentence_and_exit_2_and_starts_nothing(
    word: str, arguments: str, command: Sweeps, store: Path
) -> None:
    ended = command(word, *arguments.split())
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert all(part in ended.err for part in MISTAKES[arguments]), ended.err
    assert not store.exists()


FLAGS = {
    "--hlep": ["unknown flag --hlep", "Did you mean --help?"],
    "--hlep ls": ["unknown flag --hlep"],
    "verify --jsn": ["unknown flag --jsn", "Did you mean --json?"],
    "ls --outputs /nope": ["unknown flag --outputs"],
    "logs abcd --folow": ["unknown flag --folow", "Did you mean --follow?"],
    "status SWEEP --wacth": ["unknown flag --wacth", "Did you mean --watch?"],
}


@pytest.mark.parametrize("arguments", FLAGS, ids=str)
def test_an_unknown_flag_is_named_wherever_it_stands(arguments: str, command: Sweeps) -> None:
    ended = command(*arguments.split())
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert all(part in ended.err for part in FLAGS[arguments]), ended.err


FILES = {
    "grid: {seed: [0]}\nsetings: {}": ["unknown key setings", "Did you mean settings"],
    "grid: {seed: []}": ["grid.seed has no values"],
    "grid: {seed: [0, 0]}": ["grid.seed", "twice"],
    "grid: {seed: [0, 1]}\nsettings: {A: [seed=3]}": ["setting 'A' overrides seed"],
    "grid: {total_steps: [1e6, 1000000]}": ["total_steps=1e6 and total_steps=1000000 resolve to the same run"],
    "grid: {seed: [010]}": ["seed=010", "integer"],
    "grid: {seed: 1:30}": ["seed=1:30", "integer"],
    "settings: {Bad: [surrogate=klip]}": ["setting 'Bad' (surrogate=klip", "clip"],
    "settings: {A: [seed=1], B: [seed=1]}": ["'A' and 'B' resolve to the same run"],
    "include: {mine.yaml: null}": ["includes itself"],
    "include: {tabel1: null}": ["sweep tabel1 is unknown"],
    "grid: [": ["cannot be read as a sweep"],
    "": ["must be a mapping"],
    "grid: {}": ["defines no runs"],
}


@pytest.mark.parametrize("content", FILES, ids=repr)
@pytest.mark.parametrize("word", ["plan", "run", "status", "cancel"])
def test_an_invalid_sweep_file_is_reported_in_one_sentence(
    word: str, content: str, command: Sweeps, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(content)
    ended = command(word, "mine.yaml")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert all(part in ended.err for part in FILES[content]), ended.err
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
def test_these_mistakes_are_reported_in_one_sentence_too(
    arguments: list[str], words: list[str], command: Sweeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("grid: {[1, 2]: 3}")
    ended = command("plan", *arguments)
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert all(word in ended.err for word in words)


@pytest.mark.parametrize("override", ["outputs=a,b", "threads=1,2", "device=cpu,cuda"])
def test_several_values_of_what_is_no_part_of_a_run_are_refused(
    override: str, command: Sweeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", *command.sweep, override]) == 2


def test_a_store_that_cannot_be_written_is_refused(command: Sweeps, store: Path) -> None:
    store.touch()
    ended = command("run", "SWEEP")
    assert ended.status == 2
    assert "cannot be written" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "plan, run, retry"),
        (["rum"], "Did you mean run?"),
        (["run"], "sweep is missing"),
        (["run", "smoke", "--jsn"], "Did you mean --json?"),
        (["logs"], "run is missing"),
        (["ls", "--colums", "x"], "Did you mean --columns"),
        (["ls", "--outputs", "x"], "--outputs"),
        (["run", "smoke", "--setting"], "--setting"),
    ],
)
def test_what_is_no_command_is_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("ppo-sweeps")
    assert said in sentence


@pytest.mark.parametrize("words", [[], ["plan"], ["run"], ["retry"], ["status"], ["cancel"], ["ls"], ["logs"]])
def test_help_is_there_for_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: {' '.join(['ppo-sweeps', *words])}")
    assert words or all(word in printed for word in ("table1", "smoke", "exit status", "retry"))
    assert "outputs=" in printed or not words
