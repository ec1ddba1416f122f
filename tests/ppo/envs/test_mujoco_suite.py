"""The MuJoCo suite is Gymnasium's v5 tasks bit for bit, saves its state exactly, and keeps its lanes apart."""

from __future__ import annotations

import copy
import io
import logging
from itertools import chain
from types import SimpleNamespace
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import torch

from ppo.data import Floats
from ppo.envs.base import Generators, Step
from ppo.envs.simulators.lockstep import MujocoLockStep
from ppo.envs.simulators.schema import Mujoco
from ppo.envs.simulators.tasks import TASKS


def make_generators(lanes: int, actors: int, seed: int = 0) -> list[list[np.random.Generator]]:
    return [[np.random.default_rng([seed, lane, actor]) for actor in range(actors)] for lane in range(lanes)]


def made(task_id: str, generators: Generators, time_limit: int | None = None) -> MujocoLockStep:
    return Mujoco(task_id, time_limit).make(generators, np.zeros(1 + len(generators), np.uint32))


def started(task_id: str, lanes: int, actors: int) -> MujocoLockStep:
    suite = made(task_id, make_generators(lanes, actors))
    suite.reset()
    return suite


def random_actions(suite: MujocoLockStep, steps: int, lanes: int, actors: int) -> Floats:
    """Half of the actors stay within the bounds most of the time, the others rarely do."""
    scale = np.resize([0.3, 3.0], (lanes, actors, 1))
    return np.random.default_rng(99).normal(size=(steps, lanes, actors, suite.spec.action.size)) * scale


class Reference:
    """Gymnasium's own environments, stepped one by one, with generators in the same state as the suite's.

    Made after a suite, which keeps MuJoCo's warnings about Gymnasium's models out of the working directory.
    """

    def __init__(self, task_id: str, generators: list[list[np.random.Generator]], limit: int | None = None) -> None:
        self.envs = [[gymnasium.make(task_id, max_episode_steps=limit) for _ in lane] for lane in generators]
        for env, generator in zip(chain(*self.envs), chain(*generators), strict=True):
            env.unwrapped.np_random = copy.deepcopy(generator)

    def reset(self) -> Floats:
        return np.array([[env.reset()[0] for env in lane] for lane in self.envs])

    def step(self, action: Floats) -> Step:
        results = [self._step(env, a) for env, a in zip(chain(*self.envs), chain(*action), strict=True)]
        rows = (np.array(column) for column in zip(*results, strict=True))
        return Step(*(r.reshape(*action.shape[:2], *r.shape[1:]) for r in rows))

    @staticmethod
    def _step(env: gymnasium.Env[Any, Any], action: Floats) -> tuple[Any, ...]:
        final_obs, reward, terminated, truncated, _ = env.step(action)
        obs = env.reset()[0] if terminated or truncated else final_obs
        return obs, float(reward), terminated, truncated, final_obs


def assert_same_bits(ours: Step, theirs: Step) -> None:
    for (name, a), b in zip(ours.arrays.items(), theirs.arrays.values(), strict=True):
        assert a.dtype == b.dtype, name
        assert a.shape == b.shape, name
        assert a.tobytes() == b.tobytes(), f"{name} differs:\n{a}\n{b}"


def lanes_of(step: Step, lanes: list[int]) -> Step:
    return Step(*(rows[lanes] for rows in step.arrays.values()))


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(("task_id", "time_limit"), [*((task, None) for task in TASKS), ("Walker2d-v5", 10)])
def test_every_step_equals_gymnasium_bit_for_bit(task_id: str, time_limit: int | None) -> None:
    generators = make_generators(3, 2)
    suite, reference = made(task_id, generators, time_limit), Reference(task_id, generators, time_limit)
    assert suite.reset().tobytes() == reference.reset().tobytes()
    for action in random_actions(suite, 160, 3, 2):
        assert_same_bits(suite.step(action), reference.step(action))


def test_a_whole_episode_equals_gymnasium_to_its_time_limit_and_beyond() -> None:
    suite, reference = started("Swimmer-v5", 1, 1), Reference("Swimmer-v5", make_generators(1, 1))
    reference.reset()
    for t, action in enumerate(random_actions(suite, 1010, 1, 1)):
        step = suite.step(action)
        assert_same_bits(step, reference.step(action))
        assert bool(step.truncated) == (t == 999)


