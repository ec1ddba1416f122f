"""A game of frames with lives, in which the best action can be seen: Atari as the learner knows it, and no emulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.run import Config, to_config, to_mapping
from ppo.data import Bools, Floats, Kind, Obs, Space
from ppo.envs.base import Actions, Game, Generators, Marker, Spec, Step, Suite
from tests.ppo.handmade import own_registries

COLUMNS, LIFE, LIVES = 3, 5, 2  # choices; steps of a life; lives of a game
SPEC = Spec(Space((84, 84, 4), np.dtype(np.uint8)), Actions(COLUMNS, True, np.zeros(1), np.full(1, COLUMNS - 1.0)))
PRIZE = 7.0


class Blocks:
    """A bright block stands in one of three columns: naming it is worth 7 points. Lives end, and then games do."""

    spec = SPEC
    inexact: ClassVar[dict[int, str]] = {}

    def __init__(self, generators: Generators) -> None:
        shape = (len(generators), len(generators[0]))
        self.generators, self.failures = generators, dict[int, Exception]()
        self.frames = np.zeros((*shape, *SPEC.obs.shape), np.uint8)
        self.block, self.time = np.zeros(shape, int), np.zeros(shape, int)
        self.score, self.active = np.zeros(shape), np.ones(shape, bool)

    def _show(self, lane: int, actor: int) -> None:
        generator, frames = self.generators[lane][actor], self.frames[lane, actor]
        block = self.block[lane, actor] = generator.integers(COLUMNS)
        frames[..., :3] = frames[..., 1:]
        frames[..., 3] = generator.integers(0, 60, (84, 84), np.uint8)
        frames[20:60, 28 * block : 28 * block + 28, 3] += 180

    def reset(self) -> Obs:
        for lane, actor in np.ndindex(*self.time.shape):
            self._show(lane, actor)
        return self.frames.copy()

    def step(self, action: Floats) -> Step:
        reward, over, games = np.zeros(self.time.shape), np.zeros(self.time.shape, bool), list[Game]()
        for lane, actor in zip(*np.nonzero(self.active), strict=True):
            reward[lane, actor] = PRIZE * (action[lane, actor, 0] == self.block[lane, actor])
            self.time[lane, actor] += 1
            self.score[lane, actor] += reward[lane, actor]
            over[lane, actor] = self.time[lane, actor] % LIFE == 0
            if self.time[lane, actor] == LIFE * LIVES:
                games.append(Game(int(lane), int(actor), float(self.score[lane, actor]), LIFE * LIVES))
                self.time[lane, actor] = self.score[lane, actor] = 0
            self._show(lane, actor)
        obs = self.frames.copy()
        return Step(obs, reward, over, np.zeros_like(over), obs, games)

    def set_active(self, actors: Bools) -> None:
        self.active = actors

    def close(self, lane: int) -> None:
        pass

    def get_state(self, lane: int) -> dict[str, Any]:
        arrays: dict[str, Any] = {key: getattr(self, key)[lane].tolist() for key in ("block", "time", "score")}
        arrays["frames"] = torch.from_numpy(self.frames[lane].copy())
        return arrays | {"generators": [dict(g.bit_generator.state) for g in self.generators[lane]]}

    def set_state(self, lane: int, state: dict[str, Any]) -> Obs | None:
        for key in ("block", "time", "score"):
            getattr(self, key)[lane] = state[key]
        self.frames[lane] = state["frames"].numpy()
        for generator, saved in zip(self.generators[lane], state["generators"], strict=True):
            generator.bit_generator.state = saved
        return None


@dataclass(frozen=True)
class BlockGame(Suite):
    """The suite of this one game."""

    name: ClassVar[str] = "tests/blocks"
    shows: ClassVar[Kind | None] = "frames"

    id: str
    time_limit: int | None

    def resolved(self) -> BlockGame:
        return replace(self)

    def check(self) -> None:
        """There is nothing to check."""

    def discrete(self) -> bool:
        return True

    def episode_limit(self) -> int:
        return LIFE

    def make(self, generators: Generators, marker: Marker) -> Blocks:
        return Blocks(generators)


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The game can be chosen in a config."""
    own_registries(monkeypatch)
    choices.suite(BlockGame.name)(BlockGame)


PPO = [
    "surrogate=clip", "algorithm.horizon=16", "algorithm.num_actors=4", "algorithm.minibatch_size=32",
    "algorithm.epochs=2", "algorithm.normalize_obs=false", "algorithm.reward=sign", "algorithm.c2=0.01",
]  # fmt: skip
A2C = ["algorithm=a2c", "algorithm.num_actors=4", "algorithm.updates=4", "algorithm.normalize_obs=false",
       "algorithm.reward=sign"]  # fmt: skip


def game(overrides: Sequence[str], network: str = "a3c_cnn", **keys: Any) -> Config:
    """A run of the game; `keys` of its network."""
    values = to_mapping(compose(list(overrides)))
    values |= {"env": {"suite": BlockGame.name, "id": "blocks", "time_limit": None}}
    return to_config(values | {"network": {"name": network, "shared": True, "precision": "float32"} | keys})
