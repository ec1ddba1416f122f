"""A sweep under overrides is exactly the runs it should be; mistakes are reported before anything starts."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ppo.config.compose import compose
from ppo.config.identity import run_hash
from ppo.config.naming import setting_name
from ppo.runs.store import folder_of
from sweeps.planning.runs import Run, listed_runs, outputs_of, sweep_runs
from sweeps.planning.spec import load, parse
from tests.sweeps.declared import complaint, declare, runs_of

TASKS = ["HalfCheetah", "Hopper", "InvertedDoublePendulum", "InvertedPendulum", "Reacher", "Swimmer", "Walker2d"]
IDS = [f"{task}-v5" for task in TASKS]


def smoke(*overrides: str, only: tuple[str, ...] = ()) -> list[Run]:
    return sweep_runs(load("smoke"), overrides, only)


def seeds(runs: list[Run]) -> list[int]:
    return [run.config.seed for run in runs]


def points(runs: list[Run]) -> list[tuple[str, int]]:
    return [(run.label, run.config.seed) for run in runs]


# -- the sweeps of conf/sweep ------------------------------------------------------------------------------------------


def test_table_1_is_11_settings_of_7_tasks_and_3_seeds() -> None:
    runs = runs_of("table1")
    assert len({run.hash for run in runs}) == len(runs) == 231
    labels = list(dict.fromkeys(run.label for run in runs))
    assert len(labels) == 11
    points = {(run.label, run.config.env.id, run.config.seed) for run in runs}
    assert points == set(itertools.product(labels, IDS, (0, 1, 2)))
    assert {run.config.total_steps for run in runs} == {1_000_000}


def coefficient(surrogate: Any) -> float:
    """The one that Table 1 varies."""
    return next(getattr(surrogate, key) for key in ("epsilon", "d_targ", "beta") if hasattr(surrogate, key))


def test_a_row_of_table_1_is_what_its_label_says() -> None:
    rows = {run.label: run.config.surrogate for run in runs_of("table1")}
    values = {label: coefficient(s) for label, s in rows.items() if s and s.name != "none"}
    assert values == {label: float(label.rpartition("= ")[2]) for label in values}
    kinds = Counter(s.name for s in rows.values() if s)
    assert kinds == {"none": 1, "clip": 3, "kl_adaptive": 3, "kl_fixed": 4}


def test_smoke_is_3_settings_of_2_tasks_and_2_seeds_under_the_labels_of_table_1() -> None:
    runs = runs_of("smoke")
    assert len(runs) == 12
    assert set(Counter(run.label for run in runs).values()) == {4}
    assert {run.label for run in runs} <= {run.label for run in runs_of("table1")}


def test_random_is_2_policies_of_7_tasks_and_3_seeds() -> None:
    runs = runs_of("random")
    assert len(runs) == 42
    policies = {(run.config.algorithm.name, run.config.algorithm.policy) for run in runs}
    assert policies == {("random", "untrained"), ("random", "uniform")}
    assert {run.config.env.id for run in runs} == set(IDS)


def test_figure_3_is_7_settings_of_7_tasks_and_3_seeds_of_which_ppos_are_table_1s() -> None:
    runs, table = runs_of("figure3"), {run.hash: run for run in runs_of("table1")}
    algorithms = Counter(run.config.algorithm.name for run in runs)
    assert algorithms == {"ppo": 21, "a2c": 42, "cem": 21, "trpo": 42, "vpg": 21}
    points = {(run.row.setting_hash, run.row.env, run.row.seed) for run in runs}
    assert points == set(itertools.product({run.row.setting_hash for run in runs}, IDS, (0, 1, 2)))
    assert len(points) == 7 * 7 * 3
    assert all(table[run.hash] == run for run in runs if run.config.algorithm.name == "ppo")


def test_a_run_of_a_sweep_is_the_run_that_the_command_line_trains() -> None:
    alone = compose(["env=reacher", "surrogate=kl_adaptive", "surrogate.d_targ=1e-2", "seed=1", "total_steps=20_480"])
    run = next(run for run in runs_of("smoke") if run.hash == run_hash(alone))
    assert (run.label, run.folder) == ("Adaptive KL, d_targ = 0.01", folder_of(alone))


# -- overrides ---------------------------------------------------------------------------------------------------------


def test_overrides_narrow_a_sweep_and_change_its_runs() -> None:
    runs = sweep_runs(load("table1"), ["env=hopper,walker2d", "seed=0", "total_steps=100000"])
    assert len(runs) == 11 * 2
    assert Counter(run.config.env.id for run in runs) == {"Hopper-v5": 11, "Walker2d-v5": 11}
    assert {(run.config.seed, run.config.total_steps) for run in runs} == {(0, 100_000)}


def test_narrowed_runs_are_runs_of_the_whole() -> None:
    whole = {run.hash: run for run in runs_of("table1")}
    narrowed = sweep_runs(load("table1"), ["env=reacher", "seed=2"])
    assert len(narrowed) == 11
    assert all(whole[run.hash] == run for run in narrowed)


def test_an_override_may_name_values_that_the_axis_did_not_have() -> None:
    assert seeds(declare(["seed=7,8"], grid={"seed": [0, 1, 2]})) == [7, 8]
    assert seeds(declare(["seed=range(3,5)"], grid={"seed": 0})) == [3, 4]


def test_several_values_of_a_key_that_is_no_axis_become_one() -> None:
    runs = smoke("algorithm.lr=1e-3,3e-4")
    assert len(runs) == 24
    assert Counter(run.config.algorithm.lr for run in runs) == {0.001: 12, 0.0003: 12}


def test_the_command_line_has_the_last_word() -> None:
    runs = declare(["surrogate.epsilon=0.4"], settings={"A": ["surrogate=clip", "surrogate.epsilon=0.1"]})
    assert [run.config.surrogate.epsilon for run in runs] == [0.4]


def test_a_key_of_a_setting_comes_after_the_groups_of_the_axes() -> None:
    runs = declare([], grid={"surrogate": "clip"}, settings={"Wide": ["surrogate.epsilon=0.4"]})
    assert [run.config.surrogate.epsilon for run in runs] == [0.4]


def test_a_list_is_one_value_of_an_axis() -> None:
    runs = declare([], grid={"network.hidden": [[8], [8, 8]]})
    assert [run.config.network.hidden for run in runs] == [(8,), (8, 8)]


def test_overrides_change_included_runs_too() -> None:
    runs = declare(["env=hopper", "total_steps=100000"], include={"table1": ["Clipping, epsilon = 0.2"]})
    assert [(r.config.env.id, r.config.seed, r.config.total_steps) for r in runs] == [
        ("Hopper-v5", seed, 100_000) for seed in (0, 1, 2)
    ]


def test_the_store_moves_and_identity_stays(tmp_path: Path) -> None:
    here, there = runs_of("smoke"), smoke(f"outputs={tmp_path}")
    assert [run.hash for run in there] == [run.hash for run in here]
    assert all(run.folder.is_relative_to(tmp_path / "runs") for run in there)
    assert outputs_of([run.config for run in there]) == tmp_path


def test_declaring_runs_leaves_the_disk_alone(tmp_path: Path) -> None:
    smoke(f"outputs={tmp_path / 'store'}")
    assert not list(tmp_path.iterdir())


# -- settings by pattern -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "count"),
    [
        (("Clipping, epsilon = 0.2",), 4),
        (("Clip*",), 4),
        (("*=*",), 8),
        (("?daptive KL, d_targ = 0.01", "No*"), 8),
        (("*",), 12),
    ],
)
def test_settings_are_chosen_by_label_or_pattern(patterns: tuple[str, ...], count: int) -> None:
    assert len(smoke(only=patterns)) == count


def test_a_pattern_that_fits_no_setting_is_reported_with_near_matches() -> None:
    sentence = complaint(sweep_runs, load("smoke"), [], ["clip*"])  # case counts
    assert "no setting is called 'clip*'" in sentence
    assert "Adaptive KL, d_targ = 0.01" in sentence
    sentence = complaint(sweep_runs, load("smoke"), [], ["Clip*", "Cliping, epsilon = 0.2"])
    assert "Did you mean Clipping, epsilon = 0.2?" in sentence, "every pattern has to fit something"


def test_brackets_in_a_label_stand_for_themselves() -> None:
    sweep = parse("mine", {"settings": {"clip [0.6]": ["surrogate.epsilon=0.6"], "clip 0": ["surrogate=none"]}})
    assert [run.label for run in sweep_runs(sweep, [], ["clip [0.6]"])] == ["clip [0.6]"]
    assert [run.label for run in sweep_runs(sweep, [], ["clip [*]"])] == ["clip [0.6]"]


def test_runs_without_settings_are_chosen_by_the_labels_they_are_given() -> None:
    sweep = parse("mine", {"grid": {"surrogate": ["clip", "none"]}})
    labels = [setting_name(compose([f"surrogate={name}"])) for name in ("clip", "none")]
    assert [run.label for run in sweep_runs(sweep)] == labels
    assert [run.label for run in sweep_runs(sweep, [], ["*clip*"])] == labels[:1]


# -- identity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["3e-4", "0.0003", ".0003"])
def test_the_spelling_of_a_number_does_not_matter(spelling: str) -> None:
    (run,) = declare([], grid={"algorithm.lr": spelling})
    assert run.hash == run_hash(compose())


def test_two_values_that_resolve_to_the_same_run_are_refused() -> None:
    sweep = parse("mine", {"grid": {"total_steps": ["1e6", "1000000"], "seed": [0, 1]}})
    sentence = complaint(sweep_runs, sweep)
    assert sentence.startswith("sweep mine: total_steps=1e6 and total_steps=1000000 resolve to the same run")


def test_a_value_that_is_named_twice_on_the_command_line_is_refused() -> None:
    assert "value 0 twice" in complaint(smoke, "seed=0,1,0")


def test_two_settings_that_resolve_to_the_same_run_are_refused() -> None:
    sweep = parse("mine", {"settings": {"A": ["surrogate.epsilon=0.2"], "B": ["surrogate=clip"]}})
    assert complaint(sweep_runs, sweep).startswith("sweep mine: settings 'A' and 'B' resolve to the same run")


def test_runs_given_one_by_one_are_the_same_runs() -> None:
    jobs = [["env=reacher", "seed=1"], ["algorithm=random"]]
    by_hand = listed_runs([compose(job) for job in jobs])
    assert [run.label for run in by_hand] == [setting_name(compose(job)) for job in jobs]
    declared = [*declare(["env=reacher", "seed=1"], grid={"seed": 0}), *declare(["algorithm=random"], grid={"seed": 0})]
    assert by_hand == declared


def test_one_folder_for_runs_given_one_by_one_is_refused() -> None:
    assert complaint(listed_runs, [compose(["run_dir=here"])]).startswith("run_dir=here is invalid")


def test_a_run_is_found_by_its_hash_whatever_its_folder_is_called(tmp_path: Path) -> None:
    (run,) = declare([f"outputs={tmp_path}"], grid={"seed": 0})
    renamed = tmp_path / "runs" / "elsewhere" / "of-old" / run.folder.name
    renamed.mkdir(parents=True)
    (found,) = declare([f"outputs={tmp_path}"], grid={"seed": 0})
    assert found.folder == renamed
    assert found.row.folder == f"runs/elsewhere/of-old/{run.folder.name}"


# -- mistakes ----------------------------------------------------------------------------------------------------------


def test_a_setting_that_does_not_compose_is_named_by_its_label() -> None:
    sweep = parse("mine", {"settings": {"Good": [], "Fixed KL": ["surrogate=kl_fixed", "surrogate.bta=1"]}})
    sentence = complaint(sweep_runs, sweep)
    assert sentence.startswith("sweep mine: setting 'Fixed KL' (surrogate=kl_fixed surrogate.bta=1): ")
    assert "surrogate.bta" in sentence
    assert "surrogate.beta" in sentence


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("env=hoper", "env=hoper hopper"),
        ("sead=1", "sead seed"),
        ("seed=-1", "seed=-1"),
        ("total_steps=10", "total_steps=10"),
        ("env.id=Hopper-v1", "env.id=Hopper-v1"),
        ("seed", "seed key=value"),
        ("seed=interval(0,3)", "seed=interval(0,3)"),
        ("run_dir=here", "run_dir=here outputs=FOLDER"),
        ("resume=false", "resume=false"),
        ("+seed=3", "+seed=3 key=value"),
        ("~seed", "~seed key=value"),
        ("threads=1,2", "threads several"),  # the same runs, and only one way to train them
        ("algorithm.lr=1e-4,1e-4", "algorithm.lr=1e-4,1e-4 twice"),
    ],
)
def test_a_mistake_in_an_override_is_reported(override: str, words: str) -> None:
    sentence = complaint(smoke, override)
    assert all(word in sentence for word in words.split())


def test_an_unknown_axis_is_reported_in_a_sentence() -> None:
    sentence = complaint(sweep_runs, parse("mine", {"grid": {"sed": [0]}}))
    assert "sed" in sentence
    assert "seed" in sentence


@pytest.mark.parametrize("key", ["run_dir=here", "resume=false"])
def test_what_is_refused_on_the_command_line_is_refused_in_a_file(key: str) -> None:
    assert complaint(sweep_runs, parse("mine", {"settings": {"A": [key]}})).startswith(key.partition("=")[0])


def test_a_sweep_has_one_store() -> None:
    settings = {"A": ["outputs=here"], "B": ["outputs=there", "seed=1"]}
    assert "outputs=here,there" in complaint(lambda: declare([], settings=settings))


def test_several_stores_on_the_command_line_are_refused() -> None:
    assert "outputs" in complaint(smoke, "outputs=here,there")
