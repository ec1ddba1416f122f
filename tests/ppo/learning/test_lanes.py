"""One run's function for a whole pack: all lanes at once, or one by one, those in training only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ppo.data import PackSpec
from ppo.learning.adam import AdamState
from ppo.learning.lanes import AT_ONCE, alone, groups, of, over_lanes, over_samples

LANES = 3


def pack_of(mapped: str, active: Any = None) -> PackSpec:
    network: Any = SimpleNamespace(body=SimpleNamespace(mapped=mapped))
    configs: Any = [None] * LANES
    return PackSpec(configs, network, torch.zeros(LANES, 1), [], compiled=False, active=active)


def line(theta: Tensor, obs: Tensor) -> Tensor:
    return obs @ theta


@pytest.mark.parametrize("mapped", ["vmap", "loop"])
def test_samples_of_all_lanes_are_evaluated_each_by_its_own_parameters(mapped: str) -> None:
    theta, obs = torch.arange(6.0).reshape(LANES, 2), torch.rand(LANES, 2 * AT_ONCE + 5, 2)
    found = over_samples(line, pack_of(mapped))(theta, obs)
    torch.testing.assert_close(found, torch.einsum("lbi,li->lb", obs, theta))


def test_one_by_one_no_more_samples_are_evaluated_at_once_than_agreed() -> None:
    sizes = []

    def spy(theta: Tensor, obs: Tensor) -> Tensor:
        sizes.append(len(obs))
        return line(theta, obs)

    over_samples(spy, pack_of("loop"))(torch.ones(LANES, 2), torch.ones(LANES, AT_ONCE + 1, 2))
    assert sizes == [AT_ONCE, 1] * LANES


def test_lanes_that_are_done_are_neither_evaluated_nor_updated() -> None:
    active = np.ones(LANES, bool)
    pack, calls = pack_of("loop", active), []

    def spy(theta: Tensor, obs: Tensor) -> Tensor:
        calls.append(float(theta[0]))
        return line(theta, obs)

    evaluate = over_samples(spy, pack)
    active[1] = False
    found = evaluate(torch.arange(3.0).reshape(LANES, 1), torch.ones(LANES, 2, 1))
    assert calls == [0.0, 2.0]
    assert found.tolist() == [[0, 0], [0, 0], [2, 2]]
    assert list(groups(pack)) == [slice(0, 1), slice(2, 3)]


def test_all_lanes_of_a_vectorised_pack_are_one_group_and_its_arguments_are_passed_on_untouched() -> None:
    theta = torch.zeros(LANES, 2)
    (lanes,) = groups(pack_of("vmap", np.array([True, False, True])))
    assert of(lanes, theta) is theta


@pytest.mark.parametrize("mapped", ["vmap", "loop"])
def test_functions_of_several_named_tensors_are_mapped_too(mapped: str) -> None:
    def function(x: Tensor, state: AdamState) -> Tensor:
        return x * state.m + state.steps

    state = AdamState(torch.ones(LANES, 2), torch.zeros(LANES, 2), torch.arange(3.0))
    found = over_lanes(function, pack_of(mapped).network)(torch.full((LANES, 2), 5.0), state)
    assert found.tolist() == [[5, 5], [6, 6], [7, 7]]


def test_a_step_of_one_lane_writes_to_that_lanes_rows() -> None:
    theta, state = torch.zeros(LANES, 2), AdamState.zeros(torch.zeros(LANES, 2))

    def step(row: Tensor, adam: AdamState) -> None:
        row += 1
        adam.steps.add_(1)

    lanes = slice(1, 2)
    alone(step)(of(lanes, theta), of(lanes, state))
    assert theta.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert state.steps.tolist() == [0, 1, 0]
