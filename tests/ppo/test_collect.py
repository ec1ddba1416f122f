"""Collecting: the pack's acting path is the network's, and episodes are counted across rollouts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppo.collect import Collector, Episode, Length, PolicyActor, Rollout, UniformActor, not_finite
from ppo.config.algorithms import Network
from ppo.envs.base import Bools, Floats, Spec, Step
from ppo.errors import UserError
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from ppo.streams import make_streams

LANES, ACTORS = 4, 2
SPEC = Spec(1, 2, False, np.array([-1.0, 0.0]), np.array([1.0, 10.0]))


class Clockwork:
    """Observes a clock; the reward is its time, and an episode ends every third step, by turns in both ways."""

    spec, restores_exactly = SPEC, True

    def __init__(self) -> None:
        self.time = np.zeros((LANES, ACTORS))
        self.actions: list[Floats] = []
        self.failures: dict[int, Exception] = {}

    def look(self) -> Floats:
        return self.time[..., None].copy()

    def reset(self) -> Floats:
        return self.look()

    def step(self, action: Floats) -> Step:
        self.actions.append(action.copy())
        self.time += 1
        over, final = self.time % 3 == 0, self.look() - 0.5
        odd = self.time % 6 == 3
        return Step(self.look(), self.time.copy(), over & odd, over & ~odd, final)

    def set_active(self, lanes: Bools) -> None:
        """All are."""


class Recorder:
    """Acts with what it is pushed, and keeps what it observed."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def noise(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.standard_normal((*shape, 2), dtype=np.float32)

    def push(self, noise: np.ndarray) -> np.ndarray:
        return 5 * noise

    def __call__(self, obs: np.ndarray, push: np.ndarray, /) -> np.ndarray:
        self.seen.append(obs.copy())
        return push


def make_collector() -> Collector:
    return Collector(Clockwork(), [make_streams(seed, ACTORS) for seed in range(LANES)])


def collect(collector: Collector, horizon: int, before: int = 0, *, keep_final: bool = False) -> Rollout:
    steps = np.full(LANES, before)
    obs_filter, length = ObsFilter(LANES, 1, enabled=True), Length(horizon)
    return collector.collect(Recorder(), obs_filter, length, steps=steps, keep_final=keep_final)


# -- acting ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("discrete", "size"), [(False, 3), (False, 1), (True, 3)])
@pytest.mark.parametrize(
    "network",
    [
        Network((64, 64), shared=False, log_std=-0.5),
        Network((64, 33), shared=False, log_std=-0.5, activation="relu"),
        Network((7,), shared=True, log_std=0.3),
        Network((), False, 0.0),
    ],
)
def test_the_packs_acting_path_equals_each_runs_own_policy(network: Network, discrete: bool, size: int) -> None:
    flat = FlatNetwork(Spec(5, size, discrete, np.zeros(size), np.ones(size)), network)
    generator = torch.Generator().manual_seed(0)
    theta = torch.stack([flat.init(generator) for _ in range(LANES)])
    theta += 0.3 * torch.randn(theta.shape, generator=generator)
    obs = torch.randn(LANES, ACTORS, 5, generator=generator)
    actor = PolicyActor(flat, theta)
    noise = np.stack([actor.noise(np.random.default_rng(i), (9, ACTORS)) for i in range(LANES)])
    push = actor.push(noise)
    for t in range(9):
        action = actor(obs.numpy(), push[:, t])
        for lane in range(LANES):
            dist = flat.policy(theta[lane], obs[lane])
            drawn = torch.from_numpy(noise[lane, t])
            if discrete:
                cumulative = torch.softmax(dist, -1).cumsum(-1)
                expected = torch.searchsorted(cumulative, drawn, right=True).clamp(max=2)
            else:
                expected = dist[:, :size] + dist[:, size:].exp() * drawn
            torch.testing.assert_close(torch.from_numpy(action[lane]), expected.float())


