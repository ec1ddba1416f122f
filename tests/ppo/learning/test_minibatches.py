"""Minibatches: each run's samples in the order of its own stream, gathered in whatever dtype they have."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from ppo.data import Bools
from ppo.learning.minibatches import gathered, one_by_one, shuffled


class Rows(NamedTuple):
    """Samples [L, B, ...]."""

    obs: Tensor
    scalar: Tensor


def numbered(lanes: int, count: int, shape: tuple[int, ...] = (2,), dtype: torch.dtype = torch.float32) -> Rows:
    """Samples that say their lane and number, in the scalar and in every entry of the observation."""
    scalar = torch.arange(lanes)[:, None] * 1000.0 + torch.arange(count)
    number = torch.arange(count) % 256
    return Rows(number.to(dtype).view(1, count, *[1] * len(shape)).expand(lanes, count, *shape).clone(), scalar)


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def order(minibatches: list[Rows]) -> Bools:
    """The numbers of the samples in the order in which they came, by lane."""
    return torch.cat([m.scalar % 1000 for m in minibatches], 1).numpy()


def test_an_epoch_is_each_runs_samples_in_the_order_of_its_own_stream() -> None:
    minibatches = list(shuffled(numbered(3, 12), generators(0, 1, 0), 4))
    assert [m.obs.shape for m in minibatches] == [(3, 4, 2)] * 3
    for m in minibatches:
        assert torch.equal(m.scalar // 1000, torch.arange(3.0)[:, None].expand(3, 4))
        assert torch.equal(m.obs[..., 0], m.scalar % 1000)
    first, second, third = order(minibatches).tolist()
    assert first == np.random.default_rng(0).permutation(12).tolist() == third
    assert second == np.random.default_rng(1).permutation(12).tolist() != first


def test_a_streams_next_epoch_has_another_order() -> None:
    streams = generators(0, 1)
    epochs = [order(list(shuffled(numbered(2, 12), streams, 6))) for _ in range(2)]
    assert (epochs[0] != epochs[1]).any(1).all()
    assert (np.sort(epochs[0], 1) == np.arange(12)).all()


def test_frames_are_gathered_as_bytes_in_their_own_shape() -> None:
    samples = numbered(2, 24, shape=(4, 8, 8), dtype=torch.uint8)
    for m in shuffled(samples, generators(0, 1), 8):
        assert m.obs.dtype == torch.uint8
        assert m.obs.shape == (2, 8, 4, 8, 8)
        assert torch.equal(m.obs[..., 0, 0, 0].float(), m.scalar % 1000)
        assert (m.obs == m.obs[..., :1, :1, :1]).all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_no_tensor_larger_than_the_samples_themselves_is_made(dtype: torch.dtype) -> None:
    """One copy in the new order, and no float of a byte: the minibatches of an epoch are views of one memory."""
    samples = numbered(2, 16, shape=(6,), dtype=dtype)
    minibatches = list(shuffled(samples, generators(0, 1), 4))
    storages = {m.obs.untyped_storage().data_ptr() for m in minibatches}
    assert len(storages) == 1
    assert minibatches[0].obs.untyped_storage().nbytes() == samples.obs.numel() * samples.obs.element_size()


def test_an_order_may_be_given_and_name_a_sample_twice() -> None:
    wanted = np.array([[3, 3, 0, 1], [2, 1, 0, 2]])
    minibatches = list(gathered(numbered(2, 4), wanted, 2))
    assert order(minibatches).tolist() == wanted.tolist()


def test_one_by_one_minibatches_are_those_of_a_whole_epoch_each_gathered_when_it_is_asked_for() -> None:
    samples = numbered(2, 24, shape=(4, 8), dtype=torch.uint8)
    together = list(shuffled(samples, generators(0, 1), 8))
    for m, expected in zip(shuffled(samples, generators(0, 1), 8, one_by_one), together, strict=True):
        assert m.obs.dtype == torch.uint8
        assert all(torch.equal(a, b) for a, b in zip(m, expected, strict=True))
        assert m.obs.untyped_storage().nbytes() == 2 * 8 * 4 * 8
