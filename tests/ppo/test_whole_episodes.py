"""Collecting whole episodes: every actor rests once it has its steps, and what it leaves behind is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
import torch

from ppo.collect import Collector
from ppo.data import Bools, Episode, Floats, Length, Rollout, RolloutSpec
from ppo.envs.base import Step
from ppo.learning.filters import ObsFilter
from ppo.streams import make_streams
from tests.ppo.handmade import box, vectors

SIX_AND_FIVE, EIGHT_AND_SIX, ELEVEN = (3, 5), (4, 2), (11, 11)  # steps of an episode of each actor
AFTER = 4  # steps, so that actors of those take 6 and 5, 8 and 6, or 11


class Clocks:
    """Every actor's episodes have a length of their own; it observes how many it has begun, and the steps of this one.

    Rewards are 1, 2, 3, ... in each episode. What an actor at rest shows is its last.
    """

    spec = box(2, 1)
    inexact: ClassVar[dict[int, str]] = {}

    def __init__(self, durations: Sequence[Sequence[int]]) -> None:
        self.durations = np.array(durations)
        self.episode, self.time = np.ones_like(self.durations), np.zeros_like(self.durations)
        self.active = np.ones_like(self.durations, dtype=bool)
        self.failures: dict[int, Exception] = {}
        self.steps = 0

    def look(self) -> Floats:
        return np.stack([self.episode, self.time], -1).astype(float)

    def reset(self) -> Floats:
        self.last = Step(self.look(), *np.zeros((3, *self.active.shape)), self.look())
        return self.look()

    def step(self, action: Floats) -> Step:
        self.steps += 1
        self.time += self.active
        reward, final_obs = self.time.astype(float), self.look()
        over = (self.time == self.durations) & self.active
        self.episode += over
        self.time[over] = 0
        step = Step(self.look(), reward, over & (self.episode % 2 == 0), over & (self.episode % 2 == 1), final_obs)
        for new, old in zip(step.arrays.values(), self.last.arrays.values(), strict=True):
            new[~self.active] = old[~self.active]
        self.last = step
        return step

    def set_active(self, actors: Bools) -> None:
        self.active = actors.copy()

    def close(self, lane: int) -> None:
        pass


class Noise:
    """Acts with what it draws, which is never 0."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return generator.uniform(1.0, 2.0, (*shape, 1)).astype(np.float32)

    def noise(self, draws: np.ndarray) -> np.ndarray:
        return draws

    def __call__(self, obs: np.ndarray, noise: np.ndarray, /) -> np.ndarray:
        return noise


def make_collector(*durations: Sequence[int], seeds: Sequence[int] = (0, 1, 2, 3)) -> Collector:
    """One lane for each tuple of durations."""
    return Collector(Clocks(durations), [make_streams(seed, 2) for seed, _ in zip(seeds, durations, strict=False)])


def collect(
    collector: Collector, length: Length | None = None, *, before: Sequence[int] | int = 0, keep_final: bool = True
) -> Rollout:
    lanes = len(collector.obs)
    steps, obs_filter = np.zeros(lanes, np.int64) + before, ObsFilter(lanes, vectors(2), "off")
    wanted = RolloutSpec(length or Length(15, episodes_after=AFTER), keep_final=keep_final)
    return collector.collect(Noise(), obs_filter, wanted, steps=steps)


# -- when actors rest --------------------------------------------------------------------------------------------------


def test_an_actor_rests_after_its_first_episode_that_ends_beyond_the_steps_asked_for() -> None:
    rollout = collect(make_collector(SIX_AND_FIVE, EIGHT_AND_SIX, ELEVEN))  # an episode that ends after 4 is not beyond
    assert rollout.stepped.sum(1).tolist() == [[6, 5], [8, 6], [11, 11]]
    assert rollout.taken.tolist() == [11, 14, 22]
    assert (np.diff(rollout.stepped.astype(int), axis=1) <= 0).all()  # and does not wake up again


def test_after_no_steps_at_all_each_actor_plays_one_episode() -> None:
    rollout = collect(make_collector(SIX_AND_FIVE, EIGHT_AND_SIX), Length(5, episodes_after=0))
    assert rollout.stepped.sum(1).tolist() == [[3, 5], [4, 2]]
    assert [len(episodes) for episodes in rollout.episodes] == [2, 2]


def test_nothing_is_stepped_once_all_actors_rest() -> None:
    collector = make_collector(SIX_AND_FIVE, EIGHT_AND_SIX)
    collect(collector, Length(1000, episodes_after=AFTER))
    assert collector.env.steps == 8
    assert collector.env.episode.tolist() == [[3, 2], [3, 4]]


def test_the_longest_rollout_that_there_can_be_ends_with_the_horizon() -> None:
    rollout = collect(make_collector(SIX_AND_FIVE, ELEVEN), Length(11, episodes_after=AFTER))
    assert rollout.stepped.sum(1).tolist() == [[6, 5], [11, 11]]


# -- what a rollout holds ----------------------------------------------------------------------------------------------


