"""Made-up learners and experience of the baselines (TRPO, vanilla PG, A2C, CEM): small, random, the same every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from ppo.config.compose import compose
from ppo.data import Floats, Moment, Rollout
from ppo.envs.base import Spec
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from tests.ppo.algorithms.fakes import of_algorithm
from tests.ppo.handmade import box, choice, filter_of, learner_of

SPEC, CHOICES = box(3, 2), choice(3, 4)
DOUBLE = torch.float64
START = np.zeros(3)  # progress of three lanes
SMALL = {
    "trpo": ["horizon=40", "value_minibatch_size=8", "value_epochs=2"],
    "vpg": ["batch_steps=16", "value_minibatch_size=8", "value_epochs=2"],
    "a2c": ["horizon=5", "num_actors=4"],
    "cem": ["num_actors=10"],
}


def make_learner(family: str, *overrides: str, lanes: Sequence[Sequence[str]] = ((), (), ()), spec: Spec = SPEC) -> Any:
    """A pack of runs that share `overrides`; seeds are 0, 1, 2 unless a lane's own overrides say otherwise."""
    shared = of_algorithm(["network.hidden=[4]", *SMALL[family], *overrides])
    configs = []
    for i, own in enumerate(lanes):
        chosen = [] if any(o.startswith("algorithm=") for o in own) else [f"algorithm={family}"]
        configs.append(compose([*chosen, *shared, f"seed={i}", *own, "env.time_limit=20"]))
    return learner_of(configs, spec)


def make_filter(lanes: int = 3) -> ObsFilter:
    return filter_of(lanes, SPEC.obs.size)


def make_rollout(
    horizon: int = 40, actors: int = 1, *, steps: Sequence[Sequence[int]] | None = None, keep_final: bool = False,
    seed: int = 0,
) -> Rollout:  # fmt: skip
    """Three lanes of made-up experience, far from mean 0 and deviation 1, in which episodes end now and then.

    `steps` [lanes][actors]: after how many, with the end of an episode, an actor rests; then everything is 0.
    """
    rng = np.random.default_rng(seed)
    grid = (3, horizon, actors)
    obs, ends = rng.normal(7.0, 3.0, (3, horizon + 1, actors, 3)), rng.random(grid)
    reward, action = rng.normal(size=grid), rng.normal(size=(*grid, 2)).astype(np.float32)
    terminated, truncated = ends < 0.1, (ends > 0.1) & (ends < 0.2)
    final_obs = obs[:, 1:].copy()
    final_obs[terminated | truncated] += 1.0  # not what the next episode starts with
    stepped = None
    if steps is not None:
        left = np.array(steps)[:, None] - np.arange(horizon)[:, None]
        stepped = left > 0
        terminated |= (left == 1) & ~truncated
        for array in (obs[:, :-1], reward, action, terminated, truncated, final_obs):
            array[~stepped] = 0
    taken = np.full(3, horizon * actors) if stepped is None else stepped.sum((1, 2))
    final = final_obs if keep_final else None
    return Rollout(
        obs, final, torch.from_numpy(action), reward, terminated, truncated, stepped, taken, [[] for _ in range(3)]
    )


def learn(learner: Any, rollout: Rollout, progress: Floats = START, obs_filter: ObsFilter | None = None) -> dict:
    """One iteration as `Pack` does it: the filter takes the observations in between the two halves."""
    obs_filter = obs_filter or make_filter()
    batch = learner.estimate_advantages(rollout, obs_filter)
    obs_filter.update(rollout)
    return learner.update(batch, Moment(progress, obs_filter))


def policy(network: FlatNetwork, theta: Tensor, obs: Tensor) -> Independent:
    """torch's own Gaussian of the same network."""
    mean, log_std = network.policy(theta, obs).chunk(2, -1)
    return Independent(Normal(mean, log_std.exp()), 1)


def filtered(obs_filter: ObsFilter, rollout: Rollout) -> Tensor:
    """The rollout's observations [L, B, obs] as networks see them, in double precision."""
    return torch.from_numpy(obs_filter(rollout.flat_obs)).double()


def actions(rollout: Rollout) -> Tensor:
    """The rollout's actions [L, B, action], in double precision."""
    return rollout.action.reshape(3, -1, rollout.action.shape[-1]).double()


def alike(rollout: Rollout) -> Rollout:
    """The first lane's experience in every lane."""
    columns = ["obs", "final_obs", "action", "reward", "terminated", "truncated", "stepped", "taken"]
    present = {name: x for name in columns if (x := getattr(rollout, name)) is not None}
    return rollout._replace(**{name: x[[0, 0, 0]] for name, x in present.items()})


class Call(NamedTuple):
    """What a function was given, as it was then, and what it returned."""

    arguments: list[Any]
    result: Any


class Spy:
    """Takes the place of a function and writes down its calls; `meanwhile` is asked for a note before each."""

    def __init__(self, owner: Any, name: str, meanwhile: Callable[[], Any] = lambda: None) -> None:
        self.function, self.meanwhile = getattr(owner, name), meanwhile
        self.calls: list[Call] = []
        self.notes: list[Any] = []
        setattr(owner, name, self)

    def __call__(self, *arguments: Any) -> Any:
        self.notes.append(self.meanwhile())
        kept = [x.clone() if isinstance(x, Tensor) else x for x in arguments]
        result = self.function(*arguments)
        self.calls.append(Call(kept, result))
        return result
