"""The random streams of one run: every draw comes from the run's own seed, so no pack-mate can change it (law 1)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Generator = np.random.Generator


class Streams(NamedTuple):
    """Independent generators, one per purpose, so that what one purpose draws never shifts another."""

    init: Generator  # network weights
    action: Generator  # noise of the policy
    order: Generator  # minibatch permutations
    envs: list[Generator]  # initial states, one per actor


def make_streams(seed: int, num_actors: int) -> Streams:
    """The streams of the run with this seed."""
    init, action, order, *envs = np.random.SeedSequence(seed).spawn(3 + num_actors)
    make = np.random.default_rng
    return Streams(make(init), make(action), make(order), [make(s) for s in envs])


def get_state(generator: Generator) -> dict[str, Any]:
    """A generator's state as plain values."""
    return dict(generator.bit_generator.state)


def set_state(generator: Generator, state: dict[str, Any]) -> None:
    """Put a generator back to a state of `get_state`."""
    generator.bit_generator.state = state
