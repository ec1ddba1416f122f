"""Tables 3 to 5 print what is run beside what the paper says; a report prints the hyperparameters of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.hyperparameters import ABSENT, SHOWN, Appendix, compute, of_runs, to_table
from analysis.results import table3, table4, table5
from ppo.config.compose import compose
from ppo.config.flatten import flatten
from ppo.config.run import to_mapping
from ppo.errors import shown
from tests.analysis.folders import config_of, entry, load, write_done, write_list

APPENDICES = {"table3": table3.APPENDIX, "table4": table4.APPENDIX, "table5": table5.APPENDIX}
# Appendix A, Tables 3 to 5 of arXiv 1707.06347v2, typed off the paper: words, and the numbers among our keys.
PAPER: dict[str, dict[str, dict[str, float]]] = {
    "table3": {
        "Horizon (T)": {"algorithm.horizon": 2048},
        "Adam stepsize": {"algorithm.lr": 0.0003},
        "Num. epochs": {"algorithm.epochs": 10},
        "Minibatch size": {"algorithm.minibatch_size": 64},
        "Discount (gamma)": {"algorithm.gamma": 0.99},
        "GAE parameter (lambda)": {"algorithm.lam": 0.95},
    },
    "table4": {
        "Horizon (T)": {"algorithm.horizon": 512},
        "Adam stepsize": {},  # "*", adjusted based on the target value of the KL divergence
        "Num. epochs": {"algorithm.epochs": 15},
        "Minibatch size": {"algorithm.minibatch_size": 4096},
        "Discount (gamma)": {"algorithm.gamma": 0.99},
        "GAE parameter (lambda)": {"algorithm.lam": 0.95},
        "Number of actors": {"algorithm.num_actors": 32},  # 128 for flagrun
        "Log stdev. of action distribution": {"algorithm.log_std": -0.7, "algorithm.log_std_final": -1.6},
    },
    "table5": {
        "Horizon (T)": {"algorithm.horizon": 128},
        "Adam stepsize": {"algorithm.lr": 0.00025},
        "Num. epochs": {"algorithm.epochs": 3},
        "Minibatch size": {"algorithm.minibatch_size": 256},  # "32 x 8"
        "Discount (gamma)": {"algorithm.gamma": 0.99},
        "GAE parameter (lambda)": {"algorithm.lam": 0.95},
        "Number of actors": {"algorithm.num_actors": 8},
        "Clipping parameter epsilon": {"surrogate.epsilon": 0.1},
        "VF coeff. c1 (9)": {"algorithm.c1": 1},
        "Entropy coeff. c2 (9)": {"algorithm.c2": 0.01},
    },
}
PRINTED = {  # the paper's values as it prints them
    "table3": ["2048", "3e-4", "10", "64", "0.99", "0.95"],
    "table4": [
        *["512", "* (by the KL divergence)", "15", "4096", "0.99", "0.95"],
        *["32 (locomotion), 128 (flagrun)", "LinearAnneal(-0.7, -1.6)"],
    ],
    "table5": ["128", "2.5e-4 x alpha", "3", "32 x 8", "0.99", "0.95", "8", "0.1 x alpha", "1", "0.01"],
}

every_table = pytest.mark.parametrize("name", PAPER)


def run_of(name: str) -> dict[str, Any]:
    """The keys that a table prints, of the run that the experiment is."""
    mapping = to_mapping(compose([f"experiment={name}"]))
    return flatten({key: mapping[key] for key in SHOWN})


def printed(appendix: Appendix) -> dict[str, str]:
    """Each key of a table with what is printed of its value."""
    values: dict[str, str] = {}
    for keys, value in compute(appendix)[["key", "value"]].itertuples(index=False):
        parts = value.split(", ") if ", " in keys else [value]
        values |= dict(zip(keys.split(", "), parts, strict=True))
    return values


# -- the paper's -------------------------------------------------------------------------------------------------------


@every_table
def test_every_row_of_the_papers_table_comes_first_and_in_its_order(name: str) -> None:
    frame = compute(APPENDICES[name])
    words, rest = list(frame.hyperparameter[: len(PAPER[name])]), set(frame.hyperparameter[len(PAPER[name]) :])
    assert (words, rest) == (list(PAPER[name]), {""})
    assert list(frame.paper[: len(PAPER[name])]) == PRINTED[name]


@every_table
def test_what_is_run_is_what_the_paper_says(name: str) -> None:
    keys, run = compute(APPENDICES[name]).set_index("hyperparameter").key, run_of(name)
    for words, numbers in PAPER[name].items():
        assert set(keys[words].split(", ")) >= set(numbers)
        assert {key: run[key] for key in numbers} == numbers


@every_table
def test_every_key_of_the_run_is_printed_once_with_the_value_that_it_has(name: str) -> None:
    assert printed(APPENDICES[name]) == {key: shown(value) for key, value in run_of(name).items()}


@every_table
def test_the_table_prints_the_frame_and_the_command_that_trains_with_it(name: str) -> None:
    table = to_table(APPENDICES[name])
    assert table.title.startswith(f"Table {name[-1]}: PPO hyperparameters, ")
    assert table.header == ["hyperparameter", "key", "value", "paper"]
    assert table.rows == table.data.to_numpy().tolist()
    assert f"ppo experiment={name}" in table.notes[0]


# -- of runs -----------------------------------------------------------------------------------------------------------


def test_hyperparameters_are_those_of_the_runs_and_not_of_conf(tmp_path: Path) -> None:
    runs = []
    for seed, (width, lr) in enumerate([(16, 0.001), (128, 0.001)]):
        run = entry("Hopper-v5", seed, f"Width {width}", f"width={width}")
        config = config_of(run, lr=lr)
        config["network"]["hidden"] = [width, width]
        write_done(tmp_path, run, config=config)
        runs.append(run)
    write_list(tmp_path, runs)
    shared, varying = of_runs(load(tmp_path))
    assert dict(shared.rows)["algorithm.lr"] == "0.001"
    assert (varying.header, varying.rows) == (
        ["setting", "network.hidden"],
        [["Width 16", "[16,16]"], ["Width 128", "[128,128]"]],
    )
    keys = {row[0] for row in shared.rows}
    assert not keys & {"seed", "env.id", "env.suite", "outputs", "run_dir"}


def test_many_keys_that_vary_are_rows(tmp_path: Path) -> None:
    one, other = entry(), entry(label="Other", setting="other")
    write_done(tmp_path, one)
    write_done(tmp_path, other, config=config_of(other, "cem", elite_fraction=0.2, extra_std=0.01))
    write_list(tmp_path, [one, other])
    varying = of_runs(load(tmp_path))[1]
    assert varying.header == ["key", "Clip", "Other"]
    assert ["algorithm.elite_fraction", ABSENT, "0.2"] in varying.rows


def test_one_setting_has_nothing_that_varies(tmp_path: Path) -> None:
    write_done(tmp_path, entry())
    write_list(tmp_path, [entry()])
    assert len(of_runs(load(tmp_path))) == 1
