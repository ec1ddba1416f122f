"""Acting lane by lane: each run's own policy, all outputs are kept, and lanes at rest are not asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ppo.data import PackSpec, Space
from ppo.envs.base import Actions, Spec
from ppo.networks.bodies.cnn import A3C
from ppo.networks.flat import FlatNetwork, Head
from ppo.networks.looped import LoopActor, policy_actor
from tests.ppo.networks.test_convolutions import frames

LANES, ACTORS, STEPS = 3, 4, 2  # of fewer than four frames products are computed otherwise, and round differently
FRAMES = Space((84, 84, 4), np.dtype(np.uint8))
CHOICES = Spec(FRAMES, Actions(6, True, np.zeros(1), np.full(1, 5.0)))
BOX = Spec(FRAMES, Actions(2, False, -np.ones(2), np.ones(2)))


def actor_of(spec: Spec = CHOICES, *, shared: bool = True, active: Any = None) -> LoopActor:
    network = FlatNetwork(spec, A3C(shared, "float32"), Head(1.0, 0.3))
    theta = network.stack([network.init(torch.Generator().manual_seed(lane)) for lane in range(LANES)])
    configs: Any = [None] * LANES
    actor = policy_actor(PackSpec(configs, network, theta, [], compiled=False, active=active))
    assert isinstance(actor, LoopActor)
    return actor


def acted(actor: LoopActor, obs: np.ndarray) -> np.ndarray:
    """Actions [L, T, N, action] for obs [L, T, N, ...], every lane drawing from a stream of its own."""
    draws = np.stack([actor.draw(np.random.default_rng(lane), (STEPS, ACTORS)) for lane in range(LANES)])
    noise = actor.noise(draws)
    return np.stack([actor(obs[:, t], noise[:, t]) for t in range(STEPS)], 1)


OBS = frames(LANES * STEPS * ACTORS).numpy().reshape(LANES, STEPS, ACTORS, *FRAMES.shape)


@pytest.mark.parametrize("spec", [CHOICES, BOX], ids=["choices", "box"])
@pytest.mark.parametrize("shared", [True, False])
def test_what_is_kept_is_what_each_runs_network_says_of_each_frame(spec: Spec, shared: bool) -> None:
    actor = actor_of(spec, shared=shared)
    actions, outputs = acted(actor, OBS), actor.outputs()
    for lane in range(LANES):
        obs = torch.from_numpy(OBS[lane]).flatten(0, 1)
        dist, value = actor.network(actor.pack.theta[lane], obs)
        assert torch.equal(outputs.dist[lane].flatten(0, 1), dist)
        np.testing.assert_array_equal(outputs.value[lane].ravel(), value)
        draws = actor.draw(np.random.default_rng(lane), (STEPS, ACTORS))
        if spec is BOX:
            mean, log_std = dist.numpy()[:, :2], dist.numpy()[:, 2:]
            expected = mean + np.exp(log_std) * draws.reshape(-1, 2)
            np.testing.assert_allclose(actions[lane].reshape(-1, 2), expected, rtol=1e-6)
        else:
            cumulative = torch.softmax(dist, -1).cumsum(-1)
            expected = torch.searchsorted(cumulative, torch.from_numpy(draws.reshape(-1, 1)), right=True)
            np.testing.assert_array_equal(actions[lane].reshape(-1, 1), expected)


def test_a_new_rollout_begins_with_nothing_said() -> None:
    actor = actor_of()
    acted(actor, OBS)
    first = actor.outputs().value.copy()
    acted(actor, OBS[:, ::-1])
    np.testing.assert_array_equal(actor.outputs().value, first[:, ::-1])


def test_a_lane_that_is_no_longer_in_training_is_not_asked() -> None:
    active = np.array([True, True, True])
    actor, every = actor_of(active=active), actor_of()
    active[1] = False
    actor.prepared[1] = actor.prepared[1]._replace(policy=None)  # which would raise
    actions, all_actions = acted(actor, OBS), acted(every, OBS)
    np.testing.assert_array_equal(actions[[0, 2]], all_actions[[0, 2]])
    assert not actions[1].any()
    assert not actor.outputs().dist[1].any()


def test_refreshed_it_acts_with_the_new_parameters() -> None:
    actor, other = actor_of(), actor_of()
    theta = actor.pack.theta.flip(0)
    actor.refresh(theta)
    acted(actor, OBS)
    acted(other, OBS)
    for lane in range(LANES):
        value = actor.network.value(theta[lane], torch.from_numpy(OBS[lane]).flatten(0, 1))
        np.testing.assert_array_equal(actor.outputs().value[lane].ravel(), value)
    assert not np.array_equal(actor.outputs().value[0], other.outputs().value[0])
