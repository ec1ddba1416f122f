"""A pack: runs that share shapes and loop counts, trained in lock-step by one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ppo.collect import Collector
from ppo.config.run import Config
from ppo.data import Columns, Episode, Moment, PackSpec, Rollout, Table
from ppo.envs.base import Marker
from ppo.envs.foreign import Foreign
from ppo.learning.filters import ObsFilter
from ppo.networks.flat import FlatNetwork, Head
from ppo.policy import Policy
from ppo.streams import get_state, make_streams, set_state

MIN_LANES = 2  # the compiler writes other loops for a dimension of one, which round differently (law 1)
SCORE_EPISODES = 100


class Iteration(NamedTuple):
    """What one iteration came to, all that is to be recorded of it."""

    episodes: list[list[Episode]]  # per lane, in order of time
    columns: list[Columns]  # of each update
    summed: tuple[str, ...]  # columns that are added up over updates; of others the mean is taken
    artefacts: list[dict[str, Table]]  # per lane
    failures: dict[int, Exception]  # lane -> why it cannot go on

    def row(self, lane: int) -> dict[str, float]:
        """The algorithm's columns of a lane."""
        names = self.columns[0]
        values = {name: [float(columns[name][lane]) for columns in self.columns] for name in names}
        return {name: sum(v) if name in self.summed else sum(v) / len(v) for name, v in values.items()}


class Pack:
    """The training state of some runs, one lane each; a run alone has a spare lane beside it that is never stepped."""

    def __init__(self, configs: Sequence[Config], marker: Marker, *, compiled: bool) -> None:
        self.size = len(configs)
        first = configs[0]
        spare = MIN_LANES - self.size if first.network.mapped == "vmap" else 0
        configs = [*configs, *[first] * spare]
        self.configs, self.algorithm = configs, first.algorithm
        self.streams = [make_streams(c.seed, self.algorithm.num_actors) for c in configs]
        self.env = first.env.make([s.envs for s in self.streams], marker)
        self.foreign: Foreign | None = getattr(self.env, "foreign", None)
        network = FlatNetwork(self.env.spec, first.network, Head(self.algorithm.policy_scale, self.algorithm.log_std))
        device = first.execution.device
        theta = network.stack([network.init(_torch_generator(s.init)).to(device) for s in self.streams])
        self.obs_filter = ObsFilter(len(configs), self.env.spec.obs, self.algorithm.filtering)
        self.active = np.arange(len(configs)) < self.size
        spec = PackSpec(configs, network, theta, self.streams, compiled, self.active)
        self.learner = self.algorithm.learner(spec)
        self.collector = Collector(self.env, self.streams)
        self.total_steps = np.array([c.total_steps for c in configs])
        self.goals = np.array([c.goal for c in configs])
        self.steps = np.zeros(len(configs), dtype=np.int64)
        self.iterations = np.zeros(len(configs), dtype=np.int64)
        self.num_episodes = np.zeros(len(configs), dtype=np.int64)
        self.recent: list[deque[float]] = [deque(maxlen=SCORE_EPISODES) for _ in configs]
        self.collector.set_active(self.active)

    def iterate(self) -> Iteration:
        """One iteration of Algorithm 1, of as many rollouts as its algorithm wants."""
        if self.foreign is not None:
            self.foreign.refresh()
        lanes = range(len(self.steps))
        result = Iteration([[] for _ in lanes], [], self.algorithm.summed, [{} for _ in lanes], {})
        for _ in range(self.learner.rollout.updates):
            self._advance(result)
        self.iterations += self.active
        for lane in self.lanes:
            if self.algorithm.stuck(result.row(lane)):
                reason = f"every gradient step of iteration {self.iterations[lane]} was skipped"
                result.failures.setdefault(lane, FloatingPointError(f"{reason}: the gradient was not finite"))
        result.failures.update(self.env.failures)
        return result

    def _advance(self, result: Iteration) -> None:
        """Collect, estimate advantages, take the observations into the filter, update (Algorithm 1, lines 3 to 6)."""
        learner, see = self.learner, self.obs_filter
        rollout = self.collector.collect(learner.actor, see, learner.rollout, steps=self.steps)
        batch = learner.estimate_advantages(rollout, see)
        self.obs_filter.update(rollout)
        columns = learner.update(batch, Moment(self.steps / self.total_steps, see))
        result.columns.append(columns)
        self._count(rollout, result)
        self.steps += rollout.taken

    def _count(self, rollout: Rollout, result: Iteration) -> None:
        """Add a rollout's episodes, artefacts and faults to an iteration."""
        for lane in self.lanes:
            episodes = rollout.episodes[lane]
            result.episodes[lane].extend(episodes)
            result.artefacts[lane].update(self.learner.artefacts(lane))
            self.num_episodes[lane] += len(episodes)
            self.recent[lane].extend(e.ret for e in episodes)
        for lane, fault in rollout.faults.items():
            result.failures.setdefault(lane, fault.error(int(self.steps[lane])))

    @property
    def lanes(self) -> list[int]:
        """The lanes still in training."""
        return [int(lane) for lane in np.flatnonzero(self.active)]

    def policy(self, lane: int, **facts: Any) -> Policy:
        """What one run has learned, with facts about it for whoever uses it."""
        theta = self.learner.learned(lane).detach().cpu().clone()
        return Policy(self.configs[lane], self.env.spec, theta, self.obs_filter.scaling(lane), facts)

    def retire(self, lane: int) -> None:
        """Stop training a lane: it is done or cannot go on."""
        self.active[lane] = False
        self.collector.set_active(self.active)
        self.env.close(lane)

    def close(self) -> None:
        """Let go of what the environments hold: nothing is trained any more."""
        for lane in range(len(self.streams)):
            self.env.close(lane)

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
        self.iterations[lane] = state["iteration"]
        self.recent[lane] = deque(state["recent"], maxlen=SCORE_EPISODES)
        self.learner.set_state(lane, state["learner"])
        self.obs_filter.set_state(lane, state["obs_filter"])
        self.collector.set_state(lane, state["collector"])
        for name, value in state["streams"].items():
            set_state(getattr(self.streams[lane], name), value)


def _torch_generator(generator: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(generator.integers(2**63)))
