"""What tests of one training are made of: spaces, packs of one learner, suites of one toy task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.run import Config, to_config, to_mapping
from ppo.data import PackSpec, Rollout, Space
from ppo.envs.base import Actions, Generators, LockStep, Marker, Spec, Suite
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork, Head
from ppo.pack import Pack
from ppo.streams import make_streams

Task = Callable[[Generators], LockStep]


def vectors(size: int) -> Space:
    """Observations of a physics simulator."""
    return Space((size,), np.dtype(np.float64))


def box(obs: int, actions: int, bound: float = 1.0) -> Spec:
    """Vectors, and actions within a bound on either side."""
    return Spec(vectors(obs), Actions(actions, False, np.full(actions, -bound), np.full(actions, bound)))


def choice(obs: int, count: int) -> Spec:
    """Vectors, and one of several choices."""
    return Spec(vectors(obs), Actions(count, True, np.zeros(1), np.full(1, count - 1.0)))


def head(config: Config) -> Head:
    return Head(config.algorithm.policy_scale, config.algorithm.log_std)


def pack_of(configs: Sequence[Config], spec: Spec, theta: torch.Tensor | None = None) -> PackSpec:
    """What a learner of these runs starts from, not compiled; each run's parameters follow from its seed."""
    network = FlatNetwork(spec, configs[0].network, head(configs[0]))
    if theta is None:
        theta = torch.stack([network.init(torch.Generator().manual_seed(c.seed)) for c in configs])
    streams = [make_streams(c.seed, c.algorithm.num_actors) for c in configs]
    return PackSpec(configs, network, theta, streams, compiled=False)


def learner_of(configs: Sequence[Config], spec: Spec) -> Any:
    """The learner of a pack of runs."""
    return configs[0].algorithm.learner(pack_of(configs, spec))


def rollout_of(obs: np.ndarray, stepped: np.ndarray | None = None) -> Rollout:
    """A rollout of one actor in which only these observations [L, T, *obs] matter, and who stepped [L, T]."""
    lanes, steps = obs.shape[:2]
    last = np.zeros((lanes, 1, *obs.shape[2:]), obs.dtype)
    none = np.zeros((lanes, steps, 1), bool)
    return Rollout(
        obs=np.concatenate([obs, last], 1)[:, :, None],
        final_obs=None,
        action=torch.zeros(lanes, steps, 1, 1),
        reward=np.zeros((lanes, steps, 1)),
        terminated=none,
        truncated=none,
        stepped=None if stepped is None else stepped.astype(bool)[..., None],
        taken=np.full(lanes, steps),
        episodes=[[] for _ in range(lanes)],
    )


def filter_of(lanes: int, size: int) -> ObsFilter:
    """A filter of vectors that every rollout updates."""
    return ObsFilter(lanes, vectors(size), "running")


# -- packs of a toy task -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Toy(Suite):
    """A suite of one task, made by a function; not registered, so that it trains in a `Pack` but in no run folder."""

    name: ClassVar[str] = "toy"

    task: Task
    id: str
    time_limit: int | None

    def check(self) -> None:
        """There is nothing to check."""

    def episode_limit(self) -> int | None:
        return self.time_limit

    def make(self, generators: Generators, marker: Marker) -> LockStep:
        return self.task(generators)


def toy_pack(configs: Sequence[Config], task: Task) -> Pack:
    """A pack of runs that have a toy task in place of their own, not compiled."""
    toys = [replace(c, env=Toy(task, "Toy", c.env.time_limit)) for c in configs]
    return Pack(toys, np.zeros(1 + len(toys), np.uint32), compiled=False)


# -- other people's choices --------------------------------------------------------------------------------------------


def own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers from now on is forgotten at its end."""
    for registry in (choices.algorithm, choices.network, choices.suite, choices.surrogate):
        registry.names()  # loads our own
        monkeypatch.setattr(registry, "_choices", dict(registry._choices))
        monkeypatch.setattr(registry, "_built", {})


def composed(overrides: Sequence[str], **groups: dict[str, Any]) -> Config:
    """The run of Hydra overrides, with other people's choices in place of some groups."""
    return to_config(to_mapping(compose(list(overrides))) | groups)


def records(folder: Path) -> tuple[bytes, bytes]:
    """A run's episodes.csv, and its updates.csv without the column of speeds."""
    rows = (folder / "updates.csv").read_bytes().splitlines()
    return (folder / "episodes.csv").read_bytes(), b"\n".join(row.rpartition(b",")[0] for row in rows)


def raising(error: BaseException) -> Callable[[], None]:
    """A function that raises an error."""

    def act() -> None:
        raise error

    return act
