"""Games beside Stable-Baselines3's AtariWrapper: the same frames, rewards, ends and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ppo.envs.atari import games
from tests.ppo.envs.atari.made import task

wrappers = pytest.importorskip("stable_baselines3.common.atari_wrappers")
from stable_baselines3.common.monitor import Monitor  # noqa: E402

FEW = ["breakout", "qbert", "ms_pacman"]  # lives and FIRE; lives that may be 0; no FIRE
MORE = ["alien", "enduro", "freeway", "pong", "road_runner", "seaquest"]
# Shares of the pixels that may differ, by one level: those of the nine games, and of any. A still screen may have more
# halves than most (Venture: 13 of 7,056).
DIFFERENT, DIFFERENT_ANYWHERE = 1e-3, 3e-3


def theirs(game: str, generator: np.random.Generator, **keys: Any) -> Any:
    """The wrapped game; it draws its noops from `generator`."""
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    title = "".join(part.capitalize() for part in game.split("_"))
    bare = gymnasium.make(f"{title}NoFrameskip-v4", max_num_frames_per_episode=400_000)
    bare.unwrapped._np_random = generator
    return wrappers.AtariWrapper(Monitor(bare), clip_reward=False, **keys)


def episode_rewards(env: Any) -> list[float]:
    while not isinstance(env, Monitor):
        env = env.env
    return env.get_episode_rewards()


def assert_same(game: str, wanted: int, steps: int, **keys: bool) -> None:
    """Play `wanted` games, or so many steps if that takes less, with random actions on both sides."""
    own = {"end_on_life_loss": keys["terminal_on_life_loss"]} if keys else {}
    ours = task(game, **own).make([[np.random.default_rng(5)]], np.zeros(2, np.uint32))
    peer, rng = theirs(game, np.random.default_rng(5), **keys), np.random.default_rng(1)
    seen, expected = ours.reset(), peer.reset()[0]
    different, pixels, scores, ends = 0, 0, [], 0
    for _ in range(steps):
        gap = np.abs(seen[0, 0, ..., -1].astype(int) - expected[..., 0])
        assert gap.max() <= 1
        different, pixels = different + np.count_nonzero(gap), pixels + gap.size
        choice = int(rng.integers(ours.spec.action.size))
        step = ours.step(np.full((1, 1, 1), choice))
        expected, reward, terminated, truncated, _ = peer.step(choice)
        assert (step.reward[0, 0], step.terminated[0, 0], step.truncated[0, 0]) == (reward, terminated, truncated)
        if terminated:
            ends, expected = ends + 1, peer.reset()[0]
        seen, scores = step.obs, scores + [g.ret for g in step.ended]
        if len(scores) == wanted:
            break
    assert scores == episode_rewards(peer)
    assert different <= (DIFFERENT if game in FEW + MORE else DIFFERENT_ANYWHERE) * pixels
    assert ends >= len(scores)
    assert scores or steps < 1000


@pytest.mark.parametrize("game", FEW)
def test_frames_rewards_and_ends_are_those_of_the_usual_wrappers(game: str) -> None:
    assert_same(game, 1, 300)


@pytest.mark.slow
@pytest.mark.parametrize("game", FEW + MORE)
def test_whole_games_are_those_of_the_usual_wrappers(game: str) -> None:
    assert_same(game, 3, 4000)


@pytest.mark.slow
@pytest.mark.parametrize("game", games.TABLE6)
def test_every_game_of_table_6_begins_as_with_the_usual_wrappers(game: str) -> None:
    assert_same(game, 1, 150)


def test_without_lives_as_ends_games_are_those_of_the_usual_wrappers_too() -> None:
    assert_same("breakout", 1, 400, terminal_on_life_loss=False)
