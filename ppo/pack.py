"""A pack: runs that share shapes and loop counts, trained in lock-step by one process (DESIGN: words, law 1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ppo import envs
from ppo.algorithms import make_learner
from ppo.collect import Collector, Episode, not_finite
from ppo.config.run import Config
from ppo.envs.base import Floats
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork
from ppo.streams import get_state, make_streams, set_state

SUMMED = ("skipped",)  # columns of an iteration that are sums over its updates; others are means
MIN_LANES = 2  # the compiler writes other loops for a dimension of one, which round differently (law 1)
SCORE_EPISODES = 100


class Iteration(NamedTuple):
    """What one iteration came to."""

    episodes: list[list[Episode]]  # per lane, in order of time
    columns: list[dict[str, Floats]]  # of each update, what to record [L]
    broken: dict[int, int]  # lane -> environment step at which a reward or observation was not finite

    def row(self, lane: int) -> dict[str, float]:
        """What to record of a lane."""
        names = self.columns[0]
        values = {name: [float(columns[name][lane]) for columns in self.columns] for name in names}
        return {name: sum(v) if name in SUMMED else sum(v) / len(v) for name, v in values.items()}


class Pack:
    """The training state of some runs, one lane each; a run alone has a spare lane beside it that is never stepped."""

    def __init__(self, configs: Sequence[Config]) -> None:
        self.size = len(configs)
        configs = [*configs, *[configs[0]] * (MIN_LANES - self.size)]
        first = configs[0]
        self._batch_size = first.batch_size
        self.streams = [make_streams(c.seed, first.algorithm.num_actors) for c in configs]
        self.env = envs.make(first.env.suite, first.env.id, first.env.time_limit, [s.envs for s in self.streams])
        network = FlatNetwork(self.env.spec, first.algorithm.network)
        theta = torch.stack([network.init(_torch_generator(s.init)) for s in self.streams])
        self.obs_filter = ObsFilter(
            len(configs), self.env.spec.obs_size, enabled=getattr(first.algorithm, "normalize_obs", True)
        )
        self.learner = make_learner(configs, network, theta.to(first.execution.device), self.streams)
        self.collector = Collector(self.env, self.streams)
        self.total_steps = np.array([c.total_steps for c in configs])
        self.goals = np.array([c.goal for c in configs])
        self.steps = np.zeros(len(configs), dtype=np.int64)
        self.iterations = np.zeros(len(configs), dtype=np.int64)
        self.num_episodes = np.zeros(len(configs), dtype=np.int64)
        self.recent: list[deque[float]] = [deque(maxlen=SCORE_EPISODES) for _ in configs]
        self.active = np.arange(len(configs)) < self.size
        self.collector.set_active(self.active)

    def iterate(self) -> Iteration:
        """One iteration of Algorithm 1, of as many rollouts as its algorithm wants."""
        result = Iteration([[] for _ in self.steps], [], {})
        for _ in range(self.learner.updates):
            self._advance(result)
        self.iterations += self.active
        return result

    def _advance(self, result: Iteration) -> None:
        """Collect, estimate advantages, update (Algorithm 1, lines 3 to 6)."""
        rollout = self.collector.collect(
            self.learner.actor,
            self.obs_filter,
            self.learner.length,
            steps=self.steps,
            keep_final=self.learner.keep_final,
        )
        batch = self.learner.estimate_advantages(rollout, self.obs_filter)
        result.columns.append(self.learner.update(batch, self.obs_filter, self.steps / self.total_steps))
        for lane in self.lanes:
            episodes = rollout.episodes[lane]
            result.episodes[lane].extend(episodes)
            self.num_episodes[lane] += len(episodes)
            self.recent[lane].extend(e.ret for e in episodes)
        for lane, step in not_finite(rollout).items():
            result.broken.setdefault(lane, int(self.steps[lane]) + step)
        self.steps += rollout.taken

    @property
    def lanes(self) -> list[int]:
        """The lanes still in training."""
        return [int(lane) for lane in np.flatnonzero(self.active)]

    def retire(self, lane: int) -> None:
        """Stop training a lane: it is done or cannot go on."""
        self.active[lane] = False
        self.collector.set_active(self.active)

    def score(self, lane: int) -> float:
        """Mean raw return of the last 100 completed episodes; NaN before the first."""
        return float(np.mean(self.recent[lane])) if self.recent[lane] else float("nan")

    def get_state(self, lane: int) -> dict[str, Any]:
        """Everything needed to go on with the same bits, in any pack."""
        streams = self.streams[lane]
        return {
            "step": int(self.steps[lane]),
            "iteration": int(self.iterations[lane]),
            "episodes": int(self.num_episodes[lane]),
            "recent": list(self.recent[lane]),
            "learner": self.learner.get_state(lane),
            "obs_filter": self.obs_filter.get_state(lane),
            "collector": self.collector.get_state(lane),
            "streams": {"action": get_state(streams.action), "order": get_state(streams.order)},
        }

    def set_state(self, lane: int, state: dict[str, Any]) -> None:
        """Put one lane to a state of `get_state`."""
        self.steps[lane], self.num_episodes[lane] = state["step"], state["episodes"]
        self.iterations[lane] = state.get("iteration", state["step"] // self._batch_size)  # earlier versions had none
        self.recent[lane] = deque(state["recent"], maxlen=SCORE_EPISODES)
        self.learner.set_state(lane, state["learner"])
        self.obs_filter.set_state(lane, state["obs_filter"])
        self.collector.set_state(lane, state["collector"])
        for name, value in state["streams"].items():
            set_state(getattr(self.streams[lane], name), value)


def _torch_generator(generator: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(generator.integers(2**63)))
