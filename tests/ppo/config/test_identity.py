"""What a run is does not depend on its spelling or on where it is trained; who may share a pack follows from it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ppo.config.compose import compose
from ppo.config.flatten import flatten
from ppo.config.identity import essence, pack_key, run_hash, setting_hash, short
from ppo.config.run import Config, Execution, to_config, to_mapping

EXECUTION = {  # key -> another value than the yaml's
    "outputs": "elsewhere",
    "run_dir": "here",
    "resume": "false",
    "device": "cuda",
    "threads": "2",
    "compile": "true",
    "checkpoint_seconds": "5",
    "step_seconds": "5",
}
# Key -> values: the first that is not an algorithm's own makes another run, which shares a pack with it.
SAME_PACK = {
    "seed": ["1"], "surrogate.epsilon": ["0.1"], "algorithm.gamma": ["0.9"], "algorithm.lam": ["0.9"],
    "algorithm.lr": ["2e-3"], "algorithm.lr_schedule": ["linear", "constant"],
    "algorithm.lr_kl_target": ["0.01 algorithm.lr_schedule=kl"], "algorithm.epsilon_schedule": ["linear"],
    "algorithm.adam_epsilon": ["1e-8"], "algorithm.c1": ["0.25"], "algorithm.c2": ["0.01"],
    "algorithm.max_kl": ["0.02"], "algorithm.kl_slack": ["1.0"], "algorithm.damping": ["0.01"],
    "algorithm.train_log_std": ["false"],
    "algorithm.value_lr": ["1e-4"], "algorithm.kl_target": ["0.01"],
    "algorithm.rms_decay": ["0.9"], "algorithm.rms_epsilon": ["1e-8"], "algorithm.trust_region": ["2.0"],
    "algorithm.average_decay": ["0.99 algorithm.trust_region=1"],
    "algorithm.elite_fraction": ["0.1"], "algorithm.initial_variance": ["0.5"], "algorithm.extra_std": ["0.0"],
    "algorithm.extra_until": ["0.25"], "algorithm.record": ["[interpolation]"],
}  # fmt: skip
OTHER_PACK = {  # the same of runs that share none
    "env.suite": ["gymnasium"], "env.id": ["Walker2d-v5"], "env.time_limit": ["500"], "total_steps": ["500_000"],
    "algorithm.horizon": ["512"], "algorithm.num_actors": ["2"], "algorithm.time_limit": ["bootstrap", "terminal"],
    "algorithm.normalize_adv": ["none"], "algorithm.reward": ["sign"],
    "algorithm.normalize_reward": ["true"], "algorithm.normalize_obs": ["false"],
    "algorithm.epochs": ["4"], "algorithm.minibatch_size": ["32"],
    "algorithm.max_grad_norm": ["0.5", "null"], "algorithm.value_clip": ["0.2"],
    "algorithm.policy_scale": ["0.2"], "algorithm.log_std": ["-0.5"], "algorithm.log_std_final": ["-1.6"],
    "network.hidden": ["[16]"], "network.shared": ["true"], "network.activation": ["relu"],
    "algorithm.policy": ["uniform"],
    "algorithm.cg_iterations": ["5"], "algorithm.fisher_stride": ["1"], "algorithm.backtracks": ["5"],
    "algorithm.value_epochs": ["1"], "algorithm.value_minibatch_size": ["32"],
    "algorithm.batch_steps": ["5000"],
    "algorithm.updates": ["50"],
}  # fmt: skip
ONE_VALUE = {"network.precision": "", "network.shared": "trpo vpg cem random"}  # key -> for whom; nobody: for all
FAMILIES = ["ppo", "random", "trpo", "vpg", "a2c", "cem"]


def another(key: str, value: str) -> Config:
    return compose(f"{key}={value}".split())


def first(algorithm: str) -> Config:
    return compose([f"algorithm={algorithm}"])


def varied(algorithm: str, key: str) -> Config:
    """A run that differs from the first of its algorithm in this key."""
    runs = (compose(f"algorithm={algorithm} {key}={value}".split()) for value in (SAME_PACK | OTHER_PACK)[key])
    return next(run for run in runs if run != first(algorithm))


def keys_of(algorithm: str) -> list[str]:
    """The keys of which a run of this algorithm may have other values, execution keys left out."""
    keys = set(flatten(to_mapping(first(algorithm)))) - {*EXECUTION, *(f"{g}.name" for g in ("algorithm", "network"))}
    fixed = {key for key, who in ONE_VALUE.items() if not who or algorithm in who.split()}
    return sorted(keys - fixed - {"surrogate.name"})


EVERY_KEY = [(algorithm, key) for algorithm in FAMILIES for key in keys_of(algorithm)]


# -- the hash ----------------------------------------------------------------------------------------------------------


def test_the_tables_above_name_every_key_there_is() -> None:
    assert set(EXECUTION) == {field.name for field in fields(Execution)}
    assert {*SAME_PACK, *OTHER_PACK} == {key for _, key in EVERY_KEY}
    assert not SAME_PACK.keys() & OTHER_PACK.keys()


@pytest.mark.parametrize(("key", "value"), EXECUTION.items())
def test_where_and_how_fast_a_run_is_trained_is_no_part_of_what_it_is(key: str, value: str) -> None:
    assert another(key, value) != compose()
    assert run_hash(another(key, value)) == run_hash(compose())


@pytest.mark.parametrize(("algorithm", "key"), EVERY_KEY)
def test_any_other_value_makes_another_run(algorithm: str, key: str) -> None:
    assert run_hash(varied(algorithm, key)) != run_hash(first(algorithm))


def test_algorithms_and_their_variants_are_different_runs() -> None:
    assert len({run_hash(first(name)) for name in (*FAMILIES, "trpo_2017", "a2c_trust_region")}) == len(FAMILIES) + 2


@pytest.mark.parametrize(
    "spellings",
    [
        ["algorithm.lr=3e-4", "algorithm.lr=0.0003", "algorithm.lr=.0003", "algorithm.lr=3.0E-4", "seed=0"],
        ["total_steps=1e6", "total_steps=1000000", "total_steps=1_000_000", "total_steps=1000000.0"],
        ["surrogate.epsilon=0.2", "surrogate.epsilon=.2", "surrogate.epsilon=2e-1", "surrogate=clip"],
        ["algorithm.c1=1", "algorithm.c1=1.0", "algorithm.c1=1e0"],
        ["network.hidden=[64,64]", "network.hidden=[ 64 , 64.0 ]", "network={hidden: [64, 64]}"],
        ["algorithm.max_grad_norm=null", "algorithm.max_grad_norm=Null"],
        ["env.time_limit=1000", "env.time_limit=null", "env.time_limit=1e3"],  # the task's own
        ["algorithm.record=[]", "~algorithm.record"],
        ["experiment=table3", "env=hopper", "env.id=Hopper-v5"],
    ],
)
def test_the_spelling_of_a_value_does_not_matter(spellings: list[str]) -> None:
    assert {run_hash(compose([spelling])) for spelling in spellings} == {run_hash(compose())}


def test_the_spelling_of_a_task_does_not_matter() -> None:
    spellings = ["CartPole", "CartPole-v1", "os:CartPole-v1", "CartPole-v1 env.time_limit=500"]
    runs = [compose(f"env=gymnasium env.id={spelling}".split()) for spelling in spellings]
    assert {run.env.id for run in runs} == {"CartPole-v1"}
    assert len({run_hash(run) for run in runs}) == 1


def test_one_and_true_are_not_confused_by_what_was_composed_before() -> None:
    assert compose(["algorithm.c1=1"]).algorithm.c1 == 1.0
    with pytest.raises(Exception, match=r"algorithm\.c1=true is invalid"):
        compose(["algorithm.c1=true"])
    assert compose(["network.shared=true"]).network.shared is True
    with pytest.raises(Exception, match=r"network\.shared=1 is invalid"):
        compose(["network.shared=1"])


def test_zero_has_no_sign() -> None:
    assert run_hash(compose(["algorithm.log_std=-0.0"])) == run_hash(compose())


def test_the_order_of_overrides_and_of_keys_does_not_matter() -> None:
    one, other = compose(["seed=1", "algorithm.lr=1e-3"]), compose(["algorithm.lr=1e-3", "seed=1"])
    assert run_hash(one) == run_hash(other)
    values = {k: dict(reversed(v.items())) if isinstance(v, dict) else v for k, v in to_mapping(one).items()}
    assert run_hash(to_config(dict(reversed(values.items())))) == run_hash(one)


def test_the_hash_is_a_whole_sha256_and_folders_have_twelve_digits_of_it() -> None:
    digest = run_hash(compose())
    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")
    assert digest.startswith(short(digest))
    assert len(short(digest)) == 12


# -- the setting -------------------------------------------------------------------------------------------------------


def test_a_setting_is_a_run_without_its_seed_and_task() -> None:
    others = [["seed=3"], ["env=reacher"], ["env=gymnasium", "env.id=CartPole-v1"]]
    assert {setting_hash(compose(o)) for o in others} == {setting_hash(compose())}


@pytest.mark.parametrize(("algorithm", "key"), [c for c in EVERY_KEY if c[1] not in ("seed", "env.id", "env.suite")])
def test_any_other_key_makes_another_setting(algorithm: str, key: str) -> None:
    assert setting_hash(varied(algorithm, key)) != setting_hash(first(algorithm))


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
def test_variants_that_differ_in_a_coefficient_share_a_pack(one: str, other: str) -> None:
    assert pack_key(first(one)) == pack_key(first(other))


def test_runs_of_different_algorithms_do_not() -> None:
    assert len({pack_key(first(algorithm)) for algorithm in FAMILIES}) == len(FAMILIES)


@pytest.mark.parametrize("key", ["algorithm.max_grad_norm", "algorithm.value_clip"])
def test_whether_there_is_a_bound_matters_but_not_its_size(key: str) -> None:
    absent, small, large = (pack_key(compose([f"{key}={value}"])) for value in ("null", "0.5", "1.0"))
    assert small == large != absent


@pytest.mark.parametrize("key", EXECUTION)
def test_a_pack_has_one_device_one_number_of_threads_and_one_compile_mode(key: str) -> None:
    shared = pack_key(another(key, EXECUTION[key])) == pack_key(compose())
    assert shared == (key not in ("device", "threads", "compile"))


def test_what_is_hashed_are_plain_values_under_the_yamls_names() -> None:
    values = essence(compose(["algorithm=trpo_2017"]))
    assert set(values) == {"env", "network", "algorithm", "seed", "total_steps"}
    assert values["env"] == {"suite": "mujoco", "id": "Hopper-v5", "time_limit": None}
    assert values["network"]["hidden"] == [32, 32]
    assert (values["algorithm"]["name"], values["algorithm"]["train_log_std"]) == ("trpo", False)
    assert "record" not in essence(compose())["algorithm"]
