"""Epochs of minibatches: samples of every lane in an order of its own, gathered by index in their own dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

S = TypeVar("S", bound=NamedTuple)  # a NamedTuple of tensors [L, B, ...]
Gather = Callable[[Any, np.ndarray, int], Iterator[Any]]


def shuffled(
    samples: S, orders: Sequence[np.random.Generator], size: int, gather: Gather | None = None
) -> Iterator[S]:
    """One epoch's minibatches of `size` samples, shuffled by each run's own stream."""
    count = samples[0].shape[1]
    return (gather or gathered)(samples, np.stack([generator.permutation(count) for generator in orders]), size)


def gathered(samples: S, order: np.ndarray, size: int) -> Iterator[S]:
    """Samples in each lane's order [L, multiple of size], by `size`: tensors [L, size, ...]."""
    lanes, count = samples[0].shape[:2]
    offset = order + np.arange(lanes)[:, None] * count
    index = torch.from_numpy(offset.reshape(lanes, -1, size).transpose(1, 0, 2).ravel()).to(samples[0].device)
    epoch = [_in_order(column, index, lanes, size) for column in samples]
    return (type(samples)(*minibatch) for minibatch in zip(*epoch, strict=True))


def one_by_one(samples: S, order: np.ndarray, size: int) -> Iterator[S]:
    """As `gathered`, each minibatch not before it is asked for: for samples too large to be copied as a whole."""
    lanes, count = samples[0].shape[:2]
    flat = [column.flatten(0, 1) for column in samples]
    offset = torch.from_numpy(order + np.arange(lanes)[:, None] * count).to(samples[0].device)
    for index in offset.split(size, 1):
        rows = (column.index_select(0, index.flatten()) for column in flat)  # whole rows: ten times as fast as [index]
        yield type(samples)(*(column.unflatten(0, (lanes, -1)) for column in rows))


def _in_order(column: Tensor, index: Tensor, lanes: int, size: int) -> Tensor:
    """A column [L, B, ...] by index [minibatches * L * size]: [minibatches, L, size, ...]."""
    shape = column.shape[2:]
    return column.reshape(-1, *shape).index_select(0, index).view(-1, lanes, size, *shape)
