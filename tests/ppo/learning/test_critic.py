"""The critic against values and advantages computed by hand, and batches of which not everything counts."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ppo.data import Floats, PackSpec, Rollout
from ppo.learning.critic import Batch, Critic, explained_variance
from ppo.learning.filters import ObsFilter
from tests.ppo.handmade import filter_of, rollout_of, vectors

GAMMA, LAM = (0.5, 0.9), (0.5, 0.8)  # of two runs


def make_critic(time_limit: str = "terminal") -> Critic:
    """The value of an observation is theta times its sum."""
    network: Any = SimpleNamespace(body=SimpleNamespace(mapped="vmap"), value=lambda theta, obs: theta * obs.sum(-1))
    schemas = [SimpleNamespace(gamma=g, lam=lam, time_limit=time_limit) for g, lam in zip(GAMMA, LAM, strict=True)]
    configs: Any = [SimpleNamespace(algorithm=schema) for schema in schemas]
    return Critic(PackSpec(configs, network, THETA, [], compiled=False))


THETA = torch.tensor([2.0, 10.0])
IDENTITY = ObsFilter(2, vectors(1), "off")


def make_rollout(
    obs: list[float], reward: list[float], *, terminated: int | None = None, truncated: int | None = None,
    final_obs: list[float] | None = None, stepped: list[bool] | None = None,
) -> Rollout:  # fmt: skip
    """The same experience of one actor in both lanes; an episode ends after the step numbered `terminated`."""

    def both(values: list[Any], *columns: int) -> Any:
        return np.array([values, values]).reshape(2, len(values), 1, *columns)

    steps = range(len(reward))
    return Rollout(
        obs=both(obs, 1).astype(float),
        final_obs=None if final_obs is None else both(final_obs, 1).astype(float),
        action=torch.zeros(2, len(reward), 1, 1),
        reward=both(reward).astype(float),
        terminated=both([t == terminated for t in steps]),
        truncated=both([t == truncated for t in steps]),
        stepped=None if stepped is None else both(stepped),
        taken=np.full(2, len(reward)),
        episodes=[[], []],
    )


def discounted(delta: list[float], weight: float) -> list[float]:
    """delta_t + weight * delta_{t+1} + weight^2 * delta_{t+2} + ..."""
    return [sum(weight**k * d for k, d in enumerate(delta[t:])) for t in range(len(delta))]


# -- estimates ---------------------------------------------------------------------------------------------------------


def test_three_steps_of_two_runs_by_hand() -> None:
    batch = make_critic().estimate(THETA, make_rollout([1, 2, 3, 4], [10, 20, 30]), IDENTITY)
    assert batch.value.tolist() == [[2, 4, 6], [10, 20, 30]]
    # r + gamma V' - V: the first run has V = 2, 4, 6, 8, the second one 10, 20, 30, 40
    first = discounted([10 + 0.5 * 4 - 2, 20 + 0.5 * 6 - 4, 30 + 0.5 * 8 - 6], 0.5 * 0.5)
    second = discounted([10 + 0.9 * 20 - 10, 20 + 0.9 * 30 - 20, 30 + 0.9 * 40 - 30], 0.9 * 0.8)
    np.testing.assert_allclose(batch.adv, [first, second], rtol=1e-12)
    np.testing.assert_allclose(batch.value_target, batch.adv + batch.value, rtol=1e-12)
    assert batch.weight is None


@pytest.mark.parametrize("how", ["terminated", "truncated"])
def test_an_ended_episode_has_no_future_where_time_limits_are_terminal(how: str) -> None:
    rollout = make_rollout([1, 2, 3, 4], [10, 20, 30], **{how: 1})
    batch = make_critic().estimate(THETA, rollout, IDENTITY)
    first = [*discounted([10 + 0.5 * 4 - 2, 20 - 4], 0.25), 30 + 0.5 * 8 - 6]
    np.testing.assert_allclose(batch.adv[0], first, rtol=1e-12)


def test_a_time_limit_that_is_bootstrapped_leaves_the_value_of_the_last_observation() -> None:
    critic = make_critic("bootstrap")
    assert critic.bootstraps
    assert not make_critic().bootstraps
    final = [2, 7, 4]  # where the second step led to, before the reset that shows 3
    for how, future in (("truncated", 0.5 * 14), ("terminated", 0.0)):
        rollout = make_rollout([1, 2, 3, 4], [10, 20, 30], final_obs=final, **{how: 1})
        batch = critic.estimate(THETA, rollout, IDENTITY)
        first = [*discounted([10 + 0.5 * 4 - 2, 20 + future - 4], 0.25), 30 + 0.5 * 8 - 6]
        np.testing.assert_allclose(batch.adv[0], first, rtol=1e-12)


def test_other_rewards_may_take_the_place_of_the_rollouts() -> None:
    rollout, others = make_rollout([1, 2, 3, 4], [0, 0, 0]), np.array([10.0, 20.0, 30.0])
    replaced = make_critic().estimate(THETA, rollout, IDENTITY, np.stack([others, others])[..., None])
    expected = make_critic().estimate(THETA, make_rollout([1, 2, 3, 4], [10, 20, 30]), IDENTITY)
    np.testing.assert_array_equal(replaced.adv, expected.adv)


def test_values_are_those_of_filtered_observations() -> None:
    obs_filter = filter_of(2, 1)
    obs_filter.update(rollout_of(np.random.default_rng(0).normal(3.0, 2.0, (2, 1000, 1))))
    rollout = make_rollout([1, 2, 3, 4], [10, 20, 30])
    seen = obs_filter(rollout.obs[:, :-1, 0])[..., 0]
    np.testing.assert_allclose(
        make_critic().estimate(THETA, rollout, obs_filter).value, THETA.numpy()[:, None] * seen, rtol=1e-6
    )


def test_samples_are_in_order_of_time_and_then_of_actors() -> None:
    rng = np.random.default_rng(0)
    obs, reward, none = rng.normal(size=(2, 4, 3, 1)), rng.normal(size=(2, 3, 3)), np.zeros((2, 3, 3), bool)
    action = torch.zeros(2, 3, 3, 1)
    rollout = Rollout(obs, None, action, reward, none, none, None, np.full(2, 9), [[], []])
    together = make_critic().estimate(THETA, rollout, IDENTITY)
    for actor in range(3):
        at = slice(actor, actor + 1)
        own = rollout._replace(
            obs=obs[:, :, at], reward=reward[:, :, at], terminated=none[:, :, at], truncated=none[:, :, at]
        )
        alone = make_critic().estimate(THETA, own, IDENTITY)
        np.testing.assert_array_equal(together.adv[:, actor::3], alone.adv)
        np.testing.assert_array_equal(together.value[:, actor::3], alone.value)


@pytest.mark.parametrize("time_limit", ["terminal", "bootstrap"])
@pytest.mark.parametrize("how", ["terminated", "truncated"])
def test_what_counts_is_estimated_as_if_there_were_nothing_else(time_limit: str, how: str) -> None:
    rest, final = [0.0, 0.0], [2, 7, 0, 0] if time_limit == "bootstrap" else None
    rollout = make_rollout(
        [1, 2, *rest, 9], [10, 20, *rest], final_obs=final, stepped=[True, True, False, False], **{how: 1}
    )
    short = make_rollout([1, 2, 9], [10, 20], final_obs=final and final[:2], **{how: 1})
    ours, theirs = (make_critic(time_limit).estimate(THETA, r, IDENTITY) for r in (rollout, short))
    assert ours.weight.tolist() == [[1, 1, 0, 0]] * 2
    for name in ("adv", "value", "value_target"):
        np.testing.assert_array_equal(getattr(ours, name)[:, :2], getattr(theirs, name))


# -- explained variance ------------------------------------------------------------------------------------------------


def made_of(value: Floats, target: Floats, weight: Floats | None = None) -> Batch:
    return Batch(np.empty(0), torch.empty(0), np.empty(0), value, target, weight)


def test_explained_variance_by_hand() -> None:
    value, target = np.array([[1.0, 2.0, 3.0, 3.0], [0.0] * 4]), np.array([[1.0, 2.0, 3.0, 4.0], [5.0] * 4])
    explained = explained_variance(made_of(value, target))["explained_variance"]
    assert explained[0] == pytest.approx(1 - 0.1875 / 1.25)
    assert math.isnan(explained[1])


def test_explained_variance_with_weights_is_that_of_the_samples_that_count() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(5.0, 2.0, (3, 400))
    value = target + rng.normal(size=target.shape)
    weight = np.ones_like(target)
    weight[0, 250:], weight[1, ::3] = 0, 0
    explained = explained_variance(made_of(value, target, weight))["explained_variance"]
    for lane in range(3):
        counts = weight[lane : lane + 1] > 0
        alone = explained_variance(made_of(value[None, lane][counts][None], target[None, lane][counts][None]))
        assert explained[lane] == pytest.approx(alone["explained_variance"][0], rel=1e-12)


def test_where_nothing_counts_no_variance_is_explained() -> None:
    value, target = np.random.default_rng(0).normal(size=(2, 1, 10))
    assert np.isnan(explained_variance(made_of(value, target, np.zeros((1, 10))))["explained_variance"]).all()
