"""Environments are other people's code: they reuse arrays, return odd infos and draw from wherever they like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from ppo.collect import Collector
from ppo.data import Floats, Length, RolloutSpec
from ppo.envs.base import Generators
from ppo.envs.gymnasium.lockstep import GymnasiumLockStep
from ppo.envs.gymnasium.schema import Gymnasium
from ppo.learning.filters import ObsFilter
from ppo.networks.acting import UniformActor
from ppo.streams import make_streams
from tests.ppo.handmade import vectors

LENGTH = 3  # of an episode


class Untouchable(dict):
    """An info that nobody can look at."""

    def _touched(self, *_: object) -> NoReturn:
        raise AssertionError("somebody looked at info")

    __getitem__ = __iter__ = __contains__ = get = items = keys = values = copy = pop = _touched  # type: ignore[assignment]


class Foreign(gymnasium.Env[Any, Any]):
    """Counts its steps in one array that it always returns; an episode starts at a number of its own."""

    observation_space, action_space = Box(-np.inf, np.inf, (2,), np.float64), Discrete(2)
    seeds: list[int | None] = []
    info: Any = {}

    def __init__(self) -> None:
        self.obs, self.time = np.zeros(2), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.time = 0
        self.obs[:] = -1.0, self.np_random.random()
        return self.obs, self.info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Any]:
        self.time += 1
        self.obs[0] = self.time
        return self.obs, float(self.time), self.time == LENGTH, False, self.info


class Sampling(Foreign):
    """Draws from its own spaces, which only their `seed` can seed."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space, self.action_space = Box(-9, 9, (2,), np.float64), Discrete(2)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Any]:
        _, reward, over, cut, info = super().step(action)
        self.obs[1] = 100 * self.action_space.sample() + self.observation_space.sample()[0]
        return self.obs, reward, over, cut, info


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Foreign, "seeds", [])
    for env in (Foreign, Sampling):
        gymnasium.register(f"{env.__name__}-v0", env)  # type: ignore[arg-type]
    yield
    for env in (Foreign, Sampling):
        del gymnasium.registry[f"{env.__name__}-v0"]


def generators(lanes: int, actors: int = 1) -> Generators:
    return [[np.random.default_rng([lane, actor]) for actor in range(actors)] for lane in range(lanes)]


def started(env_id: str, lanes: int = 1, actors: int = 1) -> GymnasiumLockStep:
    env = Gymnasium(env_id, None).make(generators(lanes, actors), np.zeros(1 + lanes, np.uint32))
    env.reset()
    return env


def still(env: GymnasiumLockStep, lanes: int = 1, actors: int = 1) -> Any:
    return env.step(np.zeros((lanes, actors, 1)))


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_the_last_observation_of_an_episode_survives_a_reset_into_the_same_array() -> None:
    env = started("Foreign-v0", 2)
    steps = [still(env, 2) for _ in range(2 * LENGTH)]
    for t, step in enumerate(steps):
        assert step.final_obs[:, 0, 0].tolist() == [t % LENGTH + 1] * 2
        assert step.obs[:, 0, 0].tolist() == ([-1, -1] if step.terminated.all() else [t % LENGTH + 1] * 2)
    assert [bool(step.terminated.all()) for step in steps] == [False, False, True] * 2


def test_a_rollout_that_keeps_final_observations_holds_where_each_step_led() -> None:
    env = Gymnasium("Foreign-v0", None).make([s.envs for s in streams()], np.zeros(3, np.uint32))
    collector, wanted = Collector(env, streams()), RolloutSpec(Length(7), keep_final=True)
    actor, obs_filter = UniformActor(env.spec.action), ObsFilter(2, vectors(2), "off")
    rollout = collector.collect(actor, obs_filter, wanted, steps=np.zeros(2, int))
    assert rollout.final_obs is not None
    assert rollout.final_obs[0, :, 0, 0].tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert rollout.obs[0, :, 0, 0].tolist() == [-1, 1, 2, -1, 1, 2, -1, 1]


def streams() -> list[Any]:
    return [make_streams(seed, 1) for seed in (0, 1)]


