"""Observations of bytes: from the environment to the network they stay bytes, whole and in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ppo.algorithms.ppo.step import Rows, Samples
from ppo.collect import Collector
from ppo.config.compose import compose
from ppo.data import Bools, Floats, Length, Obs, Rollout, RolloutSpec, Space
from ppo.envs.base import Actions, Generators, Spec, Step
from ppo.learning import faults
from ppo.learning.filters import ObsFilter
from ppo.networks.acting import UniformActor
from ppo.networks.base import Affine, Body
from ppo.networks.layers import Dense
from ppo.pack import Pack
from ppo.streams import make_streams
from tests.ppo.handmade import rollout_of, toy_pack

FRAME = Space((2, 3, 4), np.dtype(np.uint8))
SPEC = Spec(FRAME, Actions(3, True, np.zeros(1), np.full(1, 2.0)))


class Film:
    """Shows frames of noise; the reward is 1 for the choice that the first pixel names."""

    spec = SPEC
    inexact: ClassVar[dict[int, str]] = {}

    def __init__(self, generators: Generators) -> None:
        self.generators, self.failures, self.time = generators, dict[int, Exception](), 0
        self.shown: list[Obs] = []

    def look(self) -> Obs:
        frames = [[g.integers(0, 256, FRAME.shape, np.uint8) for g in lane] for lane in self.generators]
        self.shown.append(np.array(frames))
        return self.shown[-1].copy()

    def reset(self) -> Obs:
        return self.look()

    def step(self, action: Floats) -> Step:
        self.time += 1
        right = action[..., 0] == self.shown[-1][..., 0, 0, 0] % 3
        final, over = self.look(), np.full(right.shape, self.time % 5 == 0)
        return Step(self.look() if over.all() else final, right.astype(float), over, np.zeros_like(over), final)

    def set_active(self, actors: Bools) -> None:
        """All are."""

    def close(self, lane: int) -> None:
        pass


@dataclass(frozen=True)
class Pixels(Body):
    """A linear layer of pixels, which it takes as bytes."""

    name: ClassVar[str] = "pixels"
    shared: ClassVar[bool] = True  # type: ignore[misc]
    seen: ClassVar[list[Any]] = []  # dtypes

    width: int

    def check(self, obs: Space) -> None:
        assert obs == FRAME

    def features(self, obs: Space) -> int:
        return self.width

    def module(self, obs: Space, generator: torch.Generator) -> nn.Module:
        return Flat(obs.size, self.width, generator)

    def prepare(self, weights: Mapping[str, np.ndarray]) -> Any:
        return weights["layer.weight"], weights["layer.bias"]

    def forward(self, prepared: Any, x: np.ndarray, affine: Affine) -> np.ndarray:
        self.seen.append(x.dtype)
        return affine(x.reshape(*x.shape[:2], -1).astype(np.float32) / 255, *prepared)


class Flat(nn.Module):
    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = Dense(inputs, outputs, scale=1.0, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        Pixels.seen.append(x.dtype)
        return self.layer(x.flatten(-3).float() / 255)


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    Pixels.seen.clear()


def film_pack(*overrides: str, seeds: tuple[int, ...] = (0, 1)) -> Pack:
    small = ("horizon=16", "minibatch_size=8", "epochs=2", "normalize_obs=false")
    configs = [compose([*(f"algorithm.{o}" for o in small), *overrides, f"seed={seed}"]) for seed in seeds]
    return toy_pack([replace(config, network=Pixels(5)) for config in configs], Film)


def filmed(*, keep_final: bool = True) -> tuple[Film, Rollout]:
    streams = [make_streams(seed, 1) for seed in (0, 1)]
    film = Film([s.envs for s in streams])
    wanted = RolloutSpec(Length(7), keep_final=keep_final)
    collector, see = Collector(film, streams), ObsFilter(2, FRAME, "off")
    return film, collector.collect(UniformActor(SPEC.action), see, wanted, steps=np.zeros(2, int))


def test_a_rollout_holds_frames_as_the_bytes_that_were_shown() -> None:
    film, rollout = filmed()
    assert rollout.final_obs is not None
    assert (rollout.obs.dtype, rollout.final_obs.dtype) == (np.uint8, np.uint8)
    assert rollout.obs.shape == (2, 8, 1, *FRAME.shape)
    shown = np.stack(film.shown, 1)  # 0 to 5, where 5 is an episode's last; 6 begins the next one
    np.testing.assert_array_equal(rollout.obs, shown[:, [0, 1, 2, 3, 4, 6, 7, 8]])
    np.testing.assert_array_equal(rollout.final_obs, shown[:, [1, 2, 3, 4, 5, 7, 8]])


def test_the_samples_of_a_rollout_are_views_of_its_frames() -> None:
    _, rollout = filmed(keep_final=False)
    assert rollout.flat_obs.shape == (2, 7, *FRAME.shape)
    assert rollout.flat_obs.dtype == np.uint8
    np.testing.assert_array_equal(rollout.flat_obs, rollout.obs[:, :-1, 0])


def test_frames_are_always_finite_and_rewards_are_still_looked_at() -> None:
    _, rollout = filmed()
    assert faults.find(rollout, 1.0) == {}
    rollout.reward[1, 2] = np.nan
    assert faults.find(rollout, 1.0)[1].steps == 3


def test_a_filter_that_is_off_passes_frames_on_as_they_are() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, *FRAME.shape), np.uint8)
    obs_filter = ObsFilter(2, FRAME, "off")
    obs_filter.update(rollout_of(frames))
    seen = obs_filter(frames)
    assert seen.dtype == np.uint8
    assert np.shares_memory(seen, frames)


def test_networks_get_bytes_whether_they_act_judge_or_learn() -> None:
    pack = film_pack()
    pack.iterate()
    assert set(Pixels.seen) == {np.dtype(np.uint8), torch.uint8}


def test_rows_hold_frames_as_they_are_beside_numbers_in_single_precision() -> None:
    frames, scalar = torch.zeros(2, 5, *FRAME.shape, dtype=torch.uint8), torch.zeros(2, 5)
    rows = Rows.of(Samples(frames, torch.zeros(2, 5, 1), torch.zeros(2, 5, 3), scalar, scalar, scalar, scalar))
    assert rows.obs is frames
    assert (rows.rest.dtype, rows.rest.shape) == (torch.float32, (2, 5, 8))


def test_a_run_of_frames_has_the_same_parameters_alone_and_in_packs() -> None:
    def theta(*seeds: int) -> Tensor:
        pack = film_pack(seeds=seeds)
        for _ in range(3):
            pack.iterate()
        return pack.learner.theta

    three = theta(0, 1, 2)
    assert torch.equal(theta(1)[0], three[1])
    assert torch.equal(theta(2, 0)[:2], three[[2, 0]])
    assert not torch.equal(three[0], three[1])


def test_every_minibatch_of_frames_is_learned_from() -> None:
    pack = film_pack("algorithm.horizon=64", "algorithm.minibatch_size=16", "algorithm.lr=0.01")
    before = pack.learner.theta.clone()
    columns = pack.iterate().columns[0]
    assert columns["skipped"].tolist() == [0, 0]
    assert np.isfinite(columns["explained_variance"]).all()
    assert (pack.learner.adam.steps == 8).all()
    assert (pack.learner.theta != before).any(1).all()
