"""A Gymnasium environment is restored by replay: exactly, or with the reason why not."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import NormalizeObservation, NormalizeReward, RecordEpisodeStatistics

from ppo.data import Floats
from ppo.envs.base import Generators, Step
from ppo.envs.gymnasium.carried import carried
from ppo.envs.gymnasium.lockstep import GymnasiumLockStep
from ppo.envs.gymnasium.schema import Gymnasium

TASKS = ["CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MountainCarContinuous-v0", "Ant-v5", "Humanoid-v5", "Pusher-v5"]
SPACES = Box(-np.inf, np.inf, (3,), np.float64), Discrete(2)


class Drawing(gymnasium.Env[Any, Any]):
    """Draws from every global generator in its constructor, in reset and in step, and from its spaces."""

    observation_space, action_space = SPACES

    def __init__(self) -> None:
        self.offset = np.random.rand() + random.random() + torch.rand(1).item()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._draw(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs = self._draw()
        return obs, self.offset + torch.rand(1).item(), bool(np.random.rand() < 0.1), False, {}

    def _draw(self) -> Floats:
        sampled = self.observation_space.sample()[0] + self.action_space.sample()
        return np.array([random.gauss(0, 1), np.random.randn() + self.np_random.random(), sampled])


class Plain(gymnasium.Env[Any, Any]):
    """A random walk; the base of what goes wrong."""

    observation_space, action_space = SPACES

    def __init__(self) -> None:
        self.x, self.episodes, self.time = np.zeros(3), 0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        self.x = self.np_random.normal(size=3)
        return self.x, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        self.x = self.x + self.np_random.normal(size=3) * (1 + action)
        return self.x, float(self.x[0]), self.time == 7, False, {}


class Unseeded(Plain):
    """Does not seed itself again, so that a fresh one goes another way."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return super().reset(seed=None)