@pytest.mark.parametrize("task_id", ["Hopper-v5", "InvertedDoublePendulum-v5", "HalfCheetah-v5"])
def test_a_diverged_simulation_goes_on_as_gymnasiums_does(task_id: str) -> None:
    suite, reference = started(task_id, 1, 3), Reference(task_id, make_generators(1, 3))
    reference.reset()
    actions = np.zeros((20, 1, 3, suite.spec.action.size))
    actions[5:8, :, 0], actions[5:8, :, 1], actions[5:8, :, 2] = np.nan, 1e30, -np.inf
    for action in actions:
        for ours, theirs in zip(suite.step(action), reference.step(action), strict=True):
            np.testing.assert_array_equal(ours, theirs)  # nan equals nan here, whatever its sign bit


def test_the_double_pendulum_equals_gymnasium_in_states_that_an_episode_rarely_reaches() -> None:
    gym_task: Any = gymnasium.make("InvertedDoublePendulum-v5").unwrapped
    task, now = TASKS["InvertedDoublePendulum-v5"], np.random.default_rng(0).normal(size=(5000, 10)) * 10
    obs, terminated = task.observe(now), now[:, 8] <= 1
    reward = task.reward(now, now, now[:, :1], terminated)
    for i, row in enumerate(now):
        gym_task.data = SimpleNamespace(qpos=row[:3], qvel=row[3:6], qfrc_constraint=row[9:])
        assert obs[i].tobytes() == gym_task._get_obs().tobytes()
        assert reward[i] == gym_task._get_rew(row[6], row[8], bool(terminated[i]))[0]


def test_reacher_ends_after_50_steps() -> None:
    suite = made("Reacher-v5", make_generators(1, 1))
    suite.reset()
    ends = [bool(suite.step(np.zeros((1, 1, 2))).truncated) for _ in range(100)]
    assert np.flatnonzero(ends).tolist() == [49, 99]


def test_an_action_beyond_the_bounds_moves_like_the_bound_and_is_charged_in_full() -> None:
    suite = made("HalfCheetah-v5", [[np.random.default_rng(0)], [np.random.default_rng(0)]])
    suite.reset()
    for _ in range(20):
        step = suite.step(np.stack([np.ones((1, 6)), 10 * np.ones((1, 6))]))
        assert step.obs[0].tobytes() == step.obs[1].tobytes()
        speed = step.reward[:, 0] + [0.6, 60.0]
        assert speed[0] == pytest.approx(speed[1], abs=1e-12)


@pytest.mark.parametrize("task_id", TASKS)
def test_a_restored_state_continues_bit_for_bit(task_id: str) -> None:
    original = made(task_id, make_generators(3, 2), time_limit=40)
    original.reset()
    actions = random_actions(original, 90, 3, 2)
    for action in actions[:30]:
        original.step(action)
    states = [through_a_file(original.get_state(lane)) for lane in range(3)]
    # Other lanes, other generators, and simulators that have been elsewhere: nothing of them may be left.
    restored = made(task_id, make_generators(3, 2, seed=1), time_limit=40)
    restored.reset()
    for action in actions[:7]:
        restored.step(-action)
    order = [2, 0, 1]
    for lane, source in enumerate(order):
        restored.set_state(lane, states[source])
    episodes = 0
    for action in actions[30:]:
        theirs = original.step(action)
        assert_same_bits(restored.step(action[order]), lanes_of(theirs, order))
        episodes += int((theirs.terminated | theirs.truncated).sum())
    assert episodes >= 6  # so that generators were drawn from


@pytest.mark.parametrize("task_id", TASKS)
def test_a_restored_lane_that_is_not_active_stays_as_it_was(task_id: str) -> None:
    original, restored = (made(task_id, make_generators(2, 2), time_limit=10) for _ in range(2))
    original.reset()
    actions = random_actions(original, 30, 2, 2)
    for action in actions[:20]:  # episodes end right here, where obs and final_obs differ
        last = original.step(action)
    for lane in range(2):
        restored.set_state(lane, through_a_file(original.get_state(lane)))
    restored.set_active(np.zeros((2, 2), np.bool_))
    for action in actions[:5]:
        assert_same_bits(restored.step(action), last)
    restored.set_active(np.ones((2, 2), np.bool_))
    for action in actions[20:]:
        assert_same_bits(restored.step(action), original.step(action))


def test_saving_a_state_changes_nothing() -> None:
    saved, unsaved = (started("Walker2d-v5", 1, 2) for _ in range(2))
    for action in random_actions(saved, 100, 1, 2):
        saved.get_state(0)
        assert_same_bits(saved.step(action), unsaved.step(action))


