"""What an agent sees of a game: the luminance of its last two screens' maximum, in 84 x 84 (section 6.4).

Equal to cv2's RGB2GRAY of the maximum per colour, then its INTER_AREA. Areas are summed exactly, as whole numbers, so
alike on every machine; where cv2's single precision leads to the other side of a half, the two differ by one level.
"""

from __future__ import annotations

import math

import numpy as np
from ale_py import ALEInterface
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Frame = NDArray[np.uint32]  # [84, 84], each 0 to 255

SIDE = 84
NTSC = (210, 160)  # the screen whose colours are below; the few taller ones have others
COLOURS = (  # RGB of the 128 colours of the NTSC palette, one hue a line
    "0000004a4a4a6f6f6f8e8e8eaaaaaac0c0c0d6d6d6ececec48480069690f86861da2a22abbbb35d2d240e8e84afcfc54"
    "7c2c00904811a26221b47a30c3903dd2a44adfb755ecc860901c00a33915b55328c66c3ad5824ae39759f0aa67fcbc74"
    "940000a71a1ab83232c84848d65c5ce46f6ff08080fc909084006497197aa8308fb846a2c659b3d46cc3e07cd2ec8ce0"
    "50008468199a7d30ad9246c0a459d0b56ce0c57ceed48cfc140090331aa34e32b56848c67f5cd5956fe3a980f0bc90fc"
    "000094181aa72d32b84248c8545cd6656fe47580f08490fc001c88183b9d2d57b04272c2548ad265a0e175b5ef84c8fc"
    "0030641850802d6d984288b054a0c565b7d975cceb84e0fc00403018624e2d8169429e8254b89965d1ae75e7c284fcd4"
    "0044001a661a32843248a0485cba5c6fd26f80e88090fc90143c00355f18527e2d6e9c4287b7549ed065b4e775c8fc84"
    "3038005059166d762b88923ea0ab4fb7c25fccd86ee0ec7c482c00694d14866a26a28638bb9f47d2b656e8cc63fce070"
)


def luminance(rgb: Bytes) -> Bytes:
    """The luminance of colours [..., 3], rounded as cv2 does."""
    return ((rgb.astype(np.uint32) @ np.array([9798, 19235, 3735], np.uint32) + (1 << 14)) >> 15).astype(np.uint8)


def _tables() -> tuple[bytes, Bytes]:
    """The luminance of each number on a screen, and [256, 256] of the maximum per colour of two of them."""
    rgb = np.frombuffer(bytes.fromhex("".join(COLOURS)), np.uint8).reshape(128, 3).repeat(2, 0)
    return luminance(rgb).tobytes(), luminance(np.maximum(rgb[:, None], rgb[None]))


_OF_ONE, _OF_TWO = _tables()


def _shares(pixels: int) -> tuple[NDArray[np.float32], int]:
    """How a block of pixels is shared out over its block of the 84, [pixels, few], and how many such blocks there are.

    The shares are whole numbers; those of one of the 84 add up to the pixels of a block.
    """
    blocks = math.gcd(pixels, SIDE)
    few, many = SIDE // blocks, pixels // blocks
    pixel, small = np.arange(many)[:, None], np.arange(few)[None]
    share = np.minimum((pixel + 1) * few, (small + 1) * many) - np.maximum(pixel * few, small * many)
    return np.maximum(share, 0).astype(np.float32), blocks


class Screens:
    """The last two screens of one game."""

    def __init__(self, ale: ALEInterface) -> None:
        height, width = ale.getScreenDims()
        self._ale = ale
        self._coloured = (height, width) != NTSC
        shape = (height, width, 3) if self._coloured else (height, width)
        self._first, self._second = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        of_rows, blocks = _shares(height)
        self._of_rows = np.ascontiguousarray(of_rows.T)  # [small rows, rows] of a block
        self._of_columns, across = _shares(width)
        self._gray = np.empty((blocks, height // blocks, width), np.float32)
        self._flat = np.empty((blocks, SIDE // blocks, width), np.float32)
        self._sums = np.empty((SIDE * across, SIDE // across), np.float32)
        self._area = np.float32(height // blocks * (width // across))

    def look_first(self) -> None:
        """Take in the screen as the first of the two."""
        self._look(self._first)

    def look(self, *, alone: bool = False) -> None:
        """Take in the screen as the second of the two, or as both."""
        self._look(self._second)
        if alone:
            self._first[:] = self._second

    def frame(self) -> Frame:
        """The two as one frame; a new array."""
        np.copyto(self._gray, self._luminance().reshape(self._gray.shape))
        np.matmul(self._of_rows, self._gray, out=self._flat)
        np.dot(self._flat.reshape(len(self._sums), -1), self._of_columns, out=self._sums)
        sums = np.divide(self._sums, self._area, out=self._sums)
        return np.rint(sums, out=sums).astype(np.uint32).reshape(SIDE, SIDE)

    def _look(self, into: Bytes) -> None:
        if self._coloured:
            self._ale.getScreenRGB(into)
        else:
            self._ale.getScreen(into)

    def _luminance(self) -> Bytes:
        """Of the maximum per colour, which is not the maximum of both luminances."""
        if self._coloured:
            return luminance(np.maximum(self._first, self._second))
        gray = np.frombuffer(bytearray(self._second).translate(_OF_ONE), np.uint8)
        (changed,) = (self._first != self._second).ravel().nonzero()  # few: a table of pairs for those alone
        if len(changed):
            gray[changed] = _OF_TWO[self._first.ravel()[changed], self._second.ravel()[changed]]
        return gray
