"""Keys that do not go together are refused in one sentence; and what a config is once all conditions hold."""

from __future__ import annotations

import dataclasses

import pytest
from tests.ppo.test_config import every_algorithm, mapping_of

from ppo.config.algorithms import ALGORITHMS
from ppo.config.compose import compose, groups
from ppo.config.run import SURROGATES, Config, to_config, to_mapping
from ppo.errors import UserError

# -- conditions between keys -------------------------------------------------------------------------------------------

LOG = "is not possible: log(1 - epsilon) needs it below 1."
LEAST = "is below one iteration: at least {} is allowed."
DIVISOR = "does not divide num_actors * horizon = {}: a divisor is allowed."
SINGLE = "leaves nothing to normalize per minibatch: at least 2 is allowed."
SHARED = "is not possible: {} trains policy and value function by different rules; allowed is false."
ANNEALED = "is not possible: only ppo anneals it (Table 4); allowed is null."
TARGET = "is not possible: allowed is a number above 0 with lr_schedule=kl, null with others."
VARIANT = "is not possible with {}: take algorithm={}."
FIGURE_2 = "is not possible with {}: Figure 2 is of ppo's first update."
A2C_SIZE = "num_actors * horizon * updates = 16 * 5"


@pytest.mark.parametrize(
    ("others", "refused", "reason"),
    [
        ("surrogate=clip_log surrogate.reading=objective", "surrogate.epsilon=1.0", LOG),
        ("surrogate=clip_log surrogate.reading=objective", "surrogate.epsilon=1.5", LOG),
        ("algorithm.num_actors=4", "total_steps=8191", LEAST.format("num_actors * horizon = 4 * 2048 = 8192")),
        ("algorithm=random", "total_steps=2047", LEAST.format("num_actors * horizon = 1 * 2048 = 2048")),
        ("algorithm=trpo", "total_steps=1023", LEAST.format("num_actors * horizon = 1 * 1024 = 1024")),
        ("algorithm=trpo_2017", "total_steps=1023", LEAST.format("num_actors * horizon = 1 * 1024 = 1024")),
        ("algorithm=vpg algorithm.num_actors=4", "total_steps=2499", LEAST.format("batch_steps = 2500")),
        ("algorithm=cem", "total_steps=49", LEAST.format("num_actors = 50")),
        ("algorithm=a2c", "total_steps=1999", LEAST.format(f"{A2C_SIZE} * 25 = 2000")),
        ("algorithm=a2c_trust_region algorithm.updates=2", "total_steps=159", LEAST.format(f"{A2C_SIZE} * 2 = 160")),
        ("algorithm=ppo", "algorithm.minibatch_size=60", DIVISOR.format("1 * 2048 = 2048")),
        ("algorithm=trpo", "algorithm.value_minibatch_size=60", DIVISOR.format("1 * 1024 = 1024")),
        ("algorithm=trpo_2017", "algorithm.value_minibatch_size=60", DIVISOR.format("1 * 1024 = 1024")),
        ("algorithm.normalize_adv=minibatch", "algorithm.minibatch_size=1", SINGLE),
        *((f"algorithm={n}", "algorithm.network.shared=true", SHARED.format(n)) for n in ("trpo", "trpo_2017", "vpg")),
        *((f"algorithm={n}", "algorithm.network.log_std_final=-1.6", ANNEALED) for n in ALGORITHMS if n != "ppo"),
        ("algorithm=trpo", "algorithm.train_log_std=false", VARIANT.format("trpo", "trpo_2017")),
        ("algorithm=trpo_2017", "algorithm.train_log_std=true", VARIANT.format("trpo_2017", "trpo")),
        ("algorithm=a2c", "algorithm.trust_region=1.0", VARIANT.format("a2c", "a2c_trust_region")),
        ("algorithm=a2c_trust_region", "algorithm.trust_region=null", VARIANT.format("a2c_trust_region", "a2c")),
        ("algorithm.lr_schedule=constant", "algorithm.lr_kl_target=0.01", TARGET),
        ("algorithm.lr_schedule=linear", "algorithm.lr_kl_target=0.01", TARGET),
        ("algorithm.lr_schedule=kl", "algorithm.lr_kl_target=null", TARGET),
        *((f"algorithm={n}", "interpolation=true", FIGURE_2.format(n)) for n in ("random", "trpo", "cem")),
        ("algorithm=a2c", "algorithm.lr_schedule=kl", "is not possible: allowed is constant or linear."),
    ],
)
def test_keys_that_do_not_go_together_are_refused(others: str, refused: str, reason: str) -> None:
    with pytest.raises(UserError) as error:
        compose([*others.split(), refused])
    assert str(error.value) == f"{refused} {reason}"


