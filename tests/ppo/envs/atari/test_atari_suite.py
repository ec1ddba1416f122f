"""The lock-step of Atari games: what a suite owes the trainer, and states that are restored exactly."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ppo.envs.atari import games
from ppo.envs.atari.lockstep import AtariLockStep
from ppo.envs.base import Step
from tests.ppo.envs.atari.made import choices_for, made

FEW = ["breakout", "pong", "qbert"]  # qbert: its state is not exact in an emulator that has never acted


def assert_same_bits(ours: Step, theirs: Step) -> None:
    for (name, a), b in zip(ours.arrays.items(), theirs.arrays.values(), strict=True):
        assert a.tobytes() == b.tobytes(), name
    assert ours.ended == theirs.ended


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    """A state as a checkpoint stores it: nothing but what can be read without running code."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# -- observations ------------------------------------------------------------------------------------------------------


def test_observations_are_four_frames_of_bytes_the_newest_last() -> None:
    env = made("breakout", 2, 3)
    obs, grid = env.reset(), (2, 3)
    assert (env.spec.obs.shape, env.spec.obs.dtype) == ((84, 84, 4), np.uint8)
    assert (obs.shape, obs.dtype, obs.flags.c_contiguous) == ((*grid, 84, 84, 4), np.uint8, True)
    assert obs.max() > 0
    for action in choices_for(env, 5, *grid):
        step = env.step(action)
        moved = ~step.terminated
        np.testing.assert_array_equal(step.obs[moved][..., :-1], obs[moved][..., 1:])
        assert {rows.shape for rows in (step.reward, step.terminated, step.truncated)} == {grid}
        assert (step.obs.shape, step.final_obs.shape) == (obs.shape, obs.shape)
        obs = step.obs


@pytest.mark.parametrize(("how", "before"), [("refill", "the first frame"), ("zero", "black")])
def test_an_episode_starts_with_its_first_frame_alone(how: str, before: str) -> None:
    env = made("breakout", stack_at_reset=how)
    first = env.reset()[0, 0]
    for action in choices_for(env, 300):
        step = env.step(action)
        if step.terminated[0, 0]:
            break
    assert step.terminated[0, 0]
    for stack in (first, step.obs[0, 0]):
        newest = stack[..., -1]
        assert newest.any()
        expected = newest if before == "the first frame" else np.zeros_like(newest)
        for older in range(3):
            np.testing.assert_array_equal(stack[..., older], expected)


def test_the_final_observation_is_the_one_before_the_reset() -> None:
    env = made("breakout", actors=2)
    obs = env.reset()
    for action in choices_for(env, 400, actors=2):
        step = env.step(action)
        over = step.terminated
        np.testing.assert_array_equal(step.final_obs[~over], step.obs[~over])
        np.testing.assert_array_equal(step.final_obs[..., :-1], obs[..., 1:])
        if over.any():
            assert not np.array_equal(step.final_obs[over], step.obs[over])
            return
        obs = step.obs
    pytest.fail("no life was lost")


def test_returned_arrays_never_change_afterwards() -> None:
    env = made("breakout", 3, time_limit=9)
    first = env.reset()
    kept = [(first, first.copy())]
    for t, action in enumerate(choices_for(env, 30, 3)):
        env.set_active(np.array([[True], [t % 2 == 0], [True]]))
        kept += [(rows, rows.copy()) for rows in env.step(action).arrays.values()]
        if t == 20:
            env.set_state(0, env.get_state(0))
    assert all(rows.tobytes() == copied.tobytes() for rows, copied in kept)


# -- ends and scores ---------------------------------------------------------------------------------------------------


def test_a_game_is_reported_once_with_the_rewards_of_all_its_lives() -> None:
    env = made("breakout", 2, 2)
    env.reset()
    total, steps, lives, seen = np.zeros((2, 2)), np.zeros((2, 2), int), np.zeros((2, 2), int), 0
    for action in choices_for(env, 500, 2, 2):
        step = env.step(action)
        total, steps, lives = total + step.reward, steps + 1, lives + step.terminated
        assert step.ended is not None
        for lane, actor, ret, length in step.ended:
            at = (lane, actor)
            assert (ret, length, lives[at]) == (total[at], steps[at], 5)  # FIRE and noops score nothing here
            assert step.terminated[at]
            total[at], steps[at], lives[at], seen = 0, 0, 0, seen + 1
    assert seen >= 4


