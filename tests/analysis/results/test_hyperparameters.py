"""Tables 3 to 5 print what is run: every key of a configuration of conf/algorithm, and the paper's values beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from analysis.results import hyperparameters
from analysis.results.hyperparameters import CONF, TABLES, compute, to_table
from ppo.config.compose import compose
from ppo.config.run import to_mapping
from tests.analysis.folders import complaint

# Appendix A, Tables 3 to 5 of arXiv 1707.06347v2, typed off the paper: words, and the numbers among our keys.
PAPER: dict[str, dict[str, dict[str, float]]] = {
    "table3": {
        "Horizon (T)": {"horizon": 2048},
        "Adam stepsize": {"lr": 0.0003},
        "Num. epochs": {"epochs": 10},
        "Minibatch size": {"minibatch_size": 64},
        "Discount (gamma)": {"gamma": 0.99},
        "GAE parameter (lambda)": {"lam": 0.95},
    },
    "table4": {
        "Horizon (T)": {"horizon": 512},
        "Adam stepsize": {},  # "*", adjusted based on the target value of the KL divergence
        "Num. epochs": {"epochs": 15},
        "Minibatch size": {"minibatch_size": 4096},
        "Discount (gamma)": {"gamma": 0.99},
        "GAE parameter (lambda)": {"lam": 0.95},
        "Number of actors": {"num_actors": 32},  # 128 for flagrun
        "Log stdev. of action distribution": {"network.log_std": -0.7, "network.log_std_final": -1.6},
    },
    "table5": {
        "Horizon (T)": {"horizon": 128},
        "Adam stepsize": {"lr": 0.00025},
        "Num. epochs": {"epochs": 3},
        "Minibatch size": {"minibatch_size": 256},  # "32 x 8"
        "Discount (gamma)": {"gamma": 0.99},
        "GAE parameter (lambda)": {"lam": 0.95},
        "Number of actors": {"num_actors": 8},
        "Clipping parameter epsilon": {"surrogate.epsilon": 0.1},
        "VF coeff. c1 (9)": {"c1": 1},
        "Entropy coeff. c2 (9)": {"c2": 0.01},
    },
}
COMMANDS = {  # the overrides that make the run of a table
    "table3": "algorithm=ppo",
    "table4": "algorithm=ppo_roboschool",
    "table5": "algorithm=ppo_atari surrogate=clip surrogate.epsilon=0.1",
}

every_table = pytest.mark.parametrize("name", PAPER)


def printed(name: str) -> dict[str, str]:
    """Each key of a table with what is printed of its value."""
    values: dict[str, str] = {}
    for keys, value in compute(name)[["key", "value"]].itertuples(index=False):
        parts = value.split(", ") if ", " in keys else [value]
        values |= dict(zip(keys.split(", "), parts, strict=True))
    return values


def run_of(overrides: str) -> dict[str, Any]:
    """The keys that a table could print, as Hydra resolves them."""
    values = to_mapping(compose(overrides.split()))
    algorithm = values["algorithm"]
    network = {f"network.{key}": value for key, value in algorithm.pop("network").items()}
    return algorithm | network | {"surrogate.epsilon": values["surrogate"]["epsilon"]}


def is_written(value: Any, text: str) -> bool:
    """Whether `text` is how a person would write `value`."""
    if value is None or isinstance(value, bool):
        return text == {None: "none", True: "yes", False: "no"}[value]
    return float(text) == value if isinstance(value, (int, float)) else text == str(value)


# -- rows --------------------------------------------------------------------------------------------------------------


def test_there_are_these_tables_and_no_others() -> None:
    assert list(TABLES) == list(PAPER)


@every_table
def test_every_row_of_the_papers_table_is_there_first_and_in_its_order(name: str) -> None:
    words = list(compute(name).hyperparameter)
    assert words[: len(PAPER[name])] == list(PAPER[name])
    assert set(words[len(PAPER[name]) :]) == {""}


@every_table
def test_what_is_run_is_what_the_paper_says(name: str) -> None:
    told, run = compute(name).set_index("hyperparameter").key, run_of(COMMANDS[name])
    for words, numbers in PAPER[name].items():
        assert set(told[words].split(", ")) >= set(numbers)
        assert {key: run[key] for key in numbers} == numbers


@pytest.mark.parametrize(
    ("name", "words", "paper"),
    [
        ("table3", "Horizon (T)", "2048"),
        ("table3", "Adam stepsize", "3e-4"),
        ("table3", "Num. epochs", "10"),
        ("table3", "Minibatch size", "64"),
        ("table3", "Discount (gamma)", "0.99"),
        ("table3", "GAE parameter (lambda)", "0.95"),
        ("table4", "Horizon (T)", "512"),
        ("table4", "Adam stepsize", "* (by the KL divergence)"),
        ("table4", "Num. epochs", "15"),
        ("table4", "Minibatch size", "4096"),
        ("table4", "Discount (gamma)", "0.99"),
        ("table4", "GAE parameter (lambda)", "0.95"),
        ("table4", "Number of actors", "32 (locomotion), 128 (flagrun)"),
        ("table4", "Log stdev. of action distribution", "LinearAnneal(-0.7, -1.6)"),
        ("table5", "Horizon (T)", "128"),
        ("table5", "Adam stepsize", "2.5e-4 x alpha"),
        ("table5", "Num. epochs", "3"),
        ("table5", "Minibatch size", "32 x 8"),
        ("table5", "Discount (gamma)", "0.99"),
        ("table5", "GAE parameter (lambda)", "0.95"),
        ("table5", "Number of actors", "8"),
        ("table5", "Clipping parameter epsilon", "0.1 x alpha"),
        ("table5", "VF coeff. c1 (9)", "1"),
        ("table5", "Entropy coeff. c2 (9)", "0.01"),
    ],
)
def test_what_is_printed_as_the_papers_is_what_the_paper_says(name: str, words: str, paper: str) -> None:
    assert compute(name).set_index("hyperparameter").paper[words] == paper


@every_table
def test_every_key_of_the_run_is_printed_once_with_the_value_that_it_has(name: str) -> None:
    run, told = run_of(COMMANDS[name]), printed(name)
    del run["name"]
    if name == "table5":
        told["surrogate.epsilon"] = told["surrogate.epsilon"].removesuffix(" if given (else 0.2)")
    else:
        del run["surrogate.epsilon"]  # the paper's table has no row for it
    assert sorted(told) == sorted(run)
    assert {key: told[key] for key, value in run.items() if not is_written(value, told[key])} == {}


@pytest.mark.parametrize(
    ("name", "key", "shown"),
    [
        ("table3", "lr", "3e-4"),
        ("table3", "max_grad_norm", "none"),
        ("table3", "normalize_obs", "yes"),
        ("table3", "normalize_reward", "no"),
        ("table3", "network.hidden", "[64, 64]"),
        ("table3", "c2", "0.0"),
        ("table3", "lr_schedule", "constant"),
        ("table4", "lr, lr_schedule, lr_kl_target", "3e-4, kl, 0.01"),
        ("table4", "network.log_std, network.log_std_final", "-0.7, -1.6"),
        ("table4", "network.hidden", "[256, 128]"),
        ("table4", "network.activation", "relu"),
        ("table5", "lr, lr_schedule", "2.5e-4, linear"),
        ("table5", "surrogate.epsilon, epsilon_schedule", "0.1 if given (else 0.2), linear"),
        ("table5", "network.shared", "yes"),
    ],
)
def test_a_value_is_printed_as_a_person_would_write_it(name: str, key: str, shown: str) -> None:
    assert compute(name).set_index("key").value[key] == shown


# -- the configuration -------------------------------------------------------------------------------------------------


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the configurations that can be changed."""
    for group in ("algorithm", "surrogate"):
        (tmp_path / group).mkdir()
        for file in (CONF / group).glob("*.yaml"):
            (tmp_path / group / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(hyperparameters, "CONF", tmp_path)
    return tmp_path


def change(file: Path, **keys: Any) -> None:
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | keys))


