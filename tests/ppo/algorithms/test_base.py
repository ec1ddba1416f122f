"""What a learner starts from, and what an algorithm says of its batch."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppo.algorithms.base import product
from ppo.config import choices
from ppo.config.compose import compose
from tests.ppo.handmade import box, pack_of


def test_a_key_that_may_differ_is_a_number_for_each_lane_and_nothing_where_it_is_null() -> None:
    own = (["algorithm.trust_region=0.5"], ["algorithm.trust_region=null"])
    pack = pack_of([compose(["algorithm=a2c", *overrides]) for overrides in own], box(3, 2))
    assert pack.per_run("lr").tolist() == [7e-4, 7e-4]
    assert pack.per_run("lr").dtype == np.float64
    np.testing.assert_array_equal(pack.per_run("trust_region"), [0.5, np.nan])
    assert pack.per_run("trust_region", absent=math.inf).tolist() == [0.5, math.inf]


def test_the_most_steps_of_an_episode_are_the_tasks() -> None:
    for overrides, limit in (([], 1000), (["env=reacher"], 50), (["env.time_limit=7"], 7)):
        assert pack_of([compose(overrides)], box(3, 2)).episode_limit == limit


def test_a_product_is_told_with_its_factors() -> None:
    assert product(num_actors=3, horizon=20) == (60, "num_actors * horizon = 3 * 20 = 60")
    assert product(batch_steps=7) == (7, "batch_steps = 7")


@pytest.mark.parametrize(
    ("overrides", "steps", "gradient_steps"),
    [
        (["algorithm=ppo"], 2048, 320),
        (["algorithm=ppo", "algorithm.num_actors=2", "algorithm.minibatch_size=128"], 4096, 320),
        (["algorithm=cem", "algorithm.num_actors=20"], 20, 0),
        (["algorithm=random", "algorithm.horizon=100"], 100, 0),
        (["algorithm=a2c", "algorithm.num_actors=4", "algorithm.horizon=5", "algorithm.updates=3"], 60, 3),
    ],
)
def test_the_size_of_an_iteration_follows_from_its_keys(overrides: list[str], steps: int, gradient_steps: int) -> None:
    batch = compose(overrides).algorithm.batch
    assert (batch.steps, batch.gradient_steps) == (steps, gradient_steps)
    assert batch.words.endswith(f"= {steps}")


@pytest.mark.parametrize("name", [n for n in choices.algorithm.names() if "/" not in n])
def test_every_column_is_declared_once_and_those_that_are_summed_are_columns(name: str) -> None:
    algorithm = choices.algorithm.find(name, "algorithm.name")
    assert len(set(algorithm.columns)) == len(algorithm.columns)
    assert set(algorithm.summed) <= {*algorithm.columns, "skipped"}
