"""The command `ppo` as a person meets it: its manual, its flags, and the mistakes in them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ppo.__main__ import main
from ppo.config.compose import CONF, groups
from tests.console import environment


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints that succeeds."""
    status = main(arguments)
    printed = capsys.readouterr()
    assert (status, printed.err) == (0, "")
    return printed.out


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence of a command that is refused."""
    status = main(arguments)
    printed = capsys.readouterr()
    assert (status, printed.out) == (2, ""), printed
    (sentence,) = printed.err.splitlines()
    return sentence


# -- the manual --------------------------------------------------------------------------------------------------------


def keys_of(name: str) -> set[str]:
    return set(yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))) - {"defaults"}


def sections(text: str) -> dict[str, str]:
    """The manual's parts about keys: group -> text; "" is the root config."""
    parts = re.split(r"^(?:(\w+)\.KEY, of )?[\w/, .]+\.yaml:$", text, flags=re.MULTILINE)
    return {group or "": part for group, part in zip(parts[1::2], parts[2::2], strict=True)}


def test_the_manual_lists_all_choices_and_the_keys_of_the_default_ones(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--help")
    for group, names in groups().items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"  {group}=")]
        assert all(re.search(rf"(=|\| )\*?{name}( |$)", line) for name in names)
    found = sections(text)
    assert set(found) == {"", "env", "network", "algorithm", "surrogate"}
    for part, name in {"": "config", "algorithm": "algorithm/ppo", "surrogate": "surrogate/clip"}.items():
        assert {key for key in keys_of(name) if re.search(rf"^  {key}: ", found[part], re.MULTILINE)} == keys_of(name)


def test_the_manual_is_that_of_what_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    found = sections(shown(capsys, "algorithm=trpo_2017", "env=swimmer", "--help"))
    assert set(found) == {"", "env", "network", "algorithm"}, "trpo maximises no surrogate"
    assert "train_log_std: false" in found["algorithm"]
    assert "train_log_std: true" not in found["algorithm"], "a key that two files set is listed once"
    assert "max_kl: " in found["algorithm"]
    assert "minibatch_size: 64           # M: " not in found["algorithm"]
    assert "hidden: [32, 32]" in found["network"], "the network that trpo chooses"
    assert "id: Swimmer-v5" in found["env"]


def test_the_manual_of_an_unknown_choice_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean hopper" in mistake(capsys, "env=hoper", "--help")


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["env=hoper"], ["-sc", "install=bash"]], ids=str)
def test_what_trains_nothing_starts_fast(arguments: list[str], tmp_path: Path) -> None:
    code = f"import sys; from ppo.__main__ import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), cwd=tmp_path, check=True
    )
    modules = done.stderr.splitlines()[-1].split()
    loaded = {name.partition(".")[0] for name in modules}
    assert not loaded & {"torch", "gymnasium", "pandas", "scipy", "matplotlib", "rich", "sweeps", "analysis"}
    assert len(modules) < 650, "450 modules are 0.2 s of CPU"


# -- flags -------------------------------------------------------------------------------------------------------------


def test_cfg_prints_the_run_that_would_be_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = yaml.safe_load(shown(capsys, "--cfg", "job", "algorithm=trpo", "seed=3", f"outputs={tmp_path / 'store'}"))
    assert (printed["algorithm"]["name"], printed["seed"]) == ("trpo", 3)
    assert "surrogate" not in printed
    assert not (tmp_path / "store").exists()


def test_cfg_prints_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert yaml.safe_load(shown(capsys, "-c", "job", "-p", "surrogate")) == {"name": "clip", "epsilon": 0.2}
    assert shown(capsys, "surrogate.epsilon=0.3", "-c", "job", "-p", "surrogate.epsilon") == "0.3\n"
    assert shown(capsys, "-c", "job", "-p", "run_dir") == "null\n"
    assert "surrogate" in mistake(capsys, "-c", "job", "-p", "surrogat")


def test_cfg_of_a_multirun_prints_every_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "-m", "seed=1,2", "--cfg", "job", "-p", "seed") == "1\n---\n2\n"


