"""The Gymnasium suite steps any environment as Gymnasium does, and says in one sentence what it cannot take."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, Space

from ppo.config import choices
from ppo.data import Floats
from ppo.envs.base import Generators
from ppo.envs.gymnasium.lockstep import GymnasiumLockStep
from ppo.envs.gymnasium.schema import Gymnasium
from ppo.errors import UserError


def made(env_id: str, generators: Generators, time_limit: int | None = None) -> GymnasiumLockStep:
    return Gymnasium(env_id, time_limit).make(generators, np.zeros(1 + len(generators), np.uint32))


def make_generators(lanes: int, actors: int, seed: int = 0) -> list[list[np.random.Generator]]:
    return [[np.random.default_rng([seed, lane, actor]) for actor in range(actors)] for lane in range(lanes)]


def random_actions(suite: GymnasiumLockStep, steps: int, lanes: int, actors: int) -> Floats:
    rng = np.random.default_rng(99)
    if suite.spec.action.discrete:
        return rng.integers(suite.spec.action.size, size=(steps, lanes, actors, 1)).astype(np.float64)
    scale = 3 * suite.spec.action.high  # beyond the bounds more often than not
    return rng.normal(size=(steps, lanes, actors, suite.spec.action.size)).astype(np.float32) * scale


class Probe(gymnasium.Env[Any, Any]):
    """Shows the last action it was given, as it was given; raises when told to. Its spaces are set by the tests."""

    observation_space: Space[Any] = Box(-1, 1, (1,))
    action_space: Space[Any] = Discrete(3, start=5)
    seen: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.np_random.random(1, dtype=np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.seen.append(action)
        if np.ravel(action)[0] == 7:
            raise RuntimeError("the simulator is gone")
        return self.np_random.random(1, dtype=np.float32), 1.0, False, False, {}


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Probe]]:
    monkeypatch.setattr(Probe, "seen", [])
    gymnasium.register("Probe-v0", Probe)  # type: ignore[arg-type]
    yield Probe
    del gymnasium.registry["Probe-v0"]


@pytest.mark.parametrize(("env_id", "time_limit"), [("CartPole-v1", None), ("CartPole-v1", 7), ("Pendulum-v1", 30)])
def test_every_step_equals_stepping_the_environments_by_hand(env_id: str, time_limit: int | None) -> None:
    generators = make_generators(3, 2)
    by_hand = [[gymnasium.make(env_id, max_episode_steps=time_limit) for _ in lane] for lane in generators]
    streams = copy.deepcopy(generators)
    suite = choices.suite.find("gymnasium", "env.suite")(env_id, time_limit).make(generators, np.zeros(4, np.uint32))
    assert isinstance(suite, GymnasiumLockStep)
    obs = suite.reset()
    for lane, actor in np.ndindex(3, 2):
        streams[lane][actor].integers(2**31)  # of its constructor
        seed = int(streams[lane][actor].integers(2**31))
        np.testing.assert_array_equal(obs[lane, actor], by_hand[lane][actor].reset(seed=seed)[0])
    episodes = 0
    for action in random_actions(suite, 100, 3, 2):
        step = suite.step(action)
        for at in np.ndindex(3, 2):
            env = by_hand[at[0]][at[1]]
            a = int(action[at][0]) if suite.spec.action.discrete else action[at].astype(np.float32)
            final_obs, reward, terminated, truncated, _ = env.step(a)
            next_obs = final_obs
            if terminated or truncated:
                next_obs = env.reset(seed=int(streams[at[0]][at[1]].integers(2**31)))[0]
            np.testing.assert_array_equal(step.final_obs[at], final_obs)
            np.testing.assert_array_equal(step.obs[at], next_obs)
            assert [step.reward[at], step.terminated[at], step.truncated[at]] == [reward, terminated, truncated]
            episodes += terminated or truncated
    assert episodes >= 6


def test_a_lane_that_is_not_active_never_changes() -> None:
    suite = made("CartPole-v1", make_generators(3, 1))
    suite.reset()
    actions = random_actions(suite, 30, 3, 1)
    before = suite.step(actions[0])
    kept = [(rows, rows.copy()) for rows in before.arrays.values()]
    suite.set_active(np.array([[True], [False], [True]]))
    for action in actions:
        step = suite.step(action)
        for rows, old in zip(step.arrays.values(), before.arrays.values(), strict=True):
            np.testing.assert_array_equal(rows[1], old[1])
        assert not np.array_equal(step.obs[0], before.obs[0])
    assert all(np.array_equal(rows, copied) for rows, copied in kept)  # returned arrays never change afterwards


def test_choices_count_from_the_first_action_of_the_space(probe: type[Probe]) -> None:
    suite = made("Probe-v0", make_generators(1, 2))
    suite.reset()
    suite.step(np.array([[[0.0], [1.0]]]))
    assert probe.seen == [5, 6]
    assert (suite.spec.action.size, suite.spec.action.discrete) == (3, True)


def test_actions_are_sent_unclipped_in_the_shape_and_type_of_the_space(
    probe: type[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "action_space", Box(-1, 1, (2, 2), np.float32))
    suite = made("Probe-v0", make_generators(1, 1))
    suite.reset()
    suite.step(np.array([[[3.0, -4.0, 5.0, 0.5]]]))
    (action,) = probe.seen
    assert action.dtype == np.float32
    np.testing.assert_array_equal(action, [[3.0, -4.0], [5.0, 0.5]])
    np.testing.assert_array_equal(suite.spec.action.high, np.ones(4))


def test_an_exception_takes_out_its_own_lane_only(probe: type[Probe]) -> None:
    suite = made("Probe-v0", make_generators(3, 1))
    suite.reset()
    first = suite.step(np.zeros((3, 1, 1)))
    second = suite.step(np.array([0.0, 2.0, 0.0]).reshape(3, 1, 1))
    suite.set_active(np.ones((3, 1), np.bool_))  # what has failed does not come back
    third = suite.step(np.zeros((3, 1, 1)))
    assert {lane: str(error) for lane, error in suite.failures.items()} == {1: "the simulator is gone"}
    assert first.obs[1] == second.obs[1] == third.obs[1]
    assert len({*first.obs[0, 0], *second.obs[0, 0], *third.obs[0, 0]}) == 3
    assert len(probe.seen) == 8


def test_an_environment_that_exits_takes_out_its_own_lane_only(
    probe: type[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = made("Probe-v0", make_generators(2, 1))
    suite.reset()
    monkeypatch.setattr(suite._seats[1][0].env, "step", lambda _: sys.exit(3))
    suite.step(np.zeros((2, 1, 1)))
    assert list(suite.failures) == [1]
    assert "sys.exit(3)" in str(suite.failures[1])
    assert len(probe.seen) == 1


def test_an_exception_of_one_actor_stops_the_other_actors_of_its_lane_at_once(probe: type[Probe]) -> None:
    suite = made("Probe-v0", make_generators(2, 3))
    suite.reset()
    first = suite.step(np.zeros((2, 3, 1)))
    probe.seen.clear()
    second = suite.step(np.array([[0.0, 2.0, 0.0], [1.0, 1.0, 1.0]])[..., None])
    assert probe.seen == [5, 7, 6, 6, 6]
    np.testing.assert_array_equal(second.obs[0, 1:], first.obs[0, 1:])
    suite.set_active(np.array([[True, False, True], [True, False, True]]))
    suite.step(np.zeros((2, 3, 1)))
    assert probe.seen == [5, 7, 6, 6, 6, 5, 5]
    assert list(suite.failures) == [0]


def test_spaces_that_cannot_be_trained_on_are_one_sentence(probe: type[Probe], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^env\.id=Blackjack-v1 is invalid: .*Box of one dimension.* not Tuple\("):
        Gymnasium("Blackjack-v1", None).check()
    images: list[Space[Any]] = [Box(0, 255, (96, 96, 3), np.uint8), Dict({"a": Box(-1, 1, (1,))})]
    for space in images:
        monkeypatch.setattr(probe, "observation_space", space)
        with pytest.raises(UserError, match=r"^env\.id=Probe-v0 is invalid: expected .*Box of one dimension, not "):
            made("Probe-v0", make_generators(1, 1))
    monkeypatch.setattr(probe, "observation_space", Box(-1, 1, (1,)))
    for space in [MultiBinary(3), Box(0, 5, (2,), np.int64)]:
        monkeypatch.setattr(probe, "action_space", space)
        with pytest.raises(UserError, match=r"^env\.id=Probe-v0 is invalid: .*Discrete or a Box of real numbers, not "):
            Gymnasium("Probe-v0", None).check()


def test_an_environment_whose_own_code_fails_is_one_sentence(
    probe: type[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Probe) -> None:
        raise OSError("no licence\nfor this machine")

    monkeypatch.setattr(probe, "__init__", broken)
    with pytest.raises(UserError, match=r"^env\.id=Probe-v0 cannot be made: OSError: no licence for this machine\.$"):
        Gymnasium("Probe-v0", None).check()
