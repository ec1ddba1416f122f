"""Names for people: settings in words, folders that can be typed anywhere, labels that never join two settings."""

from __future__ import annotations

import re

import pytest

from ppo.config.compose import compose, expand
from ppo.config.identity import run_hash, setting_hash, short
from ppo.config.naming import LONGEST, folder_name, labels, setting_name
from ppo.config.run import Config

PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def runs(*overrides: str) -> list[Config]:
    return [compose(run) for run in expand(list(overrides))]


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ("surrogate=none", "ppo none"),
        ("surrogate=clip", "ppo clip epsilon=0.2"),
        ("surrogate=clip_log", "ppo clip_log epsilon=0.2 reading=ratio"),
        ("surrogate=kl_fixed surrogate.beta=10", "ppo kl_fixed beta=10"),
        ("surrogate=kl_adaptive surrogate.d_targ=0.003", "ppo kl_adaptive d_targ=0.003 beta=1"),
        ("algorithm=random", "random"),
        ("algorithm=random algorithm.policy=uniform", "random policy=uniform"),
        *((f"algorithm={name}", name) for name in ("trpo", "vpg", "a2c", "cem")),
        ("algorithm=trpo_2017", "trpo train_log_std=false"),
        ("algorithm=a2c_trust_region", "a2c trust_region=1"),
        ("algorithm.lr=1e-4", "ppo clip epsilon=0.2 lr=0.0001"),
        ("algorithm=trpo network=mlp", "trpo hidden=64x64"),
        ("network=mlp_256x128", "ppo clip epsilon=0.2 activation=relu hidden=256x128"),
        ("network.hidden=[]", "ppo clip epsilon=0.2 hidden=none"),
        ("env.time_limit=500 total_steps=4096", "ppo clip epsilon=0.2 env.time_limit=500 total_steps=4096"),
        ("algorithm.record=[interpolation]", "ppo clip epsilon=0.2 record=[interpolation]"),
        ("algorithm.lr=0.1234567891", "ppo clip epsilon=0.2 lr=0.1234567891"),
        ("algorithm.c1=1e20", "ppo clip epsilon=0.2 c1=1e20"),
        ("experiment=table3", "ppo clip epsilon=0.2"),
    ],
)
def test_a_setting_is_named_by_its_choices_and_by_what_differs_from_the_yaml(overrides: str, name: str) -> None:
    assert setting_name(compose(overrides.split())) == name


def test_neither_task_nor_seed_nor_execution_is_part_of_a_setting() -> None:
    others = ["env=reacher", "seed=9", "outputs=store", "threads=2", "env.time_limit=1000"]
    assert {setting_name(compose([other])) for other in others} == {setting_name(compose())}


# -- folders -----------------------------------------------------------------------------------------------------------


def test_a_folder_is_named_by_task_setting_seed_and_twelve_digits_of_the_hash() -> None:
    run = compose(["env=swimmer", "seed=4", "outputs=store", "run_dir=elsewhere"])
    assert folder_name(run) == f"Swimmer-v5/ppo-clip-epsilon-0.2/seed-4-{short(run_hash(run))}"


@pytest.mark.parametrize(
    "overrides",
    [
        "env=gymnasium env.id=CartPole-v1",
        "env=gymnasium env.id=phys2d/CartPole-v1",
        "network.hidden=[1,2,3]",
        "algorithm.c1=1e20",
        "algorithm.log_std=-1.5 algorithm.log_std_final=-2.5",
        "algorithm.record=[interpolation]",
        "experiment=table4",
        "experiment=table5 seed=12345678901234567890",
        f"network.hidden=[{','.join(['7'] * 200)}]",
    ],
)
def test_a_folder_has_plain_characters_only_and_a_bounded_length(overrides: str) -> None:
    env, setting, seed = folder_name(compose(overrides.split())).split("/")
    for part in (env, setting, seed):
        assert PART.fullmatch(part)
        assert not part.endswith(".")
    assert max(len(env), len(setting)) <= LONGEST


def test_a_large_number_is_not_shown_as_a_small_one() -> None:
    assert "c1-1e20" in folder_name(compose(["algorithm.c1=1e20"]))


# -- labels ------------------------------------------------------------------------------------------------------------


def labelled(configs: list[Config], declared: list[str] | None = None) -> list[str]:
    """The labels, which join no two settings and split none."""
    found = labels(configs, declared or [""] * len(configs))
    pairs = set(zip(found, map(setting_hash, configs), (declared or found), strict=True))
    assert len(pairs) == len({label for label, _, _ in pairs})
    return found


def test_what_varies_in_a_multirun_is_in_its_labels() -> None:
    own = ["env=gymnasium", "env.id=CartPole-v1", "algorithm.lr=1e-4,3e-3", "seed=0,1", "total_steps=4096"]
    first, second = "lr=0.0001", "lr=0.003"
    found = labelled(runs(*own))
    assert found == [f"ppo clip epsilon=0.2 {lr} total_steps=4096" for lr in (first, first, second, second)]