def test_a_game_cut_at_the_time_limit_is_truncated_and_reported() -> None:
    env = made("pong", 2, time_limit=4)
    env.reset()
    steps = [env.step(action) for action in choices_for(env, 8, 2)]
    assert [step.truncated.tolist() for step in steps] == [[[t in (3, 7)]] * 2 for t in range(8)]
    assert not any(step.terminated.any() for step in steps)
    assert [[tuple(game) for game in step.ended or ()] for step in steps if step.ended] == [
        [(0, 0, 0.0, 4), (1, 0, 0.0, 4)]
    ] * 2


def test_the_collector_writes_down_whole_games() -> None:
    from ppo.collect import Collector
    from ppo.data import Length, RolloutSpec
    from ppo.learning.filters import ObsFilter
    from ppo.networks.acting import UniformActor
    from ppo.streams import make_streams

    streams = [make_streams(seed, 2) for seed in (0, 1)]
    env = made("breakout", 2, 2)
    collector, see = Collector(env, streams), ObsFilter(2, env.spec.obs, "off")
    rollout = collector.collect(UniformActor(env.spec.action), see, RolloutSpec(Length(300)), steps=np.zeros(2, int))
    for lane in range(2):
        assert 1 <= len(rollout.episodes[lane]) < rollout.terminated[lane].sum() / 4
        assert all(episode.length > 50 for episode in rollout.episodes[lane])


# -- lanes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sticky", [0.0, 0.25])
def test_a_lane_plays_the_same_alone_and_in_a_pack(sticky: float) -> None:
    pack, alone = made("breakout", 3, sticky=sticky), made("breakout", 1, sticky=sticky)
    assert pack.reset()[0].tobytes() == alone.reset()[0].tobytes()
    for action in choices_for(pack, 80, 3):
        ours, theirs = pack.step(action), alone.step(action[:1])
        for (name, rows), expected in zip(ours.arrays.items(), theirs.arrays.values(), strict=True):
            assert rows[:1].tobytes() == expected.tobytes(), name


def test_a_lane_that_fails_keeps_its_rows_and_takes_nobody_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    env, alone = made("breakout", 3, 2), made("breakout", 1, 2)
    env.reset()
    alone.reset()
    actions = choices_for(env, 40, 3, 2)
    for action in actions[:20]:
        before, _ = env.step(action), alone.step(action[:1])
    monkeypatch.setattr(env._games[3], "play", lambda choice: 1 / 0)  # the second of lane 1: the first has stepped
    for action in actions[20:]:
        step = env.step(action)
        for name, rows in alone.step(action[:1]).arrays.items():
            assert rows.tobytes() == step.arrays[name][:1].tobytes()
            assert step.arrays[name][1].tobytes() == before.arrays[name][1].tobytes()
    assert {lane: type(error) for lane, error in env.failures.items()} == {1: ZeroDivisionError}
    assert not np.array_equal(step.obs[2], before.obs[2])


def test_actors_at_rest_keep_their_rows_and_go_on_where_they_stopped() -> None:
    resting, stopped = made("pong", 2, 2, time_limit=7), made("pong", 2, 2, time_limit=7)
    resting.reset()
    stopped.reset()
    before, during, after = choices_for(resting, 45, 2, 2).reshape(3, 15, 2, 2, 1)
    for action in before:
        last, _ = resting.step(action), stopped.step(action)
    awake = np.array([[True, False], [False, False]])
    resting.set_active(awake)
    for action in during:
        step = resting.step(action)
        assert all(rows[~awake].tobytes() == last.arrays[name][~awake].tobytes() for name, rows in step.arrays.items())
        assert {game[:2] for game in step.ended or ()} <= {(0, 0)}
    resting.set_active(~awake)
    for action in after:
        step, expected = resting.step(action), stopped.step(action)
        for name, rows in step.arrays.items():
            assert rows[~awake].tobytes() == expected.arrays[name][~awake].tobytes()