class Counting(Plain):
    """Gets harder with every hundredth episode: one that is played again alone does not show it."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.episodes += 1
        return super().reset(seed=seed)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, over, cut, info = super().step(action)
        return obs, reward - self.episodes // 100, over, cut, info


class Breaking(Plain):
    """Fails in the fourth step when told to."""

    broken = False

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.broken and self.time == 3:
            raise RuntimeError("the licence has expired")
        return super().step(action)


MADE: dict[str, Any] = {
    "Drawing-v0": Drawing,
    "Plain-v0": Plain,
    "Unseeded-v0": Unseeded,
    "Counting-v0": Counting,
    "Breaking-v0": Breaking,
    "NormalObs-v0": lambda: NormalizeObservation(Plain()),
    "NormalReward-v0": lambda: NormalizeReward(Plain()),
    "Statistics-v0": lambda: RecordEpisodeStatistics(Plain()),
}


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    for env_id, entry in MADE.items():
        gymnasium.register(env_id, entry)
    yield
    for env_id in MADE:
        del gymnasium.registry[env_id]


def generators(seed: int, lanes: int, actors: int) -> Generators:
    return [[np.random.default_rng([seed, lane, actor]) for actor in range(actors)] for lane in range(lanes)]


def made(env_id: str, lanes: int = 1, actors: int = 1, *, seed: int = 0, limit: int | None = None) -> GymnasiumLockStep:
    env = Gymnasium(env_id, limit).make(generators(seed, lanes, actors), np.zeros(1 + lanes, np.uint32))
    env.reset()
    return env


def drive(env: GymnasiumLockStep, steps: int, seed: int, actors: int, lanes: int = 1) -> list[Step]:
    """Steps with the same random actions in every lane, beyond the bounds of a box more often than not."""
    rng, action = np.random.default_rng(seed), env.spec.action
    shape = (steps, 1, actors, action.columns)
    drawn = rng.integers(action.size, size=shape) if action.discrete else rng.normal(size=shape) * 3
    return [env.step(row.astype(np.float32).astype(np.float64)) for row in drawn.repeat(lanes, 1)]


def read_back(state: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint file gives back."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    found: dict[str, Any] = torch.load(file, weights_only=True)
    return found


def of_lane(steps: list[Step], lane: int) -> list[list[Any]]:
    return [[rows[lane].tolist() for rows in step.arrays.values()] for step in steps]


@pytest.mark.parametrize("env_id", [*TASKS, "Drawing-v0", "Plain-v0", "Statistics-v0"])
def test_a_replay_goes_on_with_the_same_numbers(env_id: str) -> None:
    actors = 3
    original = made(env_id, 1, actors, limit=40)
    drive(original, 61, 1, actors)
    state = read_back(original.get_state(0))
    expected = of_lane(drive(original, 60, 2, actors), 0)
    fresh = made(env_id, 2, actors, seed=5, limit=40)
    assert fresh.set_state(1, state) is None
    assert of_lane(drive(fresh, 60, 2, actors, lanes=2), 1) == expected
    assert (fresh.inexact, fresh.failures) == ({}, {})


def test_a_lock_step_that_is_in_use_is_put_back_as_exactly() -> None:
    env = made("Drawing-v0", 2, 2)
    drive(env, 13, 1, 2, lanes=2)
    state = read_back(env.get_state(0))
    expected = of_lane(drive(env, 40, 2, 2, lanes=2), 0)
    for lane in (0, 1):
        drive(env, 9, 3, 2, lanes=2)
        assert env.set_state(lane, state) is None
        assert of_lane(drive(env, 40, 2, 2, lanes=2), lane) == expected
    assert env.inexact == {}


def test_a_state_is_the_same_before_and_after_it_is_restored() -> None:
    original, fresh = made("Pendulum-v1", 1, 2), made("Pendulum-v1", 1, 2)
    drive(original, 11, 1, 2)
    state = read_back(original.get_state(0))
    fresh.set_state(0, state)
    again = fresh.get_state(0)
    for before, now in zip(state["episodes"], again["episodes"], strict=True):
        assert before.pop("actions").equal(now.pop("actions"))
        assert before == now
    assert state["generators"] == again["generators"]
    assert fresh.replayed == {0: 22}


@pytest.mark.parametrize("env_id", ["Unseeded-v0", "NormalObs-v0", "NormalReward-v0"])
def test_what_does_not_repeat_itself_starts_new_episodes_the_same_ones_every_time(env_id: str) -> None:
    original = made(env_id, 1, 2)
    drive(original, 17, 1, 2)
    state, shown = read_back(original.get_state(0)), []
    for _ in range(2):
        fresh = made(env_id, 3, 2)
        before = fresh._last.obs.copy()
        shown.append(fresh.set_state(1, state))
        assert list(fresh.inexact) == [1]
        assert "did not lead to the same numbers: new episodes" in fresh.inexact[1]
        np.testing.assert_array_equal(fresh._last.obs[[0, 2]], before[[0, 2]])
        assert [seat.steps for seat in fresh._seats[1]] == [0, 0]
    if env_id != "Unseeded-v0":
        np.testing.assert_array_equal(*shown)


def test_what_only_later_episodes_would_show_is_seen_in_the_environments_attributes() -> None:
    original = made("Counting-v0")
    drive(original, 60, 1, 1)
    fresh = made("Counting-v0")
    fresh.set_state(0, read_back(original.get_state(0)))
    assert "Counting.episodes" in fresh.inexact[0]
    assert "carries state from one episode to the next" in fresh.inexact[0]


@pytest.mark.parametrize("env_id", TASKS)
def test_nothing_is_said_to_be_carried_over_by_environments_that_carry_nothing(env_id: str) -> None:
    env, fresh = (gymnasium.make(env_id, disable_env_checker=True) for _ in range(2))
    for seed in range(4):
        env.reset(seed=seed)
        env.step(env.action_space.sample())
    env.reset(seed=9)
    fresh.reset(seed=9)
    assert len(carried(env)) > 5
    assert carried(env) == carried(fresh)


def test_an_environment_that_fails_during_its_replay_takes_out_its_own_lane_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = made("Breaking-v0")
    drive(original, 5, 1, 1)
    state = original.get_state(0)
    monkeypatch.setattr(Breaking, "broken", True)
    env = made("Breaking-v0", 3)
    env.set_state(1, state)
    assert {lane: str(error) for lane, error in env.failures.items()} == {1: "the licence has expired"}
    assert env.inexact == {}
    drive(env, 2, 1, 1, lanes=3)
    assert list(env.failures) == [1]


def test_the_lane_is_in_the_marker_while_it_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = made("Plain-v0", 3)
    drive(original, 5, 1, 1, lanes=3)
    seen: list[int] = []
    real = Plain.step

    def step(self: Plain, action: Any) -> Any:
        seen.append(int(original._marker[0]))
        return real(self, action)

    monkeypatch.setattr(Plain, "step", step)
    original.set_state(1, original.get_state(1))
    assert seen == [2] * 5
    assert original._marker[0] == 0


def test_a_checkpoint_without_actions_starts_new_episodes() -> None:
    env = made("CartPole-v1")
    assert env.set_state(0, {"generators": env.get_state(0)["generators"]}) is not None
    assert "no actions" in env.inexact[0]


def test_of_an_episode_only_the_actions_grow() -> None:
    env = made("Pendulum-v1", limit=100_000)

    def size() -> int:
        file = io.BytesIO()
        torch.save(env.get_state(0), file)
        return file.getbuffer().nbytes

    drive(env, 1, 1, 1)
    before = size()
    drive(env, 1000, 1, 1)
    assert 3900 < size() - before < 4200


def test_actions_that_are_no_float32_are_kept_whole() -> None:
    env = made("Pendulum-v1")
    env.step(np.full((1, 1, 1), 0.1))
    assert env.get_state(0)["episodes"][0]["actions"].tolist() == [[0.1]]
    other = made("Pendulum-v1")
    assert other.set_state(0, env.get_state(0)) is None