def test_a_lane_that_is_not_active_never_changes_and_goes_on_where_it_stopped() -> None:
    paused, steady, stopped = (started("Hopper-v5", 3, 2) for _ in range(3))
    actions = random_actions(paused, 80, 3, 2)
    for action in actions[:40]:
        before, _, _ = paused.step(action), steady.step(action), stopped.step(action)
    paused.set_active(np.array([[True, True], [False, False], [True, True]]))
    for action in actions[40:]:
        step, expected = paused.step(action), steady.step(action)
        assert_same_bits(lanes_of(step, [1]), lanes_of(before, [1]))
        assert_same_bits(lanes_of(step, [0, 2]), lanes_of(expected, [0, 2]))
    paused.set_active(np.ones((3, 2), np.bool_))
    for action in actions[:40]:
        assert_same_bits(lanes_of(paused.step(action), [1]), lanes_of(stopped.step(action), [1]))


def test_a_nan_action_in_one_lane_leaves_the_bits_of_its_mates() -> None:
    sound, broken = (started("Walker2d-v5", 3, 1) for _ in range(2))
    for action in random_actions(sound, 50, 3, 1):
        expected = sound.step(action)
        action[1] = np.nan
        step = broken.step(action)
        assert_same_bits(lanes_of(step, [0, 2]), lanes_of(expected, [0, 2]))
        assert np.isnan(step.reward[1]).all()


def test_an_exception_takes_out_its_own_lane_only(monkeypatch: pytest.MonkeyPatch) -> None:
    sound, broken = (started("Hopper-v5", 3, 2) for _ in range(2))
    real = mujoco.mj_step

    def mj_step(model: mujoco.MjModel, data: mujoco.MjData, steps: int) -> None:
        if data.ctrl[0] == 123.0:
            raise mujoco.FatalError("out of memory")
        real(model, data, steps)

    monkeypatch.setattr(mujoco, "mj_step", mj_step)
    actions = random_actions(sound, 30, 3, 2)
    for t, action in enumerate(actions):
        expected, before = sound.step(action), broken.get_state(1)["last"]
        if t == 10:
            action[1, 0, 0] = 123.0
        step = broken.step(action)
        assert_same_bits(lanes_of(step, [0, 2]), lanes_of(expected, [0, 2]))
        if t >= 10:
            assert step.obs[1].tobytes() == before["obs"].numpy().tobytes()
            broken.set_active(np.ones((3, 2), np.bool_))  # what has failed does not come back
    assert list(broken.failures) == [1]
    assert str(broken.failures[1]) == "out of memory"


def test_a_reset_that_fails_takes_out_its_own_lane_only(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = made("InvertedPendulum-v5", make_generators(2, 1), time_limit=5)
    suite.reset()
    real, calls = mujoco.mj_forward, []

    def mj_forward(model: mujoco.MjModel, data: mujoco.MjData) -> None:
        calls.append(data)
        if len(calls) == 2:  # the second lane
            raise mujoco.FatalError("out of memory")
        real(model, data)

    monkeypatch.setattr(mujoco, "mj_forward", mj_forward)
    truncated = [suite.step(np.zeros((2, 1, 1))).truncated.ravel().tolist() for _ in range(10)]
    assert list(suite.failures) == [1]
    assert truncated == [[t % 5 == 4, False] for t in range(10)]  # rows of a failed lane keep their last values


def test_returned_arrays_never_change_afterwards() -> None:
    suite = made("InvertedPendulum-v5", make_generators(3, 1))
    first = suite.reset()
    kept: list[tuple[Any, Any]] = [(first, first.copy())]
    for t, action in enumerate(random_actions(suite, 30, 3, 1)):
        suite.set_active(np.array([[True], [t % 2 == 0], [True]]))
        kept += [(rows, rows.copy()) for rows in suite.step(action).arrays.values()]
        suite.set_state(0, suite.get_state(0))
    assert all(rows.tobytes() == copied.tobytes() for rows, copied in kept)


def test_mujocos_warnings_go_to_the_log_and_nowhere_else(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.DEBUG, logger="ppo.envs"):
        suite = started("HalfCheetah-v5", 1, 1)  # its model uses a deprecated attribute
        suite.step(np.full((1, 1, 6), np.nan))
    assert [("settotalmass" in r.message, "CTRL" in r.message) for r in caplog.records] == [(1, 0), (0, 1)]
    assert {r.levelno for r in caplog.records} == {logging.DEBUG}
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_sizes_bounds_and_time_limits_are_the_ones_gymnasium_registered() -> None:
    for task_id in TASKS:
        spec, env = made(task_id, make_generators(1, 1)).spec, gymnasium.make(task_id)
        assert spec.obs == (env.observation_space.shape, np.float64)
        assert (spec.action.size,) == env.action_space.shape
        assert not spec.action.discrete
        np.testing.assert_array_equal(spec.action.low.astype(np.float32), env.action_space.low)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(spec.action.high.astype(np.float32), env.action_space.high)  # type: ignore[attr-defined]
        assert TASKS[task_id].time_limit == gymnasium.spec(task_id).max_episode_steps