def test_an_action_that_is_no_choice_fails_its_own_lane() -> None:
    env = made("pong", 3)
    env.reset()
    env.step(np.array([0.0, np.nan, 99.0]).reshape(3, 1, 1))
    assert {lane: type(error) for lane, error in env.failures.items()} == {1: ValueError, 2: IndexError}


def test_the_marker_names_the_lane_that_is_stepped(monkeypatch: pytest.MonkeyPatch) -> None:
    env, seen = made("pong", 3), []
    for game in env._games:
        monkeypatch.setattr(game, "play", lambda choice: (seen.append(int(env._marker[0])) or 0.0, False))
        monkeypatch.setattr(game, "begin", lambda: seen.append(int(env._marker[0])))
    env.reset()
    env.step(np.zeros((3, 1, 1)))
    assert seen == [1, 2, 3] * 2
    assert env._marker[0] == 0


# -- states ------------------------------------------------------------------------------------------------------------


def assert_restored(game: str, before: int, after: int, **keys: Any) -> None:
    """A lane goes on with the same bits in another place of another pack, from a state that went through a file."""
    env, other = made(game, 1, 2, **keys), made(game, 2, 2, **keys)
    env.reset()
    other.reset()
    actions = choices_for(env, before + after, 1, 2)
    for action in actions[:before]:
        env.step(action)
    assert other.set_state(1, through_a_file(env.get_state(0))) is None
    assert other.inexact == {}
    for action in actions[before:]:
        expected, step = env.step(action), other.step(action[[0, 0]])
        for (name, rows), theirs in zip(step.arrays.items(), expected.arrays.values(), strict=True):
            assert rows[1].tobytes() == theirs[0].tobytes(), name
        assert _of(step, 1) == _of(expected, 0)


def _of(step: Step, lane: int) -> list[Any]:
    """Actor, score and length of the games that a lane finished."""
    return [game[1:] for game in step.ended or () if game.lane == lane]


@pytest.mark.parametrize("game", FEW)
def test_a_restored_state_continues_bit_for_bit(game: str) -> None:
    assert_restored(game, 60, 150)


def test_a_restored_state_of_sticky_actions_continues_bit_for_bit() -> None:
    assert_restored("seaquest", 40, 20, sticky=0.9)  # past the first second, in which nothing can be steered


def test_saving_a_state_changes_nothing() -> None:
    saved, steady = made("breakout"), made("breakout")
    saved.reset()
    steady.reset()
    for action in choices_for(saved, 60):
        saved.get_state(0)
        assert_same_bits(saved.step(action), steady.step(action))


CHILD = """
import sys, torch, numpy as np
from tests.ppo.envs.atari.made import choices_for, made
for game in sys.argv[2:]:
    env = made(game)  # whose emulator has never acted
    env.set_state(0, torch.load(f"{sys.argv[1]}/{game}.pt", weights_only=True))
    steps = [env.step(action).arrays for action in choices_for(env, 100)[50:]]
    torch.save([{k: torch.from_numpy(v) for k, v in step.items()} for step in steps], f"{sys.argv[1]}/{game}.steps")
"""


def played_elsewhere(names: list[str], folder: Path) -> None:
    """Save games after 50 steps, go on in another process, and compare."""
    envs: dict[str, AtariLockStep] = {}
    for game in names:
        envs[game] = env = made(game)
        env.reset()
        for action in choices_for(env, 50):
            env.step(action)
        torch.save(env.get_state(0), folder / f"{game}.pt")
    subprocess.run([sys.executable, "-c", CHILD, str(folder), *names], check=True, stdout=subprocess.DEVNULL)
    for game, env in envs.items():
        theirs = torch.load(folder / f"{game}.steps", weights_only=True)
        for action, step in zip(choices_for(env, 100)[50:], theirs, strict=True):
            for name, rows in env.step(action).arrays.items():
                assert rows.tobytes() == step[name].numpy().tobytes(), (game, name)


def test_a_game_goes_on_with_the_same_bits_in_another_process(tmp_path: Path) -> None:
    played_elsewhere(FEW, tmp_path)


@pytest.mark.slow
def test_all_49_games_go_on_with_the_same_bits_in_another_process(tmp_path: Path) -> None:
    played_elsewhere(list(games.TABLE6), tmp_path)
