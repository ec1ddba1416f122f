"""A2C on frames: one run's update in place is the one that packs have, and the average policy is optional."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ppo.algorithms.a2c.learner import Coefficients, Parameters, Samples
from ppo.learning.lanes import of
from ppo.pack import Pack
from tests.ppo.blocks import A2C, blocks, game  # noqa: F401

pytestmark = pytest.mark.usefixtures("blocks")


def pack_of(*lanes: list[str]) -> Pack:
    configs = [game([*A2C, "algorithm.c2=0.01", *own]) for own in lanes]
    return Pack(configs, np.zeros(1 + len(configs), np.uint32), compiled=False)


class Spy:
    """Keeps what the first update is given."""

    def __init__(self, learner: Any) -> None:
        self.take, learner._update = learner._update, self
        self.parameters: Parameters | None = None
        self.learner = learner

    def __call__(self, samples: Samples, coefficients: Coefficients) -> Any:
        if self.parameters is None:
            self.parameters = Parameters(*(x.clone() for x in self.learner.parameters))
            self.samples, self.coefficients = samples, coefficients
        return self.take(samples, coefficients)


@pytest.mark.parametrize("bound", ["null", "1e-6"])
def test_in_place_the_update_is_the_one_that_is_mapped_over_packs(bound: str) -> None:
    pack = pack_of([f"algorithm.trust_region={bound}"])
    learner, spy = pack.learner, Spy(pack.learner)
    learner.schema = learner.pack.schemas[0]
    pack.iterate()
    assert spy.parameters is not None
    one = [of(0, argument) for argument in (spy.parameters, spy.samples, spy.coefficients)]
    with torch.no_grad():
        new, stats = learner._update_one(*one)
        mine = Parameters(*(x.clone() for x in one[0]))
        seen = learner._update_in_place(mine, one[1], one[2], bound != "null")
    torch.testing.assert_close(mine.theta, new.theta, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(mine.mean_square, new.mean_square)
    if bound != "null":
        torch.testing.assert_close(mine.average, new.average, rtol=1e-5, atol=1e-7)
    for name in ("objective", "value_loss", "entropy", "grad_norm", "clip_fraction"):
        torch.testing.assert_close(getattr(seen, name), getattr(stats, name))
    assert not torch.equal(mine.theta, one[0].theta)


def test_without_a_trust_region_there_is_no_average_policy_and_no_kl_from_it() -> None:
    pack = pack_of([], ["algorithm.trust_region=1"])
    start = pack.learner.parameters.average.clone()
    columns = pack.iterate().columns[-1]
    moved = (pack.learner.parameters.average != start).any(1)
    assert moved.tolist() == [False, True]
    assert np.isnan(columns["kl"]).tolist() == [True, False]
    assert columns["skipped"].tolist() == [0, 0]


def test_a_gradient_that_is_not_finite_moves_nothing_and_is_counted() -> None:
    pack = pack_of([], [])
    learner = pack.learner
    learner.parameters.theta[0, 0] = float("nan")
    before = Parameters(*(x.clone() for x in learner.parameters))
    columns = pack.iterate().columns[0]
    assert columns["skipped"].tolist() == [1, 0]
    assert torch.equal(learner.parameters.mean_square[0], before.mean_square[0])
    assert torch.equal(learner.parameters.theta[0, 1:], before.theta[0, 1:])
    assert not torch.equal(learner.parameters.theta[1], before.theta[1])
