"""Every key of a run is checked: a mistake is told in one sentence that names key, value and what is allowed."""

from __future__ import annotations

import copy
from functools import reduce
from typing import Any

import pytest

from ppo.config.algorithms import ALGORITHMS
from ppo.config.compose import compose
from ppo.config.run import SURROGATES, to_config, to_mapping
from ppo.errors import UserError

COUNT, NATURAL, POSITIVE = "a whole number of at least 1", "a whole number of at least 0", "a number above 0"
NOT_NEGATIVE, FRACTION = "a number of at least 0", "a number from 0 to 1"

# key, a value that is not possible, what is allowed: one line at least for every key there is
RULES: list[tuple[str, Any, str]] = [
    ("env.suite", "roboschool", "mujoco or gymnasium"),
    ("env.id", None, "a text"),
    ("env.time_limit", 0, f"{COUNT} or null"),
    ("seed", -1, NATURAL),
    ("seed", 0.5, NATURAL),
    ("total_steps", 0, COUNT),
    ("outputs", None, "a text"),
    ("run_dir", True, "a text or null"),
    ("resume", "no", "true or false"),
    ("device", "tpu", "cpu or cuda"),
    ("threads", 0, COUNT),
    ("compile", "always", "auto or true or false"),
    ("checkpoint_seconds", -1, NOT_NEGATIVE),
    ("interpolation", "first", "true or false"),
    ("algorithm.horizon", 0, COUNT),
    ("algorithm.horizon", 0.5, COUNT),
    ("algorithm.num_actors", "many", COUNT),
    ("algorithm.time_limit", "ignore", "terminal or bootstrap"),
    ("algorithm.gamma", 1.01, FRACTION),
    ("algorithm.lam", -0.1, FRACTION),
    ("algorithm.normalize_adv", True, "batch or minibatch or none"),
    ("algorithm.normalize_reward", "ppo2", "true or false"),
    ("algorithm.normalize_obs", 1, "true or false"),
    ("algorithm.epochs", 0, COUNT),
    ("algorithm.minibatch_size", -64, COUNT),
    ("algorithm.lr", 0, POSITIVE),
    ("algorithm.lr", float("inf"), POSITIVE),
    ("algorithm.lr_schedule", "cosine", "constant or linear or kl"),
    ("algorithm.lr_kl_target", 0, f"{POSITIVE} or null"),
    ("algorithm.epsilon_schedule", None, "constant or linear"),
    ("algorithm.adam_epsilon", 0, POSITIVE),
    ("algorithm.c1", -1, NOT_NEGATIVE),
    ("algorithm.c2", float("nan"), NOT_NEGATIVE),
    ("algorithm.max_grad_norm", 0, f"{POSITIVE} or null"),
    ("algorithm.value_clip", -0.2, f"{POSITIVE} or null"),
    ("algorithm.network.hidden", 64, "a list of whole numbers of at least 1"),
    ("algorithm.network.hidden", [64, 0], "a list of whole numbers of at least 1"),
    ("algorithm.network.shared", "yes", "true or false"),
    ("algorithm.network.log_std", float("-inf"), "a finite number"),
    ("algorithm.network.log_std_final", float("nan"), "a finite number or null"),
    ("algorithm.network.activation", "gelu", "tanh or relu"),
    ("algorithm.network.policy_scale", 0, POSITIVE),
    ("surrogate.epsilon", 0, f"{POSITIVE} or null"),
    ("surrogate.reading", "log", "ratio or objective or null"),
    ("surrogate.d_targ", -0.01, f"{POSITIVE} or null"),
    ("surrogate.beta", float("inf"), f"{POSITIVE} or null"),
    ("algorithm.policy", "trained", "untrained or uniform"),
    # TRPO
    ("algorithm.max_kl", 0, POSITIVE),
    ("algorithm.cg_iterations", 0, COUNT),
    ("algorithm.damping", -0.1, POSITIVE),
    ("algorithm.fisher_stride", 0, COUNT),
    ("algorithm.backtracks", 2.5, COUNT),
    ("algorithm.kl_slack", 0, POSITIVE),
    ("algorithm.train_log_std", "no", "true or false"),
    ("algorithm.value_epochs", 0, COUNT),
    ("algorithm.value_minibatch_size", 0, COUNT),
    ("algorithm.value_lr", None, POSITIVE),
    # VPG
    ("algorithm.batch_steps", 0, COUNT),
    ("algorithm.kl_target", float("inf"), POSITIVE),
    # A2C
    ("algorithm.updates", 0, COUNT),
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
LATER: dict[str, Any] = {  # keys that came later -> their default, which runs that were written down before have
    "interpolation": False,
    "algorithm.lr_kl_target": None,
    "algorithm.network.log_std_final": None,
    "algorithm.network.activation": "tanh",
    "algorithm.network.policy_scale": 0.01,
}


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
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def mapping_with(key: str) -> dict[str, Any]:
    """A run that has this key."""
    choices = [*(f"surrogate={name}" for name in ("clip", *SURROGATES)), *(f"algorithm={name}" for name in ALGORITHMS)]
    return next(values for values in map(mapping_of, choices) if key in dotted(values))


def mapping_of(*overrides: str) -> dict[str, Any]:
    return to_mapping(compose(overrides))


def dotted(values: dict[str, Any], path: str = "") -> set[str]:
    """All dotted keys that hold a value."""
    parts = (dotted(v, f"{path}{k}.") if isinstance(v, dict) else {f"{path}{k}"} for k, v in values.items())
    return set().union(*parts)


@pytest.mark.parametrize(("key", "value", "allowed"), RULES)
def test_an_impossible_value_is_refused_with_key_value_and_what_is_allowed(key: str, value: Any, allowed: str) -> None:
    shown = "null" if value is None else value
    sentence = complaint(changed(mapping_with(key), key, value))
    assert sentence == f"{key}={shown} is not possible: allowed is {allowed}."


def test_every_key_of_every_run_has_a_line_in_the_table_above() -> None:
    choices = [*(f"surrogate={name}" for name in SURROGATES), *(f"algorithm={name}" for name in ALGORITHMS)]
    keys = set().union(*(dotted(mapping_of(choice)) for choice in choices))
    assert {key for key, _, _ in RULES} == keys - {"algorithm.name", "surrogate.name"}


@every_algorithm
def test_what_is_impossible_for_one_algorithm_is_so_for_all_that_have_the_key(name: str) -> None:
    values = mapping_of(f"algorithm={name}")
    for key, value, _ in RULES:
        if key in dotted(values):
            shown = "null" if value is None else value
            assert complaint(changed(values, key, value)).startswith(f"{key}={shown} is not possible: allowed is ")


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "algorithm.name",
            "pop",
            "algorithm.name=pop is unknown: did you mean ppo? "
            "allowed: a2c, a2c_trust_region, cem, ppo, random, trpo, trpo_2017, vpg.",
        ),
        (
            "surrogate.name",
            "klip",
            "surrogate.name=klip is unknown: did you mean clip? allowed: clip, clip_log, kl_adaptive, kl_fixed, none.",
        ),
        ("algorithm", {}, "algorithm.name is missing: a group of keys with a name is needed."),
        ("surrogate", "clip", "surrogate.name is missing: a group of keys with a name is needed."),
        ("env", 5, "env=5 is not possible: it is a group of keys."),
    ],
)
def test_an_unknown_or_missing_name_is_refused(key: str, value: Any, sentence: str) -> None:
    assert complaint(changed(mapping_of(), key, value)) == sentence


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("algorithm.gama", "gamma"),
        ("algorithm.network.hiden", "hidden"),
        ("surrogate.epsilom", "epsilon"),
        ("env.timelimit", "time_limit"),
        ("total_step", "total_steps"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_one_named(key: str, nearest: str) -> None:
    sentence = complaint(changed(mapping_of(), key, 1))
    assert sentence.startswith(f"unknown key {key}: did you mean {nearest}")
    assert "allowed: " in sentence


@pytest.mark.parametrize("name", ["ppo", "random"])  # the algorithms of that time
def test_a_run_written_down_before_there_were_the_later_keys_can_be_replayed(name: str) -> None:
    values = mapping_of(f"algorithm={name}")
    had = {key: default for key, default in LATER.items() if key in dotted(values)}
    assert had.keys() >= {"interpolation", "algorithm.network.activation"}
    for key, default in had.items():
        assert group_of(values, key)[key.rpartition(".")[2]] == default
        assert to_config(without(values, key)) == compose([f"algorithm={name}"])
    assert to_config(reduce(without, had, values)) == compose([f"algorithm={name}"])


@every_algorithm
def test_a_later_key_left_out_is_at_its_default(name: str) -> None:
    values = mapping_of(f"algorithm={name}")
    for key in LATER.keys() & dotted(values):
        again = to_mapping(to_config(without(values, key)))
        assert again == changed(values, key, LATER[key])


@every_algorithm
def test_any_other_key_left_out_is_refused(name: str) -> None:
    values = mapping_of(f"algorithm={name}")
    for key in dotted(values) - LATER.keys():
        assert complaint(without(values, key)).startswith(f"{key} is missing: ")


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_has_its_own_coefficients_and_no_others(name: str) -> None:
    values = mapping_of(f"surrogate={name}")
    for key, value in {"epsilon": 0.2, "reading": "ratio", "d_targ": 0.01, "beta": 1.0}.items():
        if key in SURROGATES[name]:
            missing = complaint(changed(values, f"surrogate.{key}", None))
            assert missing == f"surrogate.{key} is missing: surrogate {name} needs it."
        else:
            extra = complaint(changed(values, f"surrogate.{key}", value))
            assert extra == f"surrogate.{key}={value} is not possible: surrogate {name} has no {key}."
