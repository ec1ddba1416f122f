"""One actor's game: how it starts, what a step is, what a life is, what is reported of a whole game (section 6.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ale_py import Action

from ppo.envs.atari.game import AtariGame
from tests.ppo.envs.atari.made import task


class Emulator:
    """An emulator that does as it is told: `lives` and the end by the number of frames played, a reward per frame."""

    def __init__(self, minimal: list[Action], lives: list[int], ends_at: int = 10**9) -> None:
        self.minimal, self.by_frame, self.ends_at = minimal, lives, ends_at
        self.played: list[list[str]] = []  # actions of each game

    def getMinimalActionSet(self) -> list[Action]:
        return self.minimal

    def getLegalActionSet(self) -> list[Action]:
        return list(Action.__members__.values())

    def getScreenDims(self) -> tuple[int, int]:
        return 210, 160

    def getScreen(self, into: np.ndarray) -> None:
        into[:] = len(self.played[-1]) % 128 * 2

    def reset_game(self) -> None:
        self.played.append([])

    def act(self, action: Action) -> int:
        assert not self.game_over()
        self.played[-1].append(action.name)
        return 1

    def game_over(self) -> bool:
        return len(self.played[-1]) >= self.ends_at

    def lives(self) -> int:
        return self.by_frame[min(len(self.played[-1]), len(self.by_frame) - 1)]

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None  # settings


PLAIN, FIRES = [Action.NOOP, Action.UP, Action.DOWN], [Action.NOOP, Action.FIRE, Action.RIGHT, Action.LEFT]


def played(
    monkeypatch: pytest.MonkeyPatch, *, minimal: list[Action] = PLAIN, lives: list[int] | None = None,
    ends_at: int = 10**9, seed: int = 0, **keys: Any,
) -> tuple[AtariGame, Emulator]:  # fmt: skip
    """A game that has begun, on an emulator that does as it is told; without noops unless asked for."""
    emulator = Emulator(minimal, lives or [0], ends_at)
    monkeypatch.setattr("ppo.envs.atari.game.ALEInterface", EmulatorClass(emulator))
    game = AtariGame(task("pong", **({"noops": 0} | keys)), np.random.default_rng(seed))
    game.begin()
    return game, emulator


class EmulatorClass:
    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def __call__(self) -> Emulator:
        return self.emulator

    def setLoggerMode(self, _mode: Any) -> None:
        """Nothing is logged."""


def test_a_step_plays_four_frames_of_one_action_and_adds_up_their_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    game, emulator = played(monkeypatch)
    assert game.play(2) == (4.0, False)
    assert game.play(1) == (4.0, False)
    assert emulator.played == [["DOWN"] * 4 + ["UP"] * 4]


def test_a_game_starts_with_one_to_thirty_frames_without_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for seed in range(300):
        game, emulator = played(monkeypatch, seed=seed, noops=30)
        assert set(emulator.played[0]) == {"NOOP"}
        assert (game.score, game.length) == (0.0, 0)
        counts.append(len(emulator.played[0]))
    assert set(counts) == set(range(1, 31))
    assert played(monkeypatch, noops=0)[1].played == [[]]


def test_fire_is_pressed_where_the_game_has_it_and_counts_for_the_score_only(monkeypatch: pytest.MonkeyPatch) -> None:
    game, emulator = played(monkeypatch, minimal=FIRES)
    assert emulator.played == [["FIRE"] * 4 + ["RIGHT"] * 4]
    assert (game.score, game.length) == (8.0, 0)
    _, full = played(monkeypatch, minimal=FIRES, full_actions=True)
    assert full.played == emulator.played
    assert played(monkeypatch, full_actions=True)[1].played == [[]]  # no FIRE of its own: none is pressed


def test_a_lost_life_ends_an_episode_and_the_game_goes_on_after_a_noop(monkeypatch: pytest.MonkeyPatch) -> None:
    game, emulator = played(monkeypatch, lives=[3, 3, 3, 3, 3, 3, 2])
    assert [game.play(1), game.play(1)] == [(4.0, False), (4.0, True)]
    game.begin()
    assert len(emulator.played) == 1
    assert emulator.played[0][-4:] == ["NOOP"] * 4
    assert game.taken() == []
    assert (game.score, game.length, game.play(1)[1]) == (12.0, 2, False)


def test_the_last_life_and_a_gained_one_end_no_episode_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    for lives in ([1, 1, 0], [1, 1, 2]):
        game, _ = played(monkeypatch, lives=lives)
        assert not any(game.play(1)[1] for _ in range(4))


def test_lives_count_for_nothing_if_they_are_not_to_end_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    game, _ = played(monkeypatch, lives=[3, 3, 2], end_on_life_loss=False)
    assert not any(game.play(1)[1] for _ in range(4))


def test_a_finished_game_is_reported_whole_with_all_its_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    game, emulator = played(monkeypatch, minimal=FIRES, lives=[2] * 12 + [1], ends_at=30)
    assert game.play(0) == (4.0, True)  # frame 12, a life
    game.begin()  # a noop, FIRE and RIGHT: frame 24
    assert [game.play(0), game.play(0)] == [(4.0, False), (2.0, True)]
    assert game.over
    assert game.taken() == [(30.0, 3)]
    assert game.taken() == []
    game.begin()
    assert len(emulator.played) == 2
    assert (game.score, game.length, game.over) == (8.0, 0, False)


def test_a_game_that_ends_while_an_episode_begins_is_reported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    game, emulator = played(monkeypatch, lives=[2, 2, 2, 1], ends_at=6)
    assert game.play(0) == (4.0, True)
    game.begin()  # the noop reaches frame 6
    assert game.taken() == [(6.0, 1)]
    assert len(emulator.played) == 2


def test_a_game_is_cut_at_the_time_limit_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    game, emulator = played(monkeypatch, time_limit=3)
    assert [(game.play(0)[1], game.truncated) for _ in range(3)] == [(False, False), (False, False), (True, True)]
    assert game.taken() == [(12.0, 3)]
    game.begin()
    assert len(emulator.played) == 2
    assert (game.play(0)[1], game.truncated) == (False, False)


def test_a_game_that_ends_by_itself_at_its_time_limit_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    game, _ = played(monkeypatch, time_limit=2, ends_at=8)
    game.play(0)
    assert (game.play(0), game.truncated) == ((4.0, True), False)
    assert game.taken() == [(8.0, 2)]


def test_a_sticky_action_is_the_one_of_the_frame_before_as_often_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    game, emulator = played(monkeypatch, sticky=0.25)
    for step in range(4000):
        game.play(1 + step % 2)
    frames = np.array(emulator.played[0]).reshape(-1, 4)
    late = frames[1:, 0] == frames[:-1, 3]  # the first frame still has the step before's
    assert abs(late.mean() - 0.25) < 0.03  # 4.4 standard errors
    wanted = np.array(["UP", "DOWN"])[np.arange(4000) % 2]
    settled = frames == wanted[:, None]
    assert (np.diff(settled.astype(int), axis=1) >= 0).all()  # once played, it stays
    assert emulator.played[0].count("NOOP") in range(8)  # held when the game began


def test_without_sticky_actions_nothing_is_drawn_by_playing(monkeypatch: pytest.MonkeyPatch) -> None:
    game, _ = played(monkeypatch)
    before = game.generator.bit_generator.state
    game.play(1)
    assert game.generator.bit_generator.state == before


def test_only_the_last_two_screens_of_a_step_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    game, _ = played(monkeypatch)
    seen = []
    monkeypatch.setattr(game._screens, "look_first", lambda: seen.append(len(game.ale.played[-1])))
    monkeypatch.setattr(game._screens, "look", lambda alone: seen.append((len(game.ale.played[-1]), alone)))
    game.play(0)
    assert seen == [3, (4, False)]


@pytest.mark.parametrize("choice", [3, 10**6])
def test_a_choice_that_there_is_not_is_an_error(monkeypatch: pytest.MonkeyPatch, choice: int) -> None:
    game, _ = played(monkeypatch)
    with pytest.raises(IndexError):
        game.play(choice)