def test_a_value_that_is_the_yamls_own_is_said_where_others_differ() -> None:
    rates = ("lr=0.0003", "lr=0.0001")
    assert labelled(runs("algorithm.lr=3e-4,1e-4")) == [f"ppo clip epsilon=0.2 {rate}" for rate in rates]


def test_an_axis_is_appended_to_a_declared_label() -> None:
    configs = [*runs("surrogate=none", "algorithm.lr=1e-4,3e-4"), *runs("surrogate=clip")]
    declared = ["No clipping", "No clipping", "Clipping"]
    assert labelled(configs, declared) == ["No clipping, lr=0.0001", "No clipping, lr=0.0003", "Clipping"]


def test_a_declared_label_without_an_axis_stays_as_it_is() -> None:
    configs = runs("env=hopper,reacher", "seed=0,1")
    assert labelled(configs, ["Mine"] * 4) == ["Mine"] * 4


def test_choices_that_vary_under_one_declared_label_are_named_and_their_own_keys_are_not() -> None:
    configs = [*runs("algorithm=ppo,trpo,cem"), *runs("surrogate=none")]
    assert labelled(configs, ["Mine"] * 4) == ["Mine, ppo, clip", "Mine, trpo", "Mine, cem", "Mine, ppo, none"]


def test_different_algorithms_without_labels_are_named_by_their_choices_alone() -> None:
    assert labelled(runs("algorithm=ppo,trpo,trpo_2017,a2c,random")) == [
        "ppo clip epsilon=0.2", "trpo train_log_std=true", "trpo train_log_std=false", "a2c", "random",
    ]  # fmt: skip


def test_nested_keys_and_task_keys_are_named() -> None:
    assert labelled(runs("network.hidden=[16,16],[128]"), ["A", "A"]) == ["A, hidden=16x16", "A, hidden=128"]
    assert labelled(runs("env.time_limit=500,200"), ["A", "A"]) == ["A, env.time_limit=500", "A, env.time_limit=200"]
    assert labelled(runs("total_steps=4096,8192"), ["A", "A"]) == ["A, total_steps=4096", "A, total_steps=8192"]


def test_values_that_are_equal_to_six_digits_are_shown_in_full() -> None:
    close = runs("algorithm.lr=0.12345671,0.12345672")
    assert labelled(close, ["A", "A"]) == ["A, lr=0.12345671", "A, lr=0.12345672"]
    assert labelled(close) == ["ppo clip epsilon=0.2 lr=0.12345671", "ppo clip epsilon=0.2 lr=0.12345672"]


def test_equal_values_that_are_spelled_differently_are_one_label() -> None:
    configs = [compose(["algorithm.lr=1e-4"]), compose(["algorithm.lr=0.0001", "seed=1"])]
    assert labelled(configs, ["A", "A"]) == ["A", "A"]
    assert len(set(labelled(configs))) == 1


def test_a_younger_key_that_only_some_runs_have_is_named() -> None:
    configs = [compose(), compose(["algorithm.record=[interpolation]"])]
    assert labelled(configs, ["A", "A"]) == ["A", "A, record=[interpolation]"]


def test_labels_that_would_collide_all_the_same_get_digits_of_the_settings_hash() -> None:
    configs = runs("algorithm.lr=0.1,0.2", "surrogate=none")
    found = labels([*configs, compose()], ["A", "A", "A, lr=0.1"])
    assert len(set(found)) == 3
    assert all(label.startswith("A, lr=") for label in found)


def test_a_task_of_two_suites_has_two_labels() -> None:
    tasks = (["env=hopper"], ["env=gymnasium", "env.id=Hopper-v5"], ["env=walker2d"])
    bare = labels([compose(task) for task in tasks], [""] * 3)
    usual = "ppo clip epsilon=0.2"
    assert bare == [f"{usual}, suite=mujoco", f"{usual}, suite=gymnasium", usual]
    assert len(set(labels([compose(task) for task in tasks], ["A"] * 3))) == 3


def test_no_runs_have_no_labels() -> None:
    assert labels([], []) == []


@pytest.mark.parametrize("declared", ["", "Clipping"])
def test_a_task_of_two_suites_is_two_rows(declared: str) -> None:
    both = runs("env=reacher", "env.suite=mujoco,gymnasium", "seed=0,1")
    found = labels(both, [declared] * len(both))
    assert len(set(found)) == 2
    assert all(config.env.suite in label for config, label in zip(both, found, strict=True))
    assert all(label.startswith(declared) for label in found)
    other = [compose(["env=gymnasium", "env.id=CartPole-v1"]), compose(["env=reacher"])]
    assert len(set(labels(other, [declared] * 2))) == 1, "two tasks are two columns of one row"