def test_a_changed_configuration_changes_the_table(conf: Path) -> None:
    change(conf / "algorithm" / "ppo.yaml", horizon=512, new_key=7)
    frame = compute("table3").set_index("key")
    assert (frame.value["horizon"], frame.paper["horizon"], frame.value["new_key"]) == ("512", "2048", "7")


def test_what_a_configuration_builds_on_is_below_it(conf: Path) -> None:
    change(conf / "algorithm" / "ppo.yaml", horizon=7, c2=7, network={"hidden": [7, 7], "log_std": 7, "shared": False})
    frame = compute("table4").set_index("key")
    assert (frame.value["horizon"], frame.value["c2"]) == ("512", "7")
    assert (frame.value["network.hidden"], frame.value["network.shared"]) == ("[256, 128]", "no")


@pytest.mark.parametrize(
    ("defaults", "horizon"), [(["ppo", "_self_"], "512"), (["ppo"], "512"), (["_self_", "ppo"], "2048")]
)
def test_defaults_are_merged_in_hydras_order(conf: Path, defaults: list[str], horizon: str) -> None:
    change(conf / "algorithm" / "ppo_roboschool.yaml", defaults=defaults)
    assert compute("table4").set_index("key").value["horizon"] == horizon


def test_a_configuration_may_build_on_one_that_builds_on_another(conf: Path) -> None:
    change(conf / "algorithm" / "ppo_atari.yaml", defaults=["ppo_roboschool", "_self_"])
    frame = compute("table5").set_index("key")
    assert (frame.value["horizon"], frame.value["network.activation"], frame.value["gamma"]) == ("128", "relu", "0.99")
    chain = "conf/algorithm/ppo_atari.yaml over conf/algorithm/ppo_roboschool.yaml over conf/algorithm/ppo.yaml."
    assert to_table("table5").notes[0].startswith(f"Read from {chain}")


