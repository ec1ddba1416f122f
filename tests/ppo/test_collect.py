"""Collecting: what a rollout holds, and episodes that are counted across rollouts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from ppo.collect import Collector
from ppo.data import Bools, Episode, Floats, Length, Rollout, RolloutSpec
from ppo.envs.base import Step
from ppo.learning import faults
from ppo.streams import make_streams
from tests.ppo.handmade import box, filter_of, rollout_of

LANES, ACTORS = 4, 2
SPEC = box(1, 2)


class Clockwork:
    """Observes a clock; the reward is its time, and an episode ends every third step, by turns in both ways."""

    spec = SPEC
    inexact: ClassVar[dict[int, str]] = {}

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
    """Acts with five times what it draws, and keeps what it observed."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.standard_normal((*shape, 2), dtype=np.float32)

    def noise(self, draws: np.ndarray) -> np.ndarray:
        return 5 * draws

    def __call__(self, obs: np.ndarray, noise: np.ndarray, /) -> np.ndarray:
        self.seen.append(obs.copy())
        return noise


def make_collector() -> Collector:
    return Collector(Clockwork(), [make_streams(seed, ACTORS) for seed in range(LANES)])


def collect(collector: Collector, horizon: int, before: int = 0, *, keep_final: bool = False) -> Rollout:
    wanted = RolloutSpec(Length(horizon), keep_final=keep_final)
    return collector.collect(Recorder(), filter_of(LANES, 1), wanted, steps=np.full(LANES, before))


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
    collector, actor, obs_filter = make_collector(), Recorder(), filter_of(LANES, 1)
    obs_filter.update(rollout_of(np.full((LANES, 1000, 1), 2.0)))
    rollout = collector.collect(actor, obs_filter, RolloutSpec(Length(4)), steps=np.zeros(LANES, int))
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


# -- numbers that no training can go on with ---------------------------------------------------------------------------

BAD = pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308, -1e308])


def named(rollout: Rollout, most: float = 1e150) -> dict[int, str]:
    return {lane: str(fault.error(100)) for lane, fault in faults.find(rollout, most).items()}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_reward_that_is_not_finite_is_found_by_lane_and_step(bad: float) -> None:
    rollout = collect(make_collector(), 5)
    assert named(rollout) == {}
    rollout.reward[2, 3, 1] = rollout.reward[2, 4, 0] = rollout.reward[0, 0, 0] = bad
    steps = {0: 100 + 1 * ACTORS, 2: 100 + 4 * ACTORS}
    assert named(rollout) == {lane: f"the reward of step {t} is not finite: {bad}" for lane, t in steps.items()}


@BAD
def test_an_observation_counts_for_the_step_that_it_follows(bad: float) -> None:
    rollout = collect(make_collector(), 5)
    rollout.obs[1, 2, 0], rollout.obs[3, 5, 1] = bad, bad
    found = named(rollout)
    assert list(found) == [1, 3]
    assert found[1].startswith(f"the observation of step {100 + 2 * ACTORS} is")
    assert f"step {100 + 5 * ACTORS} is" in found[3]
    assert ("not finite" in found[1]) != ("too large to be squared" in found[1])


@BAD
def test_the_first_observation_of_an_episode_is_named_as_such(bad: float) -> None:
    rollout = collect(make_collector(), 5)
    rollout.obs[0, 0, 0] = rollout.obs[1, 3, 0] = bad
    rollout.terminated[1, 2, 0] = True
    found = named(rollout)
    assert found[0].startswith("the observation that training starts from at step 100 is")
    assert found[1].startswith(f"the first observation of the episode after step {100 + 3 * ACTORS} is")


@BAD
def test_the_last_observation_of_an_episode_is_looked_at_before_it_is_reset(bad: float) -> None:
    collector = make_collector()
    step, calls = collector.env.step, 0

    def stepped(action: Any) -> Any:
        nonlocal calls
        result, calls = step(action), calls + 1
        final = result.final_obs.copy()
        final[1, 0] = bad
        over = result.terminated.copy()
        over[1, 0] = calls == 4
        return result._replace(final_obs=final, terminated=over)

    collector.env.step = stepped
    found = {lane: str(fault.error(100)) for lane, fault in collect(collector, 5).faults.items()}
    assert list(found) == [1]
    assert found[1].startswith(f"the last observation of the episode that ended at step {100 + 4 * ACTORS} is")


def test_how_large_an_observation_may_be_depends_on_what_squares_it() -> None:
    rollout = collect(make_collector(), 5)
    rollout.obs[1, 2, 0] = -1e30
    assert named(rollout, faults.LARGEST["running"]) == {}
    assert "too large to be squared: -1e+30, beyond 1e+19" in named(rollout, faults.LARGEST["off"])[1]
    assert np.isfinite(np.square(faults.LARGEST["running"]) * 1e7)
    assert np.isfinite(np.square(np.float32(faults.LARGEST["off"])))


def test_the_first_of_several_is_named() -> None:
    rollout = collect(make_collector(), 5)
    rollout.obs[1, 5], rollout.reward[1, 2, 0] = np.nan, np.nan
    assert f"reward of step {100 + 3 * ACTORS}" in named(rollout)[1]


def test_steps_of_actors_at_rest_do_not_count_towards_the_step_that_is_named() -> None:
    rollout = collect(make_collector(), 5)
    stepped = np.ones_like(rollout.reward, dtype=bool)
    stepped[1, 2:, 1] = False
    rollout.reward[1, 3, 0] = np.nan
    assert f"step {100 + 4 * ACTORS - 2} " in named(rollout._replace(stepped=stepped))[1]