@pytest.mark.parametrize("size", [1, 2, 6])
def test_an_action_has_the_same_bits_in_whatever_lane_and_wherever_in_memory(size: int) -> None:
    flat = FlatNetwork(Spec(11, size, False, np.zeros(size), np.ones(size)), Network((64, 33), False, 0.0))
    theta = flat.init(torch.Generator().manual_seed(0))
    obs = np.random.default_rng(0).standard_normal((1, 1, 11), dtype=np.float32)
    actions = set()
    for lanes in range(2, 34):
        actor = PolicyActor(flat, theta.expand(lanes, -1))
        row = actor(np.repeat(obs, lanes, 0), np.zeros((lanes, 1, size), np.float32))
        actions |= {lane.tobytes() for lane in row}
    assert len(actions) == 1


def test_a_unit_of_relu_that_is_off_passes_nothing_on() -> None:
    flat = FlatNetwork(Spec(2, 2, False, -np.ones(2), np.ones(2)), Network((2,), False, 0.0, activation="relu"))
    theta = torch.zeros(1, sum(flat.sizes))
    for name in ("policy_trunk.layers.0.weight", "policy_head.weight"):
        flat.unflatten(theta)[name][:] = torch.eye(2)
    obs = np.array([[[3.0, -4.0], [-5.0, 6.0]]], np.float32)
    action = PolicyActor(flat, theta)(obs, np.zeros((1, 2, 2), np.float32))
    assert action.tolist() == [[[3.0, 0.0], [0.0, 6.0]]]
    assert obs[0, 0, 1] == -4  # what was observed is not written to


def test_an_actor_refreshed_acts_with_the_new_parameters() -> None:
    flat = FlatNetwork(SPEC, Network((3,), shared=False, log_std=0.0))
    theta = torch.stack([flat.init(torch.Generator().manual_seed(i)) for i in range(2 * LANES)])
    actor, obs, push = PolicyActor(flat, theta[:LANES]), np.ones((LANES, ACTORS, 1), np.float32), np.zeros((1, 1, 2))
    actor.refresh(theta[LANES:])
    assert np.array_equal(actor(obs, push), PolicyActor(flat, theta[LANES:])(obs, push))
    assert not np.array_equal(actor(obs, push), PolicyActor(flat, theta[:LANES])(obs, push))


def test_uniform_actions_fill_the_bounds_whatever_is_observed() -> None:
    actor = UniformActor(SPEC)
    action = actor(np.empty(0), actor.push(actor.noise(np.random.default_rng(0), (10_000,))))
    np.testing.assert_allclose(action.min(0), [-1.0, 0.0], rtol=0, atol=0.01)
    np.testing.assert_allclose(action.max(0), [1.0, 10.0], rtol=0, atol=0.01)
    np.testing.assert_allclose(action.mean(0), [0.0, 5.0], rtol=0, atol=0.1)


def test_actions_without_bounds_cannot_be_uniform() -> None:
    with pytest.raises(UserError, match=r"algorithm\.policy=uniform is not possible: .* no bounds; use untrained"):
        UniformActor(SPEC._replace(high=np.array([1.0, np.inf])))


def test_uniform_choices_are_equally_frequent() -> None:
    actor = UniformActor(Spec(1, 4, True, np.zeros(1), np.full(1, 3.0)))
    choices = actor.push(actor.noise(np.random.default_rng(0), (10_000,)))
    values, counts = np.unique(choices, return_counts=True)
    assert values.tolist() == [0, 1, 2, 3]
    assert counts.min() > 2300


# -- collecting --------------------------------------------------------------------------------------------------------


