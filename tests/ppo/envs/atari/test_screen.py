"""From the screen to a frame: colours as ALE shows them, luminance and areas as cv2 computes them."""

from __future__ import annotations

from typing import Any

import ale_py
import numpy as np
import pytest

from ppo.envs.atari import games, screen
from ppo.envs.atari.screen import NTSC, SIDE, Screens, luminance

cv2: Any = pytest.importorskip("cv2")
PALETTE = np.frombuffer(bytes.fromhex("".join(screen.COLOURS)), np.uint8).reshape(128, 3).repeat(2, 0)  # [256, 3]
LEVELS, SHARE = 1, 1e-3  # by how much a pixel may differ from cv2's, and how many may


class Shown:
    """An emulator that shows what it is told to."""

    def __init__(self, height: int = 210) -> None:
        self.size = (height, 160)
        self.image = np.zeros((*self.size, 3) if self.size != NTSC else self.size, np.uint8)

    def getScreenDims(self) -> tuple[int, int]:
        return self.size

    def getScreen(self, into: np.ndarray) -> None:
        into[:] = self.image

    getScreenRGB = getScreen


def frame_of(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What is seen of two images, one after the other."""
    shown = Shown(len(first))
    screens = Screens(shown)
    shown.image = first
    screens.look_first()
    shown.image = second
    screens.look()
    return screens.frame()


def by_cv2(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same of RGB images, by cv2."""
    gray = cv2.cvtColor(np.maximum(first, second), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def emulator(game: str) -> ale_py.ALEInterface:
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.loadROM(games.rom(game))
    return ale


def colours_shown(ale: ale_py.ALEInterface, frames: int) -> dict[int, tuple[int, ...]]:
    """Screen number -> RGB, after a game's memory was written over with noise, so that it shows unusual colours."""
    rng, found = np.random.default_rng(0), dict[int, tuple[int, ...]]()
    for _ in range(frames):
        for cell, value in rng.integers((128, 256), size=(20, 2)).tolist():
            ale.setRAM(cell, value)
        ale.act(ale_py.Action.NOOP)
        numbers, where = np.unique(ale.getScreen(), return_index=True)
        found |= zip(numbers.tolist(), map(tuple, ale.getScreenRGB().reshape(-1, 3)[where].tolist()), strict=True)
    return found


def assert_near(ours: np.ndarray, theirs: np.ndarray) -> None:
    gap = np.abs(ours.astype(int) - theirs)
    assert gap.max() <= LEVELS
    assert np.count_nonzero(gap) <= SHARE * gap.size


@pytest.mark.parametrize("game", ["assault", "atlantis"])
def test_numbers_on_the_screen_are_the_colours_that_the_emulator_says(game: str) -> None:
    found = colours_shown(emulator(game), 30)
    assert len(found) > 40
    assert found == {number: tuple(PALETTE[number].tolist()) for number in found}


@pytest.mark.slow
def test_all_128_colours_are_those_of_the_emulator() -> None:
    found: dict[int, tuple[int, ...]] = {}
    for game in games.TABLE6:
        found |= colours_shown(emulator(game), 40)
    assert found == {number: tuple(PALETTE[number].tolist()) for number in found}
    assert set(range(0, 256, 2)) <= set(found)


def test_luminance_is_that_of_cv2_for_every_pair_of_colours() -> None:
    pairs = np.maximum(PALETTE[:, None], PALETTE[None])
    np.testing.assert_array_equal(luminance(pairs), cv2.cvtColor(pairs, cv2.COLOR_RGB2GRAY))


def test_what_is_seen_is_the_gray_of_the_maximum_of_both_screens() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(256, size=NTSC, dtype=np.uint8)
    second = np.where(rng.random(NTSC) < 0.1, rng.integers(256, size=NTSC), first).astype(np.uint8)
    seen = frame_of(first, second)
    assert_near(seen, by_cv2(PALETTE[first], PALETTE[second]))
    red, blue = (np.full(NTSC, number, np.uint8) for number in (0x40, 0x80))
    of_both = cv2.cvtColor(np.maximum(PALETTE[red], PALETTE[blue]), cv2.COLOR_RGB2GRAY).max()
    assert of_both > max(cv2.cvtColor(PALETTE[one], cv2.COLOR_RGB2GRAY).max() for one in (red, blue))
    assert (frame_of(red, blue) == of_both).all()


@pytest.mark.parametrize("height", [214, 220, 230, 250])
def test_taller_screens_are_seen_in_their_own_colours(height: int) -> None:
    first, second = np.random.default_rng(height).integers(256, size=(2, height, 160, 3), dtype=np.uint8)
    assert_near(frame_of(first, second), by_cv2(first, second))


def test_an_area_is_the_rounded_mean_of_its_pixels() -> None:
    """Each of the 84 x 84 covers 2.5 x 40/21 pixels: one lit pixel at the corner is 1 of these 100/21."""
    numbers = np.zeros(NTSC, np.uint8)
    numbers[0, 0] = 0x0E  # luminance 236
    seen = frame_of(numbers, numbers)
    assert seen[0, 0] == round(236 * 21 / 100)
    seen[0, 0] = 0
    assert not seen.any()


def test_the_first_screen_may_stand_for_both() -> None:
    shown = Shown()
    screens = Screens(shown)
    shown.image = np.full(NTSC, 0x0E, np.uint8)
    screens.look_first()
    shown.image = np.full(NTSC, 0x02, np.uint8)
    screens.look(alone=True)
    assert (screens.frame() == 74).all()
