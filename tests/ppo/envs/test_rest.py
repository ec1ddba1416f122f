"""Actors at rest, in every suite: they are not stepped, keep their last values and change nothing for the others."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from ppo.config import choices
from ppo.config.compose import suite_values
from ppo.data import Bools, Floats
from ppo.envs.base import LockStep, Step
from ppo.envs.simulators.lockstep import FEW_SLICES

LANES, ACTORS = 3, 4
TASKS = [
    ("mujoco", "Hopper-v5"), ("mujoco", "Reacher-v5"), ("gymnasium", "CartPole-v1"), ("gymnasium", "Pendulum-v1"),
    pytest.param("atari", "breakout", marks=pytest.mark.slow),
]  # fmt: skip
ALL = np.ones((LANES, ACTORS), np.bool_)
NUMBER = np.arange(LANES * ACTORS).reshape(LANES, ACTORS)
AWAKE = {
    "one actor rests": NUMBER != 6,
    "a lane and a half rest": NUMBER > 5,
    "every other actor rests": NUMBER % 2 == 0,
    "one actor is awake": NUMBER == 6,
    "all rest": ~ALL,
}

every_task = pytest.mark.parametrize(("suite", "env_id"), TASKS)


def started(suite: str, env_id: str) -> LockStep:
    """Short episodes, in which actors start anew now and then, at rest or not."""
    generators = [[np.random.default_rng([lane, actor]) for actor in range(ACTORS)] for lane in range(LANES)]
    task = choices.suite.build(suite_values(suite) | {"suite": suite, "id": env_id, "time_limit": 15}, "env").resolved()
    env = task.make(generators, np.zeros(1 + LANES, np.uint32))
    env.reset()
    return env


def random_actions(env: LockStep, steps: int) -> Floats:
    rng, action = np.random.default_rng(99), env.spec.action
    if action.discrete:
        return rng.integers(action.size, size=(steps, LANES, ACTORS, 1)).astype(np.float64)
    return rng.normal(size=(steps, LANES, ACTORS, action.size))


def assert_same_bits(ours: Step, theirs: Step, at: Bools) -> None:
    for (name, a), b in zip(ours.arrays.items(), theirs.arrays.values(), strict=True):
        assert a[at].tobytes() == b[at].tobytes(), name


def resting_slices(awake: Bools) -> int:
    return np.count_nonzero(np.diff(~awake.ravel(), prepend=False) & ~awake.ravel())


def test_the_masks_above_rest_few_actors_and_many() -> None:
    counts = [resting_slices(awake) for awake in AWAKE.values()]
    assert counts == [1, 1, 6, 2, 1]
    assert min(counts) <= FEW_SLICES < max(counts)


@every_task
@pytest.mark.parametrize("awake", AWAKE.values(), ids=AWAKE)
def test_an_actor_at_rest_keeps_its_row_and_goes_on_where_it_stopped(suite: str, env_id: str, awake: Bools) -> None:
    resting, steady, stopped = (started(suite, env_id) for _ in range(3))
    before, during, after = random_actions(resting, 75).reshape(3, 25, LANES, ACTORS, -1)
    for action in before:
        last, _, _ = resting.step(action), steady.step(action), stopped.step(action)
    resting.set_active(awake)
    for action in during:
        step, expected = resting.step(action), steady.step(action)
        assert_same_bits(step, last, ~awake)
        assert_same_bits(step, expected, awake)
    resting.set_active(ALL)
    for action in after:
        step = resting.step(action)
        assert_same_bits(step, stopped.step(action), ~awake)
        assert_same_bits(step, steady.step(action), awake)


@every_task
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_what_an_actor_lives_through_is_its_own_steps_whenever_others_rest(
    suite: str, env_id: str, share: float
) -> None:
    resting, steady = started(suite, env_id), started(suite, env_id)
    steps = 120
    actions, awake = random_actions(resting, steps), np.random.default_rng(5).random((steps, LANES, ACTORS)) < share
    ours, own = [], np.zeros_like(actions)  # own: each actor's actions that count, one after the other
    for action, mask in zip(actions, awake, strict=True):
        resting.set_active(mask)
        ours.append(resting.step(action))
    for lane, actor in np.ndindex(LANES, ACTORS):
        taken = actions[awake[:, lane, actor], lane, actor]
        own[: len(taken), lane, actor] = taken
    theirs = [steady.step(action) for action in own]
    number = awake.cumsum(0) - 1
    for t, lane, actor in zip(*np.nonzero(awake), strict=True):
        at = np.zeros_like(ALL)
        at[lane, actor] = True
        assert_same_bits(ours[t], theirs[number[t, lane, actor]], at)


def test_simulators_of_actors_at_rest_are_not_stepped(monkeypatch: pytest.MonkeyPatch) -> None:
    env, stepped, real = started("mujoco", "Hopper-v5"), 0, mujoco.mj_step

    def mj_step(*arguments: object) -> None:
        nonlocal stepped
        stepped += 1
        real(*arguments)

    monkeypatch.setattr(mujoco, "mj_step", mj_step)
    for awake in AWAKE.values():
        stepped = 0
        env.set_active(awake)
        for action in random_actions(env, 7):
            env.step(action)
        assert stepped == 7 * awake.sum()


def test_a_mask_given_is_not_looked_at_again() -> None:
    env, mask = started("gymnasium", "CartPole-v1"), ALL.copy()
    env.set_active(mask)
    mask[:] = False
    first, second = (env.step(action) for action in random_actions(env, 2))
    assert not np.array_equal(first.obs, second.obs)


@pytest.mark.parametrize("awake", AWAKE.values(), ids=AWAKE)
def test_a_state_saved_while_actors_rest_is_restored_with_the_same_bits(awake: Bools) -> None:
    original, restored = (started("mujoco", "Hopper-v5") for _ in range(2))
    original.set_active(awake)
    for action in random_actions(original, 25):
        last = original.step(action)
    for lane in range(LANES):
        restored.set_state(lane, original.get_state(lane))
    restored.set_active(awake)
    for action in random_actions(original, 25):
        step = restored.step(action)
        assert_same_bits(step, original.step(action), ALL)
        assert_same_bits(step, last, ~awake)
