"""What a run is does not depend on its spelling or on where it is trained; who may share a pack follows from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ppo.config.algorithms import ALGORITHMS
from ppo.config.compose import compose, compose_mapping
from ppo.config.identity import essence, pack_key, run_folder, run_hash, setting_name
from ppo.config.run import EXECUTION_KEYS, Config, to_config, to_mapping
from ppo.runs.folder import RunFolder

PUBLISHED = Path(__file__).parents[2] / "outputs" / "published"
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
LATER = {  # key that came later -> its default, and another value with what it needs
    "algorithm.lr_kl_target": ("null", "0.01 algorithm.lr_schedule=kl"),
    "algorithm.network.log_std_final": ("null", "-1.6"),
    "algorithm.network.activation": ("tanh", "relu"),
    "algorithm.network.policy_scale": ("0.01", "0.1"),
}
# Essential key -> values: the first that is not an algorithm's own makes another run, which shares a pack with it.
SAME_PACK = {
    "seed": ["1"], "surrogate.epsilon": ["0.1"], "algorithm.gamma": ["0.9"], "algorithm.lam": ["0.9"],
    "algorithm.lr": ["2e-3"], "algorithm.lr_schedule": ["linear", "constant"],
    "algorithm.lr_kl_target": [LATER["algorithm.lr_kl_target"][1]], "algorithm.epsilon_schedule": ["linear"],
    "algorithm.adam_epsilon": ["1e-8"], "algorithm.c1": ["0.25"], "algorithm.c2": ["0.01"],
    "algorithm.max_kl": ["0.02"], "algorithm.kl_slack": ["1.0"], "algorithm.damping": ["0.01"],
    "algorithm.value_lr": ["1e-4"], "algorithm.kl_target": ["0.01"],
    "algorithm.rms_decay": ["0.9"], "algorithm.rms_epsilon": ["1e-8"], "algorithm.trust_region": ["2.0"],
    "algorithm.average_decay": ["0.99"],
    "algorithm.elite_fraction": ["0.1"], "algorithm.initial_variance": ["0.5"], "algorithm.extra_std": ["0.0"],
    "algorithm.extra_until": ["0.25"],
}  # fmt: skip
OTHER_PACK = {  # the same of runs that share none
    "env.suite": ["gymnasium"], "env.id": ["Walker2d-v5"], "env.time_limit": ["500"], "total_steps": ["500_000"],
    "algorithm.horizon": ["512"], "algorithm.num_actors": ["2"], "algorithm.time_limit": ["bootstrap", "terminal"],
    "algorithm.normalize_adv": ["none"], "algorithm.normalize_reward": ["true"], "algorithm.normalize_obs": ["false"],
    "algorithm.epochs": ["4"], "algorithm.minibatch_size": ["32"],
    "algorithm.max_grad_norm": ["0.5", "null"], "algorithm.value_clip": ["0.2"],
    "algorithm.network.hidden": ["[16]"], "algorithm.network.shared": ["true"],
    "algorithm.network.log_std": ["-0.5"], "algorithm.network.log_std_final": ["-1.6"],
    "algorithm.network.activation": ["relu"], "algorithm.network.policy_scale": ["0.2"],
    "algorithm.policy": ["uniform"],
    "algorithm.cg_iterations": ["5"], "algorithm.fisher_stride": ["1"], "algorithm.backtracks": ["5"],
    "algorithm.value_epochs": ["1"], "algorithm.value_minibatch_size": ["32"],
    "algorithm.batch_steps": ["5000"],
    "algorithm.updates": ["50"],
}  # fmt: skip
FIXED = {  # key -> algorithms that allow one value only
    "algorithm.network.shared": ["trpo", "vpg"],
    "algorithm.network.log_std_final": ["random", "trpo", "vpg", "a2c", "cem"],
    "algorithm.train_log_std": ["trpo"],
    "algorithm.trust_region": ["a2c"],
}
FAMILIES = ["ppo", "random", "trpo", "vpg", "a2c", "cem"]


def dotted(values: dict[str, Any], path: str = "") -> set[str]:
    """All dotted keys that hold a value."""
    parts = (dotted(v, f"{path}{k}.") if isinstance(v, dict) else {f"{path}{k}"} for k, v in values.items())
    return set().union(*parts)


def another(key: str, value: str) -> Config:
    return compose(f"{key}={value}".split())


def first(algorithm: str) -> Config:
    return compose([f"algorithm={algorithm}"])


def varied(algorithm: str, key: str) -> Config:
    """A run that differs from the first of its algorithm in this key."""
    runs = (compose(f"algorithm={algorithm} {key}={value}".split()) for value in (SAME_PACK | OTHER_PACK)[key])
    return next(run for run in runs if run != first(algorithm))


def keys_of(algorithm: str) -> list[str]:
    """The essential keys of which a run of this algorithm may have other values."""
    keys = dotted(compose_mapping([f"algorithm={algorithm}"])) & dotted(to_mapping(first(algorithm)))
    fixed = {*EXECUTION, "algorithm.name", "surrogate.name", *(key for key in FIXED if algorithm in FIXED[key])}
    return sorted(keys - fixed)


EVERY_KEY = [(algorithm, key) for algorithm in FAMILIES for key in keys_of(algorithm)]
EVERY_KEY.append(("a2c_trust_region", "algorithm.trust_region"))


# -- the hash ----------------------------------------------------------------------------------------------------------


def test_the_tables_above_name_every_key_there_is() -> None:
    assert set(EXECUTION) == set(EXECUTION_KEYS)
    assert {*SAME_PACK, *OTHER_PACK} == {key for _, key in EVERY_KEY}
    assert not SAME_PACK.keys() & OTHER_PACK.keys()


@pytest.mark.parametrize(("key", "value"), EXECUTION.items())
def test_where_and_how_fast_a_run_is_trained_is_no_part_of_what_it_is(key: str, value: str) -> None:
    assert another(key, value) != compose()
    assert run_hash(another(key, value)) == run_hash(compose())


@pytest.mark.parametrize(("algorithm", "key"), EVERY_KEY)
def test_any_other_value_makes_another_run(algorithm: str, key: str) -> None:
    assert run_hash(varied(algorithm, key)) != run_hash(first(algorithm))


def test_algorithms_are_different_runs_even_where_they_differ_in_a_coefficient_only() -> None:
    assert len({run_hash(first(algorithm)) for algorithm in ALGORITHMS}) == len(ALGORITHMS)


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


# -- keys that came later ----------------------------------------------------------------------------------------------


def without_later(run: Config) -> dict[str, Any]:
    """A run as it was written down before there were those keys."""
    values = to_mapping(run)
    for key in LATER:
        group = values["algorithm"]["network"] if ".network." in key else values["algorithm"]
        group.pop(key.rpartition(".")[2], None)
    return values


def test_the_hash_of_a_run_stays_what_it_is() -> None:
    run = compose(["env=hopper", "surrogate=clip", "seed=0"])
    assert run_hash(run) == run_hash(to_config(without_later(run))) == "a3cd4036"
    assert not dotted(essence(run)) & LATER.keys()


def test_every_published_run_is_still_the_run_that_it_was() -> None:
    for file in (files := sorted((PUBLISHED / "runs").rglob("*.json"))):
        run = to_config(json.loads(file.read_text(encoding="utf-8"))["config"])
        assert run_folder(run).relative_to(run.execution.outputs) == file.relative_to(PUBLISHED).with_suffix("")
    assert files


@pytest.mark.parametrize(("key", "default", "other"), [(key, *values) for key, values in LATER.items()])
def test_a_later_key_is_part_of_a_run_where_it_is_not_at_its_default(key: str, default: str, other: str) -> None:
    assert run_hash(another(key, default)) == run_hash(compose())
    assert run_hash(another(key, other)) != run_hash(compose())
    assert key in dotted(essence(another(key, other)))


def test_two_targets_of_the_kl_are_two_runs() -> None:
    one, two = (compose(["algorithm.lr_schedule=kl", f"algorithm.lr_kl_target={d}"]) for d in ("0.01", "0.02"))
    assert run_hash(one) != run_hash(two)


def differing(folder: Path, held: dict[str, Any], ours: Config) -> list[str]:
    (folder / "config.yaml").write_text(yaml.safe_dump(held))
    return RunFolder(folder, ours).differing_keys


@pytest.mark.parametrize(("key", "other"), [(key, other) for key, (_, other) in LATER.items()])
def test_a_folder_tells_in_which_later_key_its_run_is_another_one(key: str, other: str, tmp_path: Path) -> None:
    run = another(key, other)
    keys = sorted(override.partition("=")[0] for override in f"{key}={other}".split())
    assert differing(tmp_path, to_mapping(run), compose()) == keys
    assert differing(tmp_path, to_mapping(compose()), run) == keys
    assert differing(tmp_path, without_later(compose()), run) == keys
    assert differing(tmp_path, to_mapping(run), run) == []


def test_a_folder_from_before_there_were_the_later_keys_is_ours_where_they_are_at_their_default(tmp_path: Path) -> None:
    assert differing(tmp_path, without_later(compose()), compose()) == []
    assert differing(tmp_path, without_later(first("random")), first("random")) == []
    assert differing(tmp_path, without_later(compose()), compose(["seed=1"])) == ["seed"]


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
        *(([f"algorithm={name}"], name) for name in ("trpo", "trpo_2017", "vpg", "a2c", "a2c_trust_region", "cem")),
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


@pytest.mark.parametrize(("algorithm", "key"), [case for case in EVERY_KEY if case[1] in SAME_PACK])
def test_runs_that_differ_in_seed_or_coefficients_share_a_pack(algorithm: str, key: str) -> None:
    assert pack_key(varied(algorithm, key)) == pack_key(first(algorithm))


@pytest.mark.parametrize("surrogate", ["none", "clip", "clip_log", "kl_fixed", "kl_adaptive"])
def test_runs_of_different_surrogates_share_a_pack(surrogate: str) -> None:
    assert pack_key(compose([f"surrogate={surrogate}"])) == pack_key(compose())


@pytest.mark.parametrize(("algorithm", "key"), [case for case in EVERY_KEY if case[1] in OTHER_PACK])
def test_runs_that_differ_in_task_shapes_counts_or_flags_do_not(algorithm: str, key: str) -> None:
    assert pack_key(varied(algorithm, key)) != pack_key(first(algorithm))


@pytest.mark.parametrize(("one", "other"), [("trpo", "trpo_2017"), ("a2c", "a2c_trust_region")])
def test_algorithms_that_differ_in_a_coefficient_only_share_a_pack(one: str, other: str) -> None:
    assert pack_key(first(one)) == pack_key(first(other))


def test_runs_of_different_algorithms_do_not() -> None:
    assert len({pack_key(first(algorithm)) for algorithm in FAMILIES}) == len(FAMILIES)
    assert {*ALGORITHMS} == {*FAMILIES, "trpo_2017", "a2c_trust_region"}


@pytest.mark.parametrize("key", ["algorithm.max_grad_norm", "algorithm.value_clip"])
def test_whether_there_is_a_bound_matters_but_not_its_size(key: str) -> None:
    absent, small, large = (pack_key(compose([f"{key}={value}"])) for value in ("null", "0.5", "1.0"))
    assert small == large != absent


@pytest.mark.parametrize("key", EXECUTION)
def test_a_pack_has_one_device_one_number_of_threads_and_one_compile_mode(key: str) -> None:
    shared = pack_key(another(key, EXECUTION[key])) == pack_key(compose())
    assert shared == (key not in ("device", "threads", "compile"))
