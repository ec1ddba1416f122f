"""Every key of a run is checked: a mistake is one sentence that names the key, the value and what is expected."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from ppo.config import choices
from ppo.config.compose import compose, groups
from ppo.config.flatten import flatten
from ppo.config.run import Config, to_config, to_mapping
from ppo.errors import UserError, shown

COUNT, LOOPS = "an integer from 1 to 1000000000", "an integer from 1 to 1000000"
SEED = f"an integer from 0 to {2**128 - 1}"
POSITIVE, SCALE, LOG_STD = "a number from 1e-30 to 1e30", "a number from 1e-30 to 1e6", "a number from -40 to 40"
NOT_NEGATIVE, FRACTION = f"0 or {POSITIVE}", "a number from 0 to 1"
STEPS = f"an integer from 1 to {2**53}"
FOLDER = "a folder other than the root, its names of at most 255 printable bytes"
SIZES = "a list of integers from 1 to 1000000000"
ALGORITHMS, SURROGATES = choices.algorithm.names(), choices.surrogate.names()

# key, an invalid value, what is expected: one line at least for every key there is
RULES: list[tuple[str, Any, str]] = [
    ("env.suite", "roboschool", "atari, gymnasium, mujoco"),
    ("env.id", None, "a string"),
    ("env.time_limit", 0, f"{COUNT} or null"),
    ("seed", -1, SEED),
    ("seed", 2**128, SEED),
    ("seed", 0.5, SEED),
    ("total_steps", 0, STEPS),
    ("total_steps", 2**53 + 1, STEPS),
    ("total_steps", 1e23, STEPS),
    ("outputs", None, FOLDER),
    ("run_dir", True, f"{FOLDER} or null"),
    ("resume", "no", "true or false or force"),
    ("device", "tpu", "cpu or cuda"),
    ("threads", 0, "an integer from 1 to 1024"),
    ("compile", "always", "auto or true or false"),
    ("checkpoint_seconds", -1, "a number from 0 to 1e9"),
    ("step_seconds", 0, "a number from 0.001 to 1e9"),
    ("network.hidden", [10**10], SIZES),
    ("network.hidden", {}, SIZES),
    ("network.hidden", 64, SIZES),
    ("network.hidden", [64, 0], SIZES),
    ("network.shared", "yes", "true or false"),
    ("network.activation", "gelu", "tanh or relu"),
    ("network.precision", "float16", "float32"),
    ("algorithm.horizon", 0, COUNT),
    ("algorithm.horizon", 0.5, COUNT),
    ("algorithm.num_actors", "many", COUNT),
    ("algorithm.time_limit", "ignore", "terminal or bootstrap"),
    ("algorithm.gamma", 1.01, FRACTION),
    ("algorithm.lam", -0.1, FRACTION),
    ("algorithm.normalize_adv", True, "batch or actor or minibatch or none"),
    ("algorithm.reward", "clipped", "raw or sign"),
    ("algorithm.normalize_reward", "ppo2", "true or false"),
    ("algorithm.normalize_obs", 1, "true or false"),
    ("algorithm.epochs", 0, LOOPS),
    ("algorithm.minibatch_size", -64, COUNT),
    ("algorithm.lr", 0, SCALE),
    ("algorithm.lr", 1e-300, SCALE),
    ("algorithm.lr", 1e300, SCALE),
    ("algorithm.lr", float("inf"), SCALE),
    ("algorithm.lr_schedule", "cosine", "constant or linear or kl"),
    ("algorithm.lr_kl_target", 0, f"{POSITIVE} or null"),
    ("algorithm.epsilon_schedule", None, "constant or linear"),
    ("algorithm.adam_epsilon", 0, POSITIVE),
    ("algorithm.c1", -1, NOT_NEGATIVE),
    ("algorithm.c2", float("nan"), NOT_NEGATIVE),
    ("algorithm.max_grad_norm", 0, f"{POSITIVE} or null"),
    ("algorithm.value_clip", -0.2, f"{POSITIVE} or null"),
    ("algorithm.log_std", float("-inf"), LOG_STD),
    ("algorithm.log_std_final", float("nan"), f"{LOG_STD} or null"),
    ("algorithm.policy_scale", 0, SCALE),
    ("algorithm.policy_scale", 1e300, SCALE),
    ("algorithm.record", "interpolation", "a list of interpolation"),
    ("algorithm.record", ["line"], "a list of interpolation"),
    ("surrogate.epsilon", 0, POSITIVE),
    ("surrogate.reading", "log", "ratio or objective"),
    ("surrogate.d_targ", -0.01, POSITIVE),
    ("surrogate.beta", float("inf"), POSITIVE),
    ("algorithm.policy", "trained", "untrained or uniform"),
    # TRPO
    ("algorithm.max_kl", 0, POSITIVE),
    ("algorithm.cg_iterations", 0, LOOPS),
    ("algorithm.damping", -0.1, POSITIVE),
    ("algorithm.fisher_stride", 0, COUNT),
    ("algorithm.backtracks", 2.5, LOOPS),
    ("algorithm.kl_slack", 0, POSITIVE),
    ("algorithm.train_log_std", "no", "true or false"),
    ("algorithm.value_epochs", 0, LOOPS),
    ("algorithm.value_minibatch_size", 0, COUNT),
    ("algorithm.value_lr", None, SCALE),
    # VPG
    ("algorithm.batch_steps", 0, COUNT),
    ("algorithm.kl_target", float("inf"), POSITIVE),
    # A2C
    ("algorithm.updates", 0, LOOPS),
    ("algorithm.rms_decay", 1.1, FRACTION),
    ("algorithm.rms_epsilon", 0, POSITIVE),
    ("algorithm.trust_region", 0, f"{POSITIVE} or null"),
    ("algorithm.average_decay", -0.1, FRACTION),
    # CEM
    ("algorithm.elite_fraction", 1.5, FRACTION),
    ("algorithm.initial_variance", 0, POSITIVE),
    ("algorithm.extra_std", -0.01, NOT_NEGATIVE),
    ("algorithm.extra_until", 2, FRACTION),
]
YOUNGER = {"step_seconds", "algorithm.record", "algorithm.reward"}  # keys added after runs were published


CHOSEN = [*(f"surrogate={name}" for name in SURROGATES), *(f"algorithm={name}" for name in ALGORITHMS)]
every_algorithm = pytest.mark.parametrize("name", ALGORITHMS)


def changed(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """`values` with another value at a dotted key."""
    values, leaf = copy.deepcopy(values), key.rpartition(".")[2]
    group_of(values, key)[leaf] = value
    return values


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    """`values` without a dotted key."""
    values, leaf = copy.deepcopy(values), key.rpartition(".")[2]
    del group_of(values, key)[leaf]
    return values


def group_of(values: dict[str, Any], key: str) -> dict[str, Any]:
    """The group that a dotted key is in."""
    for name in key.split(".")[:-1]:
        values = values[name]
    return values


def complaint(values: dict[str, Any]) -> str:
    """The sentence that a mapping is refused with."""
    with pytest.raises(UserError) as error:
        to_config(values)
    sentence = str(error.value)
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    return sentence


def mapping_with(key: str) -> dict[str, Any]:
    """A run that has this key."""
    return next(values for values in map(mapping_of, ("surrogate=clip", *CHOSEN)) if key in flatten(values))


def mapping_of(*overrides: str) -> dict[str, Any]:
    return to_mapping(compose(overrides))


@pytest.mark.parametrize(("key", "value", "expected"), RULES)
def test_an_invalid_value_is_refused_with_key_value_and_what_is_expected(key: str, value: Any, expected: str) -> None:
    assert complaint(changed(mapping_with(key), key, value)) == f"{key}={shown(value)} is invalid: expected {expected}."


def test_every_key_of_every_run_has_a_line_in_the_table_above() -> None:
    keys = {key for choice in CHOSEN for key in flatten(mapping_of(choice))}
    assert {key for key, _, _ in RULES} == keys - {"algorithm.name", "surrogate.name", "network.name"}


@every_algorithm
def test_what_is_invalid_for_one_algorithm_is_so_for_all_that_have_the_key(name: str) -> None:
    values = mapping_of(f"algorithm={name}")
    for key, value, _ in RULES:
        if key in flatten(values):
            assert complaint(changed(values, key, value)).startswith(f"{key}={shown(value)} is invalid: expected ")


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("algorithm.name", "pop", ["algorithm.name=pop is invalid", "a2c, cem, ppo", "Did you mean ppo?"]),
        ("surrogate.name", "klip", ["surrogate.name=klip is invalid", "kl_adaptive", "Did you mean clip"]),
        ("network.name", "cnn", ["network.name=cnn is invalid", "mlp"]),
        ("algorithm", {}, ["algorithm.name is missing", "ppo"]),
        ("surrogate", "clip", ["surrogate=clip is invalid", "a mapping of keys with a name"]),
        ("network", None, ["network=null is invalid", "a mapping of keys with a name"]),
        ("env", 5, ["env=5 is invalid", "a mapping of keys with a suite"]),
    ],
)
def test_an_unknown_or_missing_name_is_refused(key: str, value: Any, words: list[str]) -> None:
    sentence = complaint(changed(mapping_of(), key, value))
    assert all(word in sentence for word in words)


@pytest.mark.parametrize("group", ["env", "network", "algorithm"])
def test_a_missing_group_is_refused(group: str) -> None:
    assert complaint(without(mapping_of(), group)).startswith(f"{group} is missing: ")


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("algorithm.gama", "algorithm.gamma"),
        ("network.hiden", "network.hidden"),
        ("surrogate.epsilom", "surrogate.epsilon"),
        ("env.timelimit", "env.time_limit"),
        ("total_step", "total_steps"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_one_named(key: str, nearest: str) -> None:
    sentence = complaint(changed(mapping_of(), key, 1))
    assert sentence.startswith(f"unknown key {key}: expected ")
    assert f"Did you mean {nearest}" in sentence


@every_algorithm
def test_a_younger_key_left_out_is_neutral_and_any_other_is_refused(name: str) -> None:
    values = mapping_of(f"algorithm={name}")
    for key in flatten(values):
        if key in YOUNGER:
            assert to_config(without(values, key)) == to_config(values)
        else:
            assert complaint(without(values, key)).startswith(f"{key} is missing: ")


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_has_its_own_coefficients_and_no_others(name: str) -> None:
    values = mapping_of(f"surrogate={name}")
    own = {key.partition(".")[2] for key in flatten(values) if key.startswith("surrogate.")}
    for key in {"epsilon", "reading", "d_targ", "beta"} - own:
        assert complaint(changed(values, f"surrogate.{key}", 0.2)).startswith(f"unknown key surrogate.{key}")


@every_algorithm
def test_an_algorithm_that_maximises_no_surrogate_can_have_none(name: str) -> None:
    values = mapping_of(f"algorithm={name}")
    assert ("surrogate" in values) == choices.algorithm.find(name, "algorithm").takes_surrogate
    if "surrogate" not in values:
        assert "surrogate" in complaint(values | {"surrogate": {"name": "none"}})


# -- a config ----------------------------------------------------------------------------------------------------------


def test_the_default_run_is_the_papers_table_3() -> None:
    run, ppo = compose(), compose().algorithm
    assert (ppo.horizon, ppo.num_actors, ppo.epochs, ppo.minibatch_size) == (2048, 1, 10, 64)
    assert (ppo.lr, ppo.gamma, ppo.lam, ppo.adam_epsilon, ppo.c1, ppo.c2) == (3e-4, 0.99, 0.95, 1e-5, 1.0, 0.0)
    assert (ppo.lr_schedule, ppo.epsilon_schedule, ppo.time_limit) == ("constant", "constant", "terminal")
    assert (run.network.hidden, run.network.shared, ppo.log_std) == ((64, 64), False, 0.0)
    assert (ppo.normalize_adv, ppo.normalize_obs, ppo.normalize_reward) == ("batch", True, False)
    assert (ppo.max_grad_norm, ppo.value_clip, ppo.record) == (None, None, ())
    assert (run.surrogate.name, run.surrogate.epsilon, run.total_steps) == ("clip", 0.2, 1_000_000)


@pytest.mark.parametrize("choice", [*(f"algorithm={name}" for name in groups()["algorithm"]), *CHOSEN, "run_dir=x"])
def test_a_config_and_its_mapping_are_the_same_run(choice: str) -> None:
    assert to_config(mapping_of(choice)) == compose([choice])


@pytest.mark.parametrize("part", ["", "env", "network", "algorithm", "surrogate", "execution"])
def test_nothing_writes_to_a_config(part: str) -> None:
    run: Config = compose()
    target = getattr(run, part) if part else run
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(target, dataclasses.fields(target)[0].name, None)