def test_hydra_prints_what_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert "hydra:" in shown(capsys, "--cfg", "all")
    assert "_target_" in shown(capsys, "--cfg", "hydra", "-p", "hydra.launcher")
    assert "epsilon: 0.2" in shown(capsys, "--cfg", "all", "--resolve", "-p", "surrogate")
    assert "algorithm/trpo" in shown(capsys, "--info", "defaults", "algorithm=trpo")
    assert "hydra/launcher: basic, local, slurm" in shown(capsys, "--hydra-help")


def test_version_is_ours_and_hydras(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"ppo-sweeps \d+\.\S+, Hydra 1\.3\.\d+\n", shown(capsys, "--version"))


def test_overrides_come_before_and_after_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "seed=1", "--cfg", "job", "env=swimmer", "-p", "seed", "threads=2") == "1\n"


def test_keys_are_added_forced_and_removed_as_in_hydra(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "++seed=3", "--cfg", "job", "-p", "seed") == "3\n"
    assert "foo" in mistake(capsys, "+foo=1", "--cfg", "job")
    assert "seed" in mistake(capsys, "+seed=1", "--cfg", "job")
    assert "surrogate" in mistake(capsys, "~surrogate", "--cfg", "job")


@pytest.fixture
def folder_of_choices(tmp_path: Path) -> Path:
    """A folder for --config-dir: a surrogate and a root config."""
    (tmp_path / "surrogate").mkdir()
    (tmp_path / "surrogate" / "tight.yaml").write_text("defaults: [clip, _self_]\nepsilon: 0.05  # tight\n")
    (tmp_path / "mine.yaml").write_text("defaults: [config, override algorithm: a2c, _self_]\nseed: 7\n")
    (tmp_path / "wrong.yaml").write_text("defaults: [config, _self_]\nsed: 7\n")
    return tmp_path


def test_a_folder_adds_choices(folder_of_choices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--config-dir", str(folder_of_choices), "surrogate=tight"]
    assert "epsilon: 0.05" in shown(capsys, *chosen, "--cfg", "job")
    assert "epsilon: 0.05  # tight" in shown(capsys, *chosen, "--help")
    assert "--config-dir" in mistake(capsys, "--config-dir", str(folder_of_choices / "none"))


def test_another_root_config_may_be_named(folder_of_choices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--config-dir", str(folder_of_choices), "--config-name"]
    printed = yaml.safe_load(shown(capsys, *root, "mine", "--cfg", "job", "threads=2"))
    assert (printed["algorithm"]["name"], printed["seed"], printed["threads"]) == ("a2c", 7, 2)
    assert "sed" in mistake(capsys, *root, "wrong", "--cfg", "job")
    assert "nothing" in mistake(capsys, *root, "nothing", "--cfg", "job")


MISTAKES = {
    "--foo": "unknown flag --foo",
    "--confg x": "--config",
    "--cfg env=hopper": "env=hopper",
    "--cfg job --info": "--cfg and --info",
    "-m --info": "--multirun and --info",
    "-m --run": "--multirun and --run",
    "--resolve": "--resolve has no effect",
    "-p seed": "--package has no effect",
    "--config-path x": "--config-dir",
    "--experimental-rerun x": "--config FILE",
    "--config x --multirun": "--multirun",
    "--config nowhere.yaml": "nowhere.yaml",
    "-sc": "install=bash",
    "-sc install=nope": "install=bash",
    "hydra.run.dir=x": "-m",
    "--cfg hydra hydra/launcher=nope": "hydra/launcher=nope is invalid: expected basic, local, slurm",
    "--cfg hydra hydra/sweeper=optuna": "hydra/sweeper=optuna is invalid: expected basic, grid",
    "--cfg hydra hydra.sweep.dri=x": "Did you mean hydra.sweep.dir?",
    "--cfg all surrogat.epsilon=1": "surrogate.epsilon",
    "--cfg all env=hoper": "Did you mean hopper",
    "outputs=": "outputs=",
    "run_dir=": "run_dir=",
    "run_dir=/": "run_dir=/",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistaken_flag_gets_one_sentence(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert MISTAKES[arguments] in mistake(capsys, *arguments.split())