@pytest.mark.parametrize(
    "overrides",
    [
        "surrogate=clip_log surrogate.reading=objective surrogate.epsilon=0.9",
        "surrogate=clip_log surrogate.reading=ratio surrogate.epsilon=1.5",
        "algorithm.num_actors=4 total_steps=8192",
        "algorithm=trpo total_steps=1024 algorithm.value_minibatch_size=1024",
        "algorithm=vpg total_steps=2500 algorithm.value_minibatch_size=60",  # a batch of whole episodes has no one size
        "algorithm=cem total_steps=50",
        "algorithm=a2c total_steps=2000",
        "algorithm.normalize_adv=batch algorithm.minibatch_size=1",
        *(f"algorithm={name} algorithm.network.shared=true" for name in ("ppo", "random", "a2c", "a2c_trust_region")),
        "algorithm.network.log_std_final=-1.6",
        "algorithm.lr_schedule=kl algorithm.lr_kl_target=0.01",
        "algorithm=a2c_trust_region algorithm.trust_region=0.1",
    ],
)
def test_keys_that_go_together_are_not(overrides: str) -> None:
    assert compose(overrides.split()).iterations >= 1


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
    ("name", "goal", "iterations"),
    [
        ("ppo", 10_240, 5),  # of 2048 steps
        ("random", 10_240, 5),
        ("trpo", 10_240, 10),  # of 1024
        ("trpo_2017", 10_240, 10),
        ("a2c", 12_000, 6),  # of 16 * 5 * 25
        ("a2c_trust_region", 12_000, 6),
        ("vpg", 10_001, 5),  # at most: of 2500 steps at least
        ("cem", 10_001, 201),  # at most: of 50 steps at least
    ],
)
def test_a_run_ends_with_an_iteration_and_where_its_length_is_open_at_total_steps(
    name: str, goal: int, iterations: int
) -> None:
    run = compose([f"algorithm={name}", "total_steps=10_001"])
    assert (run.goal, run.iterations) == (goal, iterations)


CHOICES = [*(f"surrogate={name}" for name in SURROGATES), *(f"algorithm={name}" for name in groups()["algorithm"])]


@pytest.mark.parametrize("choice", [*CHOICES, "run_dir=x"])
def test_a_config_and_its_mapping_are_the_same_run(choice: str) -> None:
    assert to_config(mapping_of(choice)) == compose([choice])


def test_every_algorithm_can_be_chosen_by_its_name() -> None:
    assert set(groups()["algorithm"]) >= set(ALGORITHMS)
    assert {name: compose([f"algorithm={name}"]).algorithm.name for name in ALGORITHMS} == {n: n for n in ALGORITHMS}


@every_algorithm
def test_an_algorithm_that_maximises_no_surrogate_has_none(name: str) -> None:
    run = compose([f"algorithm={name}"])
    assert (run.surrogate is None) == ("surrogate" not in to_mapping(run)) == (name != "ppo")


@pytest.mark.parametrize("part", ["", "env", "algorithm", "surrogate", "execution"])
def test_nothing_writes_to_a_config(part: str) -> None:
    run: Config = compose()
    target = getattr(run, part) if part else run
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(target, dataclasses.fields(target)[0].name, None)
