"""Made-up learners, rollouts and minibatches: small, random, and the same every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from ppo.algorithms.ppo.learner import PPOLearner
from ppo.algorithms.ppo.step import Coefficients, MinibatchStep, Rows, Samples, Stats
from ppo.config.compose import compose
from ppo.data import Floats, Moment, Rollout
from ppo.learning.adam import AdamState
from ppo.learning.filters import ObsFilter
from ppo.learning.objectives import Objectives
from ppo.learning.surrogates.base import Surrogate, Terms
from ppo.learning.surrogates.clip import Clip, ClipLog
from ppo.learning.surrogates.none import Unclipped
from ppo.learning.surrogates.penalty import AdaptiveKL, FixedKL
from ppo.networks.flat import FlatNetwork
from tests.ppo.handmade import box, filter_of, head, learner_of

# -- a learner and its experience --------------------------------------------------------------------------------------

SPEC = box(3, 2)
SMALL = ["horizon=32", "minibatch_size=8", "epochs=3", "network.hidden=[4]"]
START = np.zeros(3)  # progress of three lanes


def of_algorithm(overrides: Sequence[str]) -> list[str]:
    """Overrides of the algorithm's keys; those of the network are left as they are."""
    return [o if o.startswith("network.") else f"algorithm.{o}" for o in overrides]


def make_learner(*overrides: str, lanes: Sequence[Sequence[str]] = ((), (), ())) -> PPOLearner:
    """A pack of runs that share `overrides`; seeds are 0, 1, 2 unless a lane's own overrides say otherwise."""
    shared = of_algorithm([*SMALL, *overrides])
    return learner_of([compose([*shared, f"seed={i}", *own]) for i, own in enumerate(lanes)], SPEC)


def make_filter(lanes: int = 3) -> ObsFilter:
    return filter_of(lanes, SPEC.obs.size)


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
    """One iteration as `Pack` does it: the filter takes the observations in between the two halves."""
    obs_filter = obs_filter or make_filter()
    batch = learner.estimate_advantages(rollout, obs_filter)
    obs_filter.update(rollout)
    return learner.update(batch, Moment(progress, obs_filter))


class Spy:
    """Writes down what each minibatch step is given, and takes it."""

    def __init__(self, learner: PPOLearner) -> None:
        self.take, learner._step = learner._step, self
        self.named = MinibatchStep(learner.network, learner.schema, learner.objectives)
        self.theta: list[Tensor] = []
        self.samples: list[Samples] = []
        self.coefficients: list[Coefficients] = []
        self.epsilon: list[list[float]] = []  # of each lane: its clipping range
        self.beta: list[list[float]] = []  # of each lane: what one nat of KL costs

    def __call__(self, theta: Tensor, adam: object, totals: Tensor, minibatch: Rows, coefficients: Tensor) -> None:
        self.theta.append(theta.clone())
        self.samples.append(self.named.split(Rows(*(x.clone() for x in minibatch))))
        own = len(Coefficients._fields)
        self.coefficients.append(Coefficients(*coefficients[:, :own].unbind(-1)))
        zero, one = torch.zeros(len(theta)), torch.ones(len(theta))
        self.epsilon.append(vmap(self.named.objectives.clip_range_of)(coefficients[:, own:]).tolist())
        gained = vmap(self.named.objectives.choose)(coefficients[:, own:], Terms(zero, zero, one, one))
        self.beta.append((0 - gained).tolist())
        self.take(theta, adam, totals, minibatch, coefficients)


# -- one minibatch step ------------------------------------------------------------------------------------------------

DOUBLE = torch.float64
EPSILON, BETA = 0.25, 3.0  # exact in single precision, in which coefficients are
SURROGATES = ("none", "clip", "clip_log", "clip_log objective", "kl_fixed", "kl_adaptive")


def surrogate(name: str, epsilon: float = EPSILON, beta: float = BETA) -> Surrogate:
    """One of the paper's six."""
    return {
        "none": lambda: Unclipped(),
        "clip": lambda: Clip(epsilon),
        "clip_log": lambda: ClipLog(epsilon, "ratio"),
        "clip_log objective": lambda: ClipLog(epsilon, "objective"),
        "kl_fixed": lambda: FixedKL(beta),
        "kl_adaptive": lambda: AdaptiveKL(d_targ=0.01, beta=beta),
    }[name]()


def make_step(*overrides: str, obs_size: int = 3, action_size: int = 2) -> tuple[FlatNetwork, MinibatchStep]:
    """A step of Table 3 with a small network and these overrides of its keys; of any of the paper's surrogates."""
    config = compose(of_algorithm(["network.hidden=[5]", *overrides]))
    network = FlatNetwork(box(obs_size, action_size), config.network, head(config))
    return network, MinibatchStep(network, config.algorithm, Objectives([surrogate("clip")]))


def coefficients(name: str = "clip", *, epsilon: float = EPSILON, beta: float = BETA, **others: float) -> Tensor:
    """A run's row: what the step needs, then the surrogate's own."""
    values = {"lr": 1e-3, "adam_epsilon": 1e-30, "c1": 1.0, "c2": 0.0}
    values |= {"max_grad_norm": 0.0, "value_clip": 0.0} | others
    own = Objectives([surrogate(name, epsilon, beta)]).rows(np.ones(1))[0]
    return torch.cat([torch.tensor([values[key] for key in Coefficients._fields], dtype=DOUBLE), own.double()])


def parameters(network: FlatNetwork, seed: int = 0) -> Tensor:
    """theta [n], every one of them at work, biases too."""
    size = sum(network.sizes)
    return 0.5 * torch.randn(size, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def random_samples(network: FlatNetwork, theta_old: Tensor, size: int = 64, seed: int = 1) -> Samples:
    """A minibatch collected with theta_old."""
    generator = torch.Generator().manual_seed(seed)
    obs = torch.randn(size, network.spec.obs.size, dtype=DOUBLE, generator=generator)
    dist_old = network.policy(theta_old, obs)
    mean, log_std = dist_old.chunk(2, -1)
    action = mean + log_std.exp() * torch.randn(mean.shape, dtype=DOUBLE, generator=generator)
    logp_old = network.distribution.logp(dist_old, action)
    adv, value, value_target = torch.randn(3, size, dtype=DOUBLE, generator=generator)
    return Samples(obs, action, dist_old, logp_old, adv, value, value_target)


def stacked(samples: Sequence[Samples]) -> Rows:
    """The minibatches of some lanes, [L, M, ...]."""
    return Rows(*(torch.stack(columns) for columns in zip(*map(Rows.of, samples), strict=True)))


def take(step: MinibatchStep, theta: Tensor, samples: Samples, c: Tensor) -> tuple[Tensor, AdamState, Stats]:
    """The first step of one run."""
    totals = torch.zeros(len(Stats._fields), dtype=DOUBLE)
    theta, adam, totals = step(theta, AdamState.zeros(theta), totals, Rows.of(samples), c)
    return theta, adam, Stats(*totals)


def gradient(step: MinibatchStep, theta: Tensor, samples: Samples, c: Tensor) -> dict[str, Tensor]:
    """The gradient of the loss by parameter: after one step Adam's first moment is a tenth of it."""
    return step.network.unflatten(take(step, theta, samples, c)[1].m / 0.1)
