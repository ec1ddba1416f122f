"""Made-up learners, rollouts and minibatches: small, random, and the same every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ppo.algorithms.ppo.learner import PPOLearner
from ppo.algorithms.ppo.step import Coefficients, MinibatchStep, Samples, Stats
from ppo.collect import Rollout
from ppo.config.compose import compose
from ppo.envs.base import Floats, Spec
from ppo.learning.adam import AdamState
from ppo.learning.filters import ObsFilter
from ppo.learning.surrogates import OBJECTIVES
from ppo.networks.flat import FlatNetwork
from ppo.streams import make_streams

# -- a learner and its experience --------------------------------------------------------------------------------------

SPEC = Spec(3, 2, False, -np.ones(2), np.ones(2))
SMALL = ["horizon=32", "minibatch_size=8", "epochs=3", "network.hidden=[4]"]
START = np.zeros(3)  # progress of three lanes


def make_learner(*overrides: str, lanes: Sequence[Sequence[str]] = ((), (), ())) -> PPOLearner:
    """A pack of runs that share `overrides`; seeds are 0, 1, 2 unless a lane's own overrides say otherwise."""
    shared = [f"algorithm.{o}" for o in (*SMALL, *overrides)]
    configs = [compose([*shared, f"seed={i}", *own, "compile=false"]) for i, own in enumerate(lanes)]
    streams = [make_streams(c.seed, c.algorithm.num_actors) for c in configs]
    network = FlatNetwork(SPEC, configs[0].algorithm.network)
    theta = torch.stack([network.init(torch.Generator().manual_seed(c.seed)) for c in configs])
    return PPOLearner(configs, network, theta, streams)


def make_filter(lanes: int = 3) -> ObsFilter:
    return ObsFilter(lanes, SPEC.obs_size, enabled=True)


def make_rollout(horizon: int = 32, actors: int = 1, *, keep_final: bool = False, seed: int = 0) -> Rollout:
    """Three lanes of made-up experience, far from mean 0 and deviation 1, in which episodes end now and then."""
    rng = np.random.default_rng(seed)
    grid = (3, horizon, actors)
    obs = rng.normal(7.0, 3.0, (3, horizon + 1, actors, 3))
    ends = rng.random(grid)
    terminated, truncated = ends < 0.1, (ends > 0.1) & (ends < 0.2)
    final_obs = obs[:, 1:].copy()
    final_obs[terminated | truncated] += 1.0  # not what the next episode starts with
    action = torch.from_numpy(rng.normal(size=(*grid, 2))).float()
    final = final_obs if keep_final else None
    reward, taken = rng.normal(size=grid), np.full(3, horizon * actors)
    return Rollout(obs, final, action, reward, terminated, truncated, None, taken, [[], [], []])


def learn(learner: PPOLearner, rollout: Rollout, progress: Floats = START, obs_filter: ObsFilter | None = None) -> dict:
    obs_filter = obs_filter or make_filter()
    return learner.update(learner.estimate_advantages(rollout, obs_filter), obs_filter, progress)


class Spy:
    """Writes down what each minibatch step is given, and takes it."""

    def __init__(self, learner: PPOLearner) -> None:
        self.take, learner._step = learner._step, self
        self.theta: list[Tensor] = []
        self.samples: list[Tensor] = []
        self.coefficients: list[Coefficients] = []

    def __call__(self, theta: Tensor, adam: object, totals: Tensor, samples: Tensor, coefficients: Tensor) -> None:
        self.theta.append(theta.clone())
        self.samples.append(samples.clone())
        self.coefficients.append(Coefficients(*coefficients.unbind(-1)))
        self.take(theta, adam, totals, samples, coefficients)


# -- one minibatch step ------------------------------------------------------------------------------------------------

DOUBLE = torch.float64
EPSILON, BETA = 0.2, 3.0


def make_step(*overrides: str, obs_size: int = 3, action_size: int = 2) -> tuple[FlatNetwork, MinibatchStep]:
    """A step of Table 3 with a small network and these overrides of its keys."""
    settings = compose([f"algorithm.{o}" for o in ("network.hidden=[5]", *overrides)]).algorithm
    spec = Spec(obs_size, action_size, False, -np.ones(action_size), np.ones(action_size))
    network = FlatNetwork(spec, settings.network)
    return network, MinibatchStep(network, settings)


def coefficients(objective: str = "clip", **others: float) -> Tensor:
    values = {"epsilon": EPSILON, "beta": BETA, "lr": 1e-3, "adam_epsilon": 1e-30, "c1": 1.0, "c2": 0.0}
    values |= {"max_grad_norm": 0.0, "value_clip": 0.0} | others
    values["objective"] = list(OBJECTIVES).index(objective)
    return torch.tensor([values[name] for name in Coefficients._fields], dtype=DOUBLE)


def parameters(network: FlatNetwork, seed: int = 0) -> Tensor:
    """theta [n], every one of them at work, biases too."""
    size = sum(network.sizes)
    return 0.5 * torch.randn(size, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def random_samples(network: FlatNetwork, theta_old: Tensor, size: int = 64, seed: int = 1) -> Samples:
    """A minibatch collected with theta_old."""
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(size, network.spec.obs_size, dtype=DOUBLE, generator=generator)
    dist_old = network.policy(theta_old, obs)
    mean, log_std = dist_old.chunk(2, -1)
    action = mean + log_std.exp() * torch.randn(mean.shape, dtype=DOUBLE, generator=generator)
    logp_old = network.distribution.logp(dist_old, action)
    adv, value, value_target = torch.randn(3, size, dtype=DOUBLE, generator=generator)
    return Samples(obs, action, dist_old, logp_old, adv, value, value_target)


def rows(samples: Samples) -> Tensor:
    """Samples side by side, [M, columns]."""
    return torch.cat([x if x.ndim == 2 else x.unsqueeze(-1) for x in samples], -1)


def take(step: MinibatchStep, theta: Tensor, samples: Samples, c: Tensor) -> tuple[Tensor, AdamState, Stats]:
    """The first step of one run."""
    totals = torch.zeros(len(Stats._fields), dtype=DOUBLE)
    theta, adam, totals = step(theta, AdamState.zeros(theta), totals, rows(samples), c)
    return theta, adam, Stats(*totals)


def gradient(step: MinibatchStep, theta: Tensor, samples: Samples, c: Tensor) -> dict[str, Tensor]:
    """The gradient of the loss by parameter: after one step Adam's first moment is a tenth of it."""
    return step.network.unflatten(take(step, theta, samples, c)[1].m / 0.1)
