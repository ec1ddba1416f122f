"""Every key of a run is checked: a mistake is told in one sentence that names key, value and what is allowed."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from ppo.compose import compose
from ppo.config import SURROGATES, Config, to_config, to_mapping
from ppo.errors import UserError
from ppo.settings import ALGORITHMS

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
    ("algorithm.lr_schedule", "cosine", "constant or linear"),
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
    ("surrogate.epsilon", 0, f"{POSITIVE} or null"),
    ("surrogate.reading", "log", "ratio or objective or null"),
    ("surrogate.d_targ", -0.01, f"{POSITIVE} or null"),
    ("surrogate.beta", float("inf"), f"{POSITIVE} or null"),
    ("algorithm.policy", "trained", "untrained or uniform"),
]


def changed(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """`values` with another value at a dotted key."""
    values = copy.deepcopy(values)
    node = values
    *path, leaf = key.split(".")
    for name in path:
        node = node[name]
    node[leaf] = value
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
    if key == "algorithm.policy":
        return to_mapping(compose(["algorithm=random"]))
    group, _, leaf = key.partition(".")
    kind = next((name for name, keys in SURROGATES.items() if group == "surrogate" and leaf in keys), "clip")
    return to_mapping(compose([f"surrogate={kind}"]))


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
    keys = set().union(*(dotted(to_mapping(compose([choice]))) for choice in choices))
    assert keys - {key for key, _, _ in RULES} == {"algorithm.name", "surrogate.name"}


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("algorithm.name", "pop", "algorithm.name=pop is unknown: did you mean ppo? allowed: ppo, random."),
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
    assert complaint(changed(to_mapping(compose()), key, value)) == sentence


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
    sentence = complaint(changed(to_mapping(compose()), key, 1))
    assert sentence.startswith(f"unknown key {key}: did you mean {nearest}")
    assert "allowed: " in sentence


def test_a_run_written_down_before_there_was_interpolation_can_be_replayed() -> None:
    values = to_mapping(compose())
    del values["interpolation"]
    assert to_config(values) == compose()


@pytest.mark.parametrize(
    "key", sorted(dotted(to_mapping(compose())) - {"algorithm.name", "surrogate.name", "interpolation"})
)
def test_a_key_left_out_is_refused(key: str) -> None:
    values = to_mapping(compose())
    node = values
    *path, leaf = key.split(".")
    for name in path:
        node = node[name]
    del node[leaf]
    assert complaint(values).startswith(f"{key} is missing: ")


# -- conditions between keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_has_its_own_coefficients_and_no_others(name: str) -> None:
    values = to_mapping(compose([f"surrogate={name}"]))
    for key, value in {"epsilon": 0.2, "reading": "ratio", "d_targ": 0.01, "beta": 1.0}.items():
        if key in SURROGATES[name]:
            missing = complaint(changed(values, f"surrogate.{key}", None))
            assert missing == f"surrogate.{key} is missing: surrogate {name} needs it."
        else:
            extra = complaint(changed(values, f"surrogate.{key}", value))
            assert extra == f"surrogate.{key}={value} is not possible: surrogate {name} has no {key}."


@pytest.mark.parametrize("epsilon", [1.0, 1.5])
def test_one_minus_epsilon_must_have_a_logarithm(epsilon: float) -> None:
    values = to_mapping(compose(["surrogate=clip_log", f"surrogate.epsilon={epsilon}"]))
    sentence = complaint(changed(values, "surrogate.reading", "objective"))
    assert sentence == f"surrogate.epsilon={epsilon} is not possible: log(1 - epsilon) needs it below 1."


def test_a_run_is_one_iteration_at_least() -> None:
    sentence = complaint(to_mapping(compose(["algorithm.num_actors=4"])) | {"total_steps": 8191})
    size = "num_actors * horizon = 4 * 2048 = 8192"
    assert sentence == f"total_steps=8191 is below one iteration: at least {size} is allowed."
    assert to_config(to_mapping(compose(["algorithm.num_actors=4"])) | {"total_steps": 8192}).iterations == 1


def test_a_minibatch_must_divide_the_batch() -> None:
    sentence = complaint(changed(to_mapping(compose()), "algorithm.minibatch_size", 60))
    size = "num_actors * horizon = 1 * 2048 = 2048"
    assert sentence == f"algorithm.minibatch_size=60 does not divide {size}: a divisor is allowed."


def test_a_single_sample_cannot_be_normalised() -> None:
    single = changed(to_mapping(compose()), "algorithm.minibatch_size", 1)
    assert to_config(single).algorithm.minibatch_size == 1
    sentence = complaint(changed(single, "algorithm.normalize_adv", "minibatch"))
    assert sentence == "algorithm.minibatch_size=1 leaves nothing to normalize per minibatch: at least 2 is allowed."


# -- a config ----------------------------------------------------------------------------------------------------------


def test_the_default_run_is_the_papers_table_3() -> None:
    run, ppo = compose(), compose().algorithm
    assert (ppo.horizon, ppo.num_actors, ppo.epochs, ppo.minibatch_size) == (2048, 1, 10, 64)
    assert (ppo.lr, ppo.gamma, ppo.lam, ppo.adam_epsilon, ppo.c1, ppo.c2) == (3e-4, 0.99, 0.95, 1e-5, 1.0, 0.0)
    assert (ppo.lr_schedule, ppo.epsilon_schedule, ppo.time_limit) == ("constant", "constant", "terminal")
    assert (ppo.network.hidden, ppo.network.shared, ppo.network.log_std) == ((64, 64), False, 0.0)
    assert (ppo.normalize_adv, ppo.normalize_obs, ppo.normalize_reward) == ("batch", True, False)
    assert (ppo.max_grad_norm, ppo.value_clip) == (None, None)
    assert (run.surrogate.name, run.surrogate.epsilon, run.total_steps) == ("clip", 0.2, 1_000_000)


def test_a_run_is_rounded_up_to_whole_iterations() -> None:
    assert compose().iterations == 489
    assert compose(["total_steps=4096"]).iterations == 2
    assert compose(["total_steps=4097"]).iterations == 3


@pytest.mark.parametrize(
    "overrides", [[], *([f"surrogate={name}"] for name in SURROGATES), ["algorithm=random"], ["run_dir=x"]]
)
def test_a_config_and_its_mapping_are_the_same_run(overrides: list[str]) -> None:
    run = compose(overrides)
    assert to_config(to_mapping(run)) == run


def test_an_algorithm_that_maximises_no_surrogate_has_none() -> None:
    run = compose(["algorithm=random"])
    assert run.surrogate is None
    assert "surrogate" not in to_mapping(run)


@pytest.mark.parametrize("part", ["", "env", "algorithm", "surrogate", "execution"])
def test_nothing_writes_to_a_config(part: str) -> None:
    run: Config = compose()
    target = getattr(run, part) if part else run
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(target, dataclasses.fields(target)[0].name, None)