def test_where_an_actor_did_not_step_everything_is_0_and_where_it_did_it_is_what_happened() -> None:
    rollout = collect(make_collector(SIX_AND_FIVE, EIGHT_AND_SIX, ELEVEN))
    columns = [rollout.obs[:, :-1], rollout.final_obs, rollout.action.numpy(), rollout.reward[..., None]]
    for column in columns:
        assert (column[~rollout.stepped] == 0).all()
        assert (column[rollout.stepped] != 0).any(-1).all()
    over = rollout.terminated | rollout.truncated
    assert not over[~rollout.stepped].any()
    assert rollout.reward[0, :7].T.tolist() == [[1, 2, 3, 1, 2, 3, 0], [1, 2, 3, 4, 5, 0, 0]]
    assert rollout.obs[0, :7, 0].tolist() == [[1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2], [0, 0]]
    assert rollout.final_obs[0, :7, 0].tolist() == [[1, 1], [1, 2], [1, 3], [2, 1], [2, 2], [2, 3], [0, 0]]
    assert rollout.terminated[0, :7, 0].tolist() == [False, False, True, False, False, False, False]
    assert rollout.truncated[0, :7, 0].tolist() == [False, False, False, False, False, True, False]


def test_every_actors_last_step_ends_an_episode() -> None:
    rollout = collect(make_collector(SIX_AND_FIVE, EIGHT_AND_SIX, ELEVEN))
    over = rollout.terminated | rollout.truncated
    for lane, actor in np.ndindex(3, 2):
        assert over[lane, rollout.stepped[lane, :, actor].sum() - 1, actor]


def test_an_episode_knows_the_steps_that_its_run_had_taken_when_it_ended() -> None:
    rollout = collect(make_collector(SIX_AND_FIVE, EIGHT_AND_SIX), before=[100, 2000])
    assert rollout.episodes[0] == [
        Episode(106, 1 + 2 + 3, 3),
        Episode(110, 1 + 2 + 3 + 4 + 5, 5),  # here the second actor rests
        Episode(111, 1 + 2 + 3, 3),
    ]
    assert rollout.episodes[1] == [
        Episode(2004, 1 + 2, 2),
        Episode(2008, 1 + 2 + 3 + 4, 4),
        Episode(2008, 1 + 2, 2),
        Episode(2012, 1 + 2, 2),  # here too
        Episode(2014, 1 + 2 + 3 + 4, 4),
    ]


def test_without_final_observations_there_are_none() -> None:
    assert collect(make_collector(SIX_AND_FIVE), keep_final=False).final_obs is None


# -- from one rollout to the next --------------------------------------------------------------------------------------


def test_the_next_rollout_starts_new_episodes_with_all_actors_awake() -> None:
    collector = make_collector(SIX_AND_FIVE, EIGHT_AND_SIX)
    first, second = collect(collector), collect(collector, before=[11, 14])
    np.testing.assert_array_equal(second.obs[:, 0], first.obs[:, -1])
    assert second.obs[:, 0].tolist() == [[[3, 0], [2, 0]], [[3, 0], [4, 0]]]
    np.testing.assert_array_equal(second.stepped, first.stepped)
    np.testing.assert_array_equal(second.reward, first.reward)
    assert second.episodes[0] == [Episode(e.step + 11, e.ret, e.length) for e in first.episodes[0]]
    assert not torch.equal(second.action, first.action)


def test_a_lane_of_whole_episodes_does_not_depend_on_its_mates() -> None:
    alone = collect(make_collector(SIX_AND_FIVE))
    for mates in ([EIGHT_AND_SIX], [ELEVEN, (1, 2)], [(15, 15)]):
        packed = collect(make_collector(SIX_AND_FIVE, *mates))
        for name in ("obs", "final_obs", "reward", "terminated", "truncated", "stepped", "taken"):
            assert getattr(packed, name)[0].tobytes() == getattr(alone, name)[0].tobytes(), name
        assert torch.equal(packed.action[0], alone.action[0])
        assert packed.episodes[0] == alone.episodes[0]


def test_a_lane_that_is_not_active_takes_no_steps_and_is_not_woken_up() -> None:
    collector = make_collector(SIX_AND_FIVE, EIGHT_AND_SIX)
    collector.set_active(np.array([True, False]))
    for _ in range(2):
        rollout = collect(collector)
        assert rollout.taken.tolist() == [11, 0]
        assert not rollout.stepped[1].any()
        assert rollout.episodes[1] == []
        assert collector.env.episode[1].tolist() == [1, 1]
        assert collector.env.active.tolist() == [[True, True], [False, False]]


# -- a fixed number of steps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("active", [[True, True], [True, False]])
def test_of_a_fixed_number_of_steps_every_active_actor_takes_all(active: list[bool]) -> None:
    collector = make_collector(SIX_AND_FIVE, EIGHT_AND_SIX)
    collector.set_active(np.array(active))
    rollout = collect(collector, Length(7))
    assert rollout.stepped is None
    assert rollout.taken.tolist() == [14 * lane for lane in active]