def test_what_was_returned_never_changes_afterwards() -> None:
    env = started("Foreign-v0")
    kept = [(rows, rows.copy()) for _ in range(5) for rows in still(env).arrays.values()]
    assert all(np.array_equal(rows, before) for rows, before in kept)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("obs", np.zeros(1), r"shape \(1,\)"),
        ("obs", 0.0, r"shape \(\)"),
        ("obs", np.array(["a", "b"]), r"observation"),
        ("reward", np.zeros(1), r"reward"),
        ("reward", None, r"reward None"),
        ("over", np.zeros(2, bool), r"terminated"),
        ("over", "no", r"terminated='no'|terminated=.*no"),
        ("all", (np.zeros(2), 1.0, False, {}), r"tuple of 4.*expected a tuple of 5"),
    ],
)
def test_what_an_environment_returns_is_never_broadcast_or_guessed_at(
    place: str, value: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = started("Foreign-v0", 2)
    parts = {"obs": np.zeros(2), "reward": 1.0, "over": False} | {place: value}
    result = value if place == "all" else (parts["obs"], parts["reward"], parts["over"], False, {})
    monkeypatch.setattr(env._seats[1][0].env, "step", lambda _: result)
    still(env, 2)
    assert list(env.failures) == [1]
    assert re.search(told, str(env.failures[1]))


def test_an_environment_may_keep_and_change_its_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []

    def step(self: Foreign, action: Any) -> Any:
        kept.append(action)
        action[:] = 9
        return real(self, action)

    real = Foreign.step
    monkeypatch.setattr(Foreign, "action_space", Box(-1, 1, (2,), np.float64))
    monkeypatch.setattr(Foreign, "step", step)
    env, actions = started("Foreign-v0"), np.ones((1, 1, 2))
    env.step(actions)
    kept[0][:] = 7
    env.step(actions)
    assert actions.tolist() == [[[1, 1]]]
    assert env.get_state(0)["episodes"][0]["actions"].tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("space", "first"), [(Discrete(3, start=-4), -4), (Discrete(1), 0), (Discrete(2, start=2**40), 2**40)]
)
def test_choices_are_those_of_the_space_wherever_it_starts(
    space: Discrete, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = Foreign.step

    def step(self: Foreign, action: Any) -> Any:
        seen.append(action)
        return real(self, action)

    monkeypatch.setattr(Foreign, "action_space", space)
    monkeypatch.setattr(Foreign, "step", step)
    still(started("Foreign-v0"))
    assert seen == [first]
    assert seen[0] in space


def test_an_environment_that_cannot_be_made_for_one_lane_takes_out_that_lane_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    real = Foreign.__init__

    def make(self: Foreign) -> None:
        made.append(1)
        if len(made) == 2:
            raise OSError("the port is in use")
        real(self)

    monkeypatch.setattr(Foreign, "__init__", make)
    env = started("Foreign-v0", 3)
    assert list(env.failures) == [1]
    assert "OSError: the port is in use" in str(env.failures[1])
    assert still(env, 3).obs[:, 0, 0].tolist() == [1, 0, 1]


# -- infos -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("info", [{"steps": 2**64}, Untouchable(), None], ids=["too large", "untouchable", "none"])
def test_an_info_is_never_looked_at(info: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Foreign, "info", info)
    env = started("Foreign-v0")
    steps = [still(env) for _ in range(2 * LENGTH)]
    assert env.failures == {}
    assert [step.reward[0, 0] for step in steps] == [1, 2, 3, 1, 2, 3]


# -- seeds -------------------------------------------------------------------------------------------------------------


def test_every_episode_starts_with_the_next_seed_of_its_actors_own_stream() -> None:
    env = started("Foreign-v0", lanes=2, actors=2)
    for _ in range(2 * LENGTH):
        still(env, 2, 2)
    expected = [[g.integers(2**31) for _ in range(4)][1:] for lane in generators(2, 2) for g in lane]
    found = np.array(Foreign.seeds).reshape(3, 4).T  # all episodes have one length, so that resets come by turns
    assert found.tolist() == expected


def test_the_stream_of_a_run_decides_its_episodes_whatever_is_trained_beside_it() -> None:
    def firsts(seeds: tuple[int, ...]) -> Floats:
        envs = [make_streams(seed, num_actors=1).envs for seed in seeds]
        env = Gymnasium("Foreign-v0", None).make(envs, np.zeros(1 + len(seeds), np.uint32))
        shown = [env.reset()[:, 0, 1], *(still(env, len(seeds)).obs[:, 0, 1] for _ in range(4 * LENGTH))]
        return np.array(shown)

    alone, packed = firsts((5,)), firsts((4, 5, 6))
    np.testing.assert_array_equal(alone[:, 0], packed[:, 1])
    assert len(set(alone[:, 0])) == 5, "every episode is another one"
    assert (packed[:, 0] != packed[:, 2]).any()


def test_environments_never_share_the_generators_of_a_space_that_is_their_classs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Foreign.step

    def step(self: Foreign, action: Any) -> Any:
        obs, *rest = real(self, action)
        obs[1] = self.observation_space.sample()[0]
        return (obs, *rest)

    monkeypatch.setattr(Foreign, "step", step)
    shown = []
    for lanes in (1, 3):
        env = started("Foreign-v0", lanes)
        shown.append([still(env, lanes).obs[0, 0, 1] for _ in range(5)])
    assert shown[0] == shown[1]


def test_what_an_environment_draws_from_its_spaces_follows_from_the_seed() -> None:
    def numbers() -> list[float]:
        env = started("Sampling-v0")
        return [float(still(env).obs[0, 0, 1]) for _ in range(4 * LENGTH)]

    assert numbers() == numbers()
    assert len(set(numbers())) > LENGTH
