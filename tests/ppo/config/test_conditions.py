"""Keys that do not go together are refused in one sentence; and how long a run is."""

from __future__ import annotations

import pytest

from ppo.config.compose import compose
from ppo.errors import UserError

DIVISOR = "a divisor of num_actors * horizon = {}"
A2C_SIZE = "num_actors * horizon * updates = 16 * 5"
RULES = "false with {}, which trains policy and value function by different rules"
TARGET = "only lr_schedule=kl has a target"


@pytest.mark.parametrize(
    ("others", "refused", "reason"),
    [
        ("surrogate=clip_log surrogate.reading=objective", "surrogate.epsilon=1.0", "a number below 1"),
        ("surrogate=clip_log surrogate.reading=objective", "surrogate.epsilon=1.5", "a number below 1"),
        ("algorithm.num_actors=4", "total_steps=8191", "num_actors * horizon = 4 * 2048 = 8192"),
        ("algorithm=random", "total_steps=2047", "num_actors * horizon = 1 * 2048 = 2048"),
        ("algorithm=trpo", "total_steps=1023", "num_actors * horizon = 1 * 1024 = 1024"),
        ("algorithm=trpo_2017", "total_steps=1023", "num_actors * horizon = 1 * 1024 = 1024"),
        ("algorithm=vpg algorithm.num_actors=4", "total_steps=2499", "batch_steps = 2500"),
        ("algorithm=cem", "total_steps=49", "num_actors = 50"),
        ("algorithm=a2c", "total_steps=1999", f"{A2C_SIZE} * 25 = 2000"),
        ("algorithm=a2c_trust_region algorithm.updates=2", "total_steps=159", f"{A2C_SIZE} * 2 = 160"),
        ("algorithm=ppo", "algorithm.minibatch_size=60", DIVISOR.format("1 * 2048 = 2048")),
        ("algorithm=trpo", "algorithm.value_minibatch_size=60", DIVISOR.format("1 * 1024 = 1024")),
        ("algorithm.normalize_adv=minibatch", "algorithm.minibatch_size=1", "at least 2 with normalize_adv=minibatch"),
        *((f"algorithm={name}", "network.shared=true", RULES.format(name)) for name in ("trpo", "vpg")),
        ("algorithm=cem", "network.shared=true", "false with cem, which has no value function"),
        ("algorithm.lr_schedule=constant", "algorithm.lr_kl_target=0.01", TARGET),
        ("algorithm.lr_schedule=linear", "algorithm.lr_kl_target=0.01", TARGET),
        ("algorithm.lr_schedule=kl", "algorithm.lr_kl_target=null", "a number above 0 with lr_schedule=kl"),
        ("", "algorithm.record=[interpolation,interpolation]", "each name once"),
        ("algorithm=a2c", "algorithm.lr_schedule=kl", "constant or linear"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(others: str, refused: str, reason: str) -> None:
    with pytest.raises(UserError) as error:
        compose([*others.split(), refused])
    sentence = str(error.value)
    assert sentence.startswith(f"{refused} is invalid: expected ")
    assert reason in sentence


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
        *(f"algorithm={name} network.shared=true" for name in ("ppo", "a2c", "a2c_trust_region")),
        "algorithm.log_std_final=-1.6",
        "algorithm.lr_schedule=kl algorithm.lr_kl_target=0.01",
        "algorithm=a2c algorithm.trust_region=0.1",
        "algorithm=trpo algorithm.train_log_std=false",
    ],
)
def test_keys_that_go_together_are_not(overrides: str) -> None:
    assert compose(overrides.split()).iterations >= 1


# -- length ------------------------------------------------------------------------------------------------------------


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
