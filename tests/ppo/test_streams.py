"""Every random draw of a run comes from a stream of its own, so that what one purpose draws never shifts another."""

from __future__ import annotations

import numpy as np

from ppo.streams import Streams, get_state, make_streams, set_state


def draws(streams: Streams) -> list[list[float]]:
    return [list(g.random(4)) for g in (streams.init, streams.action, streams.order, *streams.envs)]


def test_a_seed_names_its_streams() -> None:
    assert draws(make_streams(3, 2)) == draws(make_streams(3, 2))
    assert draws(make_streams(3, 2)) != draws(make_streams(4, 2))


def test_no_two_purposes_share_a_stream() -> None:
    numbers = np.concatenate([draws(make_streams(seed, 3)) for seed in range(5)])
    assert len(np.unique(numbers)) == numbers.size


def test_more_actors_leave_the_streams_of_the_others_alone() -> None:
    assert draws(make_streams(3, 5))[:5] == draws(make_streams(3, 2))


def test_what_one_purpose_draws_does_not_shift_another() -> None:
    streams = make_streams(0, 1)
    streams.action.random(1000)
    assert list(streams.order.random(4)) == list(make_streams(0, 1).order.random(4))


def test_a_stream_put_back_goes_on_with_the_same_numbers() -> None:
    generator, other = make_streams(0, 1).order, make_streams(1, 1).order
    generator.permutation(10)
    set_state(other, get_state(generator))
    assert list(other.permutation(100)) == list(generator.permutation(100))
