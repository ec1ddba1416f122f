"""What a run is does not depend on its spelling or on where it is trained; who may share a pack follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ppo.compose import compose
from ppo.config import EXECUTION_KEYS, Config
from ppo.identity import essence, pack_key, run_folder, run_hash, setting_name

EXECUTION = {  # key -> another value than the default
    "outputs": "elsewhere",
    "run_dir": "here",
    "resume": "false",
    "device": "cuda",
    "threads": "2",
    "compile": "true",
    "checkpoint_seconds": "5",
    "interpolation": "true",
}
SAME_PACK = {  # essential key -> another value; such runs share a pack
    "seed": "1",
    "surrogate.epsilon": "0.1",
    "algorithm.gamma": "0.9",
    "algorithm.lam": "0.9",
    "algorithm.lr": "1e-3",
    "algorithm.lr_schedule": "linear",
    "algorithm.epsilon_schedule": "linear",
    "algorithm.adam_epsilon": "1e-8",
    "algorithm.c1": "0.5",
    "algorithm.c2": "0.01",
}
OTHER_PACK = {  # essential key -> another value; such runs do not
    "env.suite": "gymnasium",
    "env.id": "Walker2d-v5",
    "env.time_limit": "500",
    "total_steps": "500_000",
    "algorithm.horizon": "1024",
    "algorithm.num_actors": "2",
    "algorithm.time_limit": "bootstrap",
    "algorithm.normalize_adv": "none",
    "algorithm.normalize_reward": "true",
    "algorithm.normalize_obs": "false",
    "algorithm.epochs": "4",
    "algorithm.minibatch_size": "32",
    "algorithm.max_grad_norm": "0.5",
    "algorithm.value_clip": "0.2",
    "algorithm.network.hidden": "[64]",
    "algorithm.network.shared": "true",
    "algorithm.network.log_std": "-0.5",
}


def dotted(values: dict[str, Any], path: str = "") -> set[str]:
    """All dotted keys that hold a value."""
    parts = (dotted(v, f"{path}{k}.") if isinstance(v, dict) else {f"{path}{k}"} for k, v in values.items())
    return set().union(*parts)


def another(key: str, value: str) -> Config:
    return compose([f"{key}={value}"])


# -- the hash ----------------------------------------------------------------------------------------------------------


def test_the_tables_above_name_every_key_there_is() -> None:
    assert set(EXECUTION) == set(EXECUTION_KEYS)
    assert {*SAME_PACK, *OTHER_PACK} == dotted(essence(compose())) - {"algorithm.name", "surrogate.name"}


@pytest.mark.parametrize(("key", "value"), EXECUTION.items())
def test_where_and_how_fast_a_run_is_trained_is_no_part_of_what_it_is(key: str, value: str) -> None:
    assert another(key, value) != compose()
    assert run_hash(another(key, value)) == run_hash(compose())


@pytest.mark.parametrize(("key", "value"), [*SAME_PACK.items(), *OTHER_PACK.items()])
def test_any_other_value_makes_another_run(key: str, value: str) -> None:
    assert run_hash(another(key, value)) != run_hash(compose())


@pytest.mark.parametrize(
    "spellings",
    [
        ["algorithm.lr=3e-4", "algorithm.lr=0.0003", "algorithm.lr=.0003", "algorithm.lr=3.0E-4", "seed=0"],
        ["total_steps=1e6", "total_steps=1000000", "total_steps=1_000_000", "total_steps=1000000.0"],
        ["surrogate.epsilon=0.2", "surrogate.epsilon=.2", "surrogate.epsilon=2e-1", "surrogate=clip"],
        ["algorithm.c1=1", "algorithm.c1=1.0", "algorithm.c1=1e0"],
        ["algorithm.network.hidden=[64,64]", "algorithm.network.hidden=[ 64 , 64.0 ]"],
        ["algorithm.max_grad_norm=null", "algorithm.max_grad_norm=Null"],
    ],
)
def test_the_spelling_of_a_value_does_not_matter(spellings: list[str]) -> None:
    assert {run_hash(compose([spelling])) for spelling in spellings} == {run_hash(compose())}


def test_zero_has_no_sign() -> None:
    assert run_hash(compose(["algorithm.network.log_std=-0.0"])) == run_hash(compose())


def test_the_order_of_overrides_does_not_matter() -> None:
    one, other = compose(["seed=1", "algorithm.lr=1e-3"]), compose(["algorithm.lr=1e-3", "seed=1"])
    assert run_hash(one) == run_hash(other)


def test_the_hash_is_eight_hex_digits() -> None:
    assert len(run_hash(compose())) == 8
    assert set(run_hash(compose())) <= set("0123456789abcdef")


# -- names and folders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["surrogate=none"], "ppo-none"),
        (["surrogate=clip"], "ppo-clip-epsilon=0.2"),
        (["surrogate=clip_log"], "ppo-clip_log-epsilon=0.2-reading=ratio"),
        (["surrogate=clip_log", "surrogate.reading=objective"], "ppo-clip_log-epsilon=0.2-reading=objective"),
        (["surrogate=kl_fixed", "surrogate.beta=10"], "ppo-kl_fixed-beta=10"),
        (["surrogate=kl_fixed", "surrogate.beta=0.3"], "ppo-kl_fixed-beta=0.3"),
        (["surrogate=kl_adaptive", "surrogate.d_targ=0.003"], "ppo-kl_adaptive-d_targ=0.003-beta=1"),
        (["algorithm=random"], "random-untrained"),
        (["algorithm=random", "algorithm.policy=uniform"], "random-uniform"),
    ],
)
def test_a_setting_is_named_by_algorithm_surrogate_and_coefficients(overrides: list[str], name: str) -> None:
    assert setting_name(compose(overrides)) == name


def test_neither_environment_nor_seed_is_part_of_a_setting() -> None:
    assert setting_name(compose(["env=reacher", "seed=9"])) == setting_name(compose())


def test_a_folder_is_found_by_environment_setting_and_seed() -> None:
    run = compose(["env=swimmer", "seed=4", "outputs=store"])
    assert run_folder(run) == Path("store/runs/Swimmer-v5/ppo-clip-epsilon=0.2") / f"seed=4-{run_hash(run)}"


def test_an_id_with_a_namespace_is_one_folder() -> None:
    assert run_folder(compose(["env=gymnasium", "env.id=ALE/Pong-v5"])).parts[2] == "ALE-Pong-v5"


def test_a_run_can_be_placed_anywhere() -> None:
    assert run_folder(compose(["run_dir=here/mine"])) == Path("here/mine")


# -- packs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "value"), SAME_PACK.items())
def test_runs_that_differ_in_seed_or_coefficients_share_a_pack(key: str, value: str) -> None:
    assert pack_key(another(key, value)) == pack_key(compose())


@pytest.mark.parametrize("surrogate", ["none", "clip", "clip_log", "kl_fixed", "kl_adaptive"])
def test_runs_of_different_surrogates_share_a_pack(surrogate: str) -> None:
    assert pack_key(compose([f"surrogate={surrogate}"])) == pack_key(compose())


@pytest.mark.parametrize(("key", "value"), OTHER_PACK.items())
def test_runs_that_differ_in_task_shapes_counts_or_flags_do_not(key: str, value: str) -> None:
    assert pack_key(another(key, value)) != pack_key(compose())


def test_runs_of_different_algorithms_do_not() -> None:
    assert pack_key(compose(["algorithm=random"])) != pack_key(compose())


@pytest.mark.parametrize("key", ["algorithm.max_grad_norm", "algorithm.value_clip"])
def test_whether_there_is_a_bound_matters_but_not_its_size(key: str) -> None:
    absent, small, large = (pack_key(compose([f"{key}={value}"])) for value in ("null", "0.5", "1.0"))
    assert small == large != absent


@pytest.mark.parametrize("key", EXECUTION)
def test_a_pack_has_one_device_one_number_of_threads_and_one_compile_mode(key: str) -> None:
    shared = pack_key(another(key, EXECUTION[key])) == pack_key(compose())
    assert shared == (key not in ("device", "threads", "compile"))