def test_a_rollout_holds_what_happened_in_order() -> None:
    collector = make_collector()
    rollout = collect(collector, 4)
    np.testing.assert_array_equal(rollout.obs[1, :, 0, 0], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(rollout.reward[1, :, 0], [1, 2, 3, 4])
    np.testing.assert_array_equal(rollout.terminated[1, :, 0], [False, False, True, False])
    np.testing.assert_array_equal(rollout.action, np.stack(collector.env.actions, 1).astype(np.float32))
    following = collect(collector, 4)
    np.testing.assert_array_equal(following.obs[1, :, 0, 0], [4, 5, 6, 7, 8])
    np.testing.assert_array_equal(following.truncated[1, :, 0], [False, True, False, False])


def test_actions_reach_the_environment_as_sampled_however_large() -> None:
    collector = make_collector()
    collect(collector, 20)
    assert np.abs(collector.env.actions).max() > 10


def test_what_is_acted_on_is_filtered_and_what_is_stored_is_raw() -> None:
    collector, actor, obs_filter = make_collector(), Recorder(), ObsFilter(LANES, 1, enabled=True)
    obs_filter.update(np.full((LANES, 1000, 1), 2.0))
    rollout = collector.collect(actor, obs_filter, Length(4), steps=np.zeros(LANES, int), keep_final=False)
    np.testing.assert_allclose(np.stack(actor.seen)[:, 0, 0, 0], [-5, -5, 0, 5], atol=1e-2)
    assert rollout.obs[0, 3, 0, 0] == 3


def test_observations_before_resets_are_kept_if_asked_for() -> None:
    np.testing.assert_array_equal(collect(make_collector(), 3, keep_final=True).final_obs[0, :, 0, 0], [0.5, 1.5, 2.5])
    assert collect(make_collector(), 3).final_obs is None


def test_episodes_straddle_rollouts_and_know_the_runs_step_at_their_end() -> None:
    collector = make_collector()
    first, second = collect(collector, 4), collect(collector, 4, before=4 * ACTORS)
    assert first.episodes[0] == [Episode(step=6, ret=1 + 2 + 3, length=3)] * ACTORS
    assert second.episodes[0] == [Episode(step=12, ret=4 + 5 + 6, length=3)] * ACTORS


def test_what_a_lane_that_is_not_active_repeats_is_not_counted() -> None:
    collector = make_collector()
    collector.set_active(np.array([True, False, True, True]))
    assert [len(episodes) for episodes in collect(collector, 4).episodes] == [ACTORS, 0, ACTORS, ACTORS]


@pytest.mark.parametrize(("exactly", "ret", "length"), [(True, 1 + 2 + 3, 3), (False, 3, 1)])
def test_a_simulator_that_cannot_be_put_back_starts_counting_anew(exactly: bool, ret: float, length: int) -> None:
    collector, resumed = make_collector(), make_collector()
    collect(collector, 2)
    fresh = None if exactly else np.full((ACTORS, 1), 7.0)
    collector.env.get_state = lambda lane: collector.env.time[lane].copy()
    resumed.env.set_state = lambda lane, state: resumed.env.time.__setitem__(lane, state) or fresh
    resumed.set_state(1, collector.get_state(1))
    rollout = collect(resumed, 1, before=2 * ACTORS)
    assert rollout.obs[1, 0, 0, 0] == (2 if exactly else 7)
    assert rollout.episodes[1] == [Episode(step=6, ret=ret, length=length)] * ACTORS


def test_each_lane_draws_from_its_own_stream() -> None:
    alone = Collector(Clockwork(), [make_streams(2, ACTORS)] * LANES)
    action, other = collect(make_collector(), 5).action, collect(alone, 5).action
    assert torch.equal(action[2], other[0])
    assert not torch.equal(action[2], action[1])


# -- what is not finite ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_reward_that_is_not_finite_is_found_by_lane_and_step(bad: float) -> None:
    rollout = collect(make_collector(), 5)
    assert not_finite(rollout) == {}
    rollout.reward[2, 3, 1] = rollout.reward[2, 4, 0] = rollout.reward[0, 0, 0] = bad
    assert not_finite(rollout) == {0: 1 * ACTORS, 2: 4 * ACTORS}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_observation_counts_for_the_step_that_it_follows(bad: float) -> None:
    rollout = collect(make_collector(), 5)
    rollout.obs[1, 0] = bad  # of the rollout before
    assert not_finite(rollout) == {}
    rollout.obs[1, 2, 0], rollout.obs[3, 5, 1] = bad, bad
    assert not_finite(rollout) == {1: 2 * ACTORS, 3: 5 * ACTORS}


def test_the_first_of_several_is_named() -> None:
    rollout = collect(make_collector(), 5)
    rollout.obs[1, 5], rollout.reward[1, 2, 0] = np.nan, np.nan
    assert not_finite(rollout) == {1: 3 * ACTORS}


def test_steps_of_actors_at_rest_do_not_count_towards_the_step_that_is_named() -> None:
    rollout = collect(make_collector(), 5)
    stepped = np.ones_like(rollout.reward, dtype=bool)
    stepped[1, 2:, 1] = False
    rollout.reward[1, 3, 0] = np.nan
    assert not_finite(rollout._replace(stepped=stepped)) == {1: 4 * ACTORS - 2}