def test_what_epsilon_would_be_if_it_were_not_given_is_read_too(conf: Path) -> None:
    change(conf / "surrogate" / "clip.yaml", epsilon=0.3)
    table = to_table("table5")
    assert table.rows[7][2] == "0.1 if given (else 0.3), linear"
    assert "surrogate.epsilon=0.1 must be given: conf/surrogate/clip.yaml says 0.3." in table.notes


# -- what is told ------------------------------------------------------------------------------------------------------


@every_table
def test_the_table_prints_the_frame_and_names_its_file(name: str) -> None:
    table = to_table(name)
    assert table.title.startswith(f"Table {name[-1]}: PPO hyperparameters, ")
    assert table.header == ["hyperparameter", "key", "value", "paper"]
    assert table.rows[0] == ["Horizon (T)", "horizon", *[str(PAPER[name]["Horizon (T)"]["horizon"])] * 2]
    assert table.rows == table.data.to_numpy().tolist()
    assert isinstance(table.data, pd.DataFrame)
    assert table.notes[0].startswith(f"Read from conf/{TABLES[name].file}")


@pytest.mark.parametrize("name", ["table4", "table5"])
def test_the_command_that_is_told_makes_the_run_that_is_printed(name: str) -> None:
    (note,) = [note for note in to_table(name).notes if note.startswith("Run them with: ")]
    command = note.removeprefix("Run them with: ").partition(";")[0]
    assert command == f"python -m ppo {COMMANDS[name]}"


def test_epsilon_is_another_one_unless_it_is_given() -> None:
    assert run_of("algorithm=ppo_atari")["surrogate.epsilon"] == 0.2
    assert "surrogate.epsilon=0.1 must be given: conf/surrogate/clip.yaml says 0.2." in to_table("table5").notes


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("table4", "no task of Roboschool"), ("table5", "neither an Atari game nor a network for images")],
)
def test_tasks_that_are_not_there_are_told_as_long_as_they_are_not(name: str, lacking: str) -> None:
    suites = {yaml.safe_load(file.read_text()).get("suite") for file in (CONF / "env").glob("*.yaml")}
    assert suites <= {"mujoco", "gymnasium", None}, "there are others now: mend the notes of Tables 4 and 5"
    rest = "yet: what can be run are these hyperparameters on any task with a flat Box observation."
    assert to_table(name).notes[-1] == f"conf/ has {lacking} {rest}"


def test_a_table_without_a_configuration_is_told_with_those_that_have_one() -> None:
    sentence = complaint(compute, "table9")
    assert sentence.startswith("table9 is not possible yet: ")
    assert sentence.endswith("; allowed: table3, table4, table5.")
