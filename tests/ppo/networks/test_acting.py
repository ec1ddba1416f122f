"""Acting: the pack's NumPy path is each run's own network, and actions have the same bits wherever they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppo.envs.base import Actions
from ppo.errors import UserError
from ppo.networks.acting import PolicyActor, UniformActor
from ppo.networks.bodies.mlp import MLP
from ppo.networks.flat import FlatNetwork, Head
from tests.ppo.handmade import box, choice

LANES, ACTORS = 4, 2
BOUNDED = Actions(2, False, np.array([-1.0, 0.0]), np.array([1.0, 10.0]))


@pytest.mark.parametrize(("discrete", "size"), [(False, 3), (False, 1), (True, 3)])
@pytest.mark.parametrize(
    ("body", "log_std"),
    [
        (MLP((64, 64), "tanh", False, "float32"), -0.5),
        (MLP((64, 33), "relu", False, "float32"), -0.5),
        (MLP((7,), "tanh", True, "float32"), 0.3),
        (MLP((), "tanh", False, "float32"), 0.0),
    ],
)
def test_the_packs_acting_path_is_each_runs_own_policy(body: MLP, log_std: float, discrete: bool, size: int) -> None:
    flat = FlatNetwork((choice if discrete else box)(5, size), body, Head(0.01, log_std))
    generator = torch.Generator().manual_seed(0)
    theta = torch.stack([flat.init(generator) for _ in range(LANES)])
    theta += 0.3 * torch.randn(theta.shape, generator=generator)
    obs = torch.randn(LANES, ACTORS, 5, generator=generator)
    actor = PolicyActor(flat, theta)
    draws = np.stack([actor.draw(np.random.default_rng(i), (9, ACTORS)) for i in range(LANES)])
    noise = actor.noise(draws)
    for t in range(9):
        action = actor(obs.numpy(), noise[:, t])
        for lane in range(LANES):
            dist = flat.policy(theta[lane], obs[lane])
            drawn = torch.from_numpy(draws[lane, t])
            if discrete:
                cumulative = torch.softmax(dist, -1).cumsum(-1)
                expected = torch.searchsorted(cumulative, drawn, right=True).clamp(max=2)
            else:
                expected = dist[:, :size] + dist[:, size:].exp() * drawn
            torch.testing.assert_close(torch.from_numpy(action[lane]), expected.float())


@pytest.mark.parametrize("size", [1, 2, 6])
def test_an_action_has_the_same_bits_in_whatever_lane_and_wherever_in_memory(size: int) -> None:
    flat = FlatNetwork(box(11, size), MLP((64, 33), "tanh", False, "float32"), Head(0.01, 0.0))
    theta = flat.init(torch.Generator().manual_seed(0))
    obs = np.random.default_rng(0).standard_normal((1, 1, 11), dtype=np.float32)
    actions = set()
    for lanes in range(2, 34):
        actor = PolicyActor(flat, theta.expand(lanes, -1))
        row = actor(np.repeat(obs, lanes, 0), np.zeros((lanes, 1, size), np.float32))
        actions |= {lane.tobytes() for lane in row}
    assert len(actions) == 1


def test_a_unit_of_relu_that_is_off_passes_nothing_on() -> None:
    flat = FlatNetwork(box(2, 2), MLP((2,), "relu", False, "float32"), Head(0.01, 0.0))
    theta = torch.zeros(1, sum(flat.sizes))
    for name in ("policy_trunk.layers.0.weight", "policy_head.weight"):
        flat.unflatten(theta)[name][:] = torch.eye(2)
    obs = np.array([[[3.0, -4.0], [-5.0, 6.0]]], np.float32)
    action = PolicyActor(flat, theta)(obs, np.zeros((1, 2, 2), np.float32))
    assert action.tolist() == [[[3.0, 0.0], [0.0, 6.0]]]
    assert obs[0, 0, 1] == -4  # what was observed is not written to


def test_an_actor_refreshed_acts_with_the_new_parameters() -> None:
    flat = FlatNetwork(box(1, 2), MLP((3,), "tanh", False, "float32"), Head(0.01, 0.0))
    theta = torch.stack([flat.init(torch.Generator().manual_seed(i)) for i in range(2 * LANES)])
    actor, obs, still = PolicyActor(flat, theta[:LANES]), np.ones((LANES, ACTORS, 1), np.float32), np.zeros((1, 1, 2))
    actor.refresh(theta[LANES:])
    assert np.array_equal(actor(obs, still), PolicyActor(flat, theta[LANES:])(obs, still))
    assert not np.array_equal(actor(obs, still), PolicyActor(flat, theta[:LANES])(obs, still))


def test_uniform_actions_fill_the_bounds_whatever_is_observed() -> None:
    actor = UniformActor(BOUNDED)
    action = actor(np.empty(0), actor.noise(actor.draw(np.random.default_rng(0), (10_000,))))
    np.testing.assert_allclose(action.min(0), [-1.0, 0.0], rtol=0, atol=0.01)
    np.testing.assert_allclose(action.max(0), [1.0, 10.0], rtol=0, atol=0.01)
    np.testing.assert_allclose(action.mean(0), [0.0, 5.0], rtol=0, atol=0.1)


def test_actions_without_bounds_cannot_be_uniform() -> None:
    with pytest.raises(UserError, match=r"algorithm\.policy=uniform is invalid: expected untrained.* no bounds"):
        UniformActor(BOUNDED._replace(high=np.array([1.0, np.inf])))


def test_uniform_choices_are_equally_frequent() -> None:
    actor = UniformActor(choice(1, 4).action)
    drawn = actor.noise(actor.draw(np.random.default_rng(0), (10_000,)))
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [0, 1, 2, 3]
    assert counts.min() > 2300
