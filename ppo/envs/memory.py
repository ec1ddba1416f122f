"""The memory that a run needs, estimated before anything starts, against what this machine or a job has."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ppo.config.run import Config
from ppo.config.schema import cached
from ppo.data import Space
from ppo.envs.base import Actions, Spec, Suite
from ppo.errors import UserError, shown

FLOAT32, FLOAT64 = 4, 8
COPIES = 8  # of the weights: parameters, gradient, two moments, a copy for acting, a checkpoint and its making
ACTOR = 50_000  # bytes of one simulator, at least
LARGE = Spec(  # larger than any task that is known
    Space((100_000,), np.dtype(np.float64)), Actions(1000, False, np.zeros(0), np.zeros(0))
)
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_memory(configs: Iterable[Config], available: int | None = None) -> None:
    """UserError if one of some runs alone needs more memory than there is.

    `available`: bytes, if not those of this machine. A task is only made, to see its spaces, where a large one would be
    too much.
    """
    limit = installed() if available is None else available
    for config in {(c.env, c.network, c.algorithm): c for c in configs}.values():
        _check(config, limit)


def _check(config: Config, limit: int) -> None:
    if needed(config, LARGE) <= limit:
        return
    if (found := needed(config, _spec(config.env))) > limit:
        raise UserError(
            f"{_largest(config)} is invalid: expected a run that fits into {limit / 1e9:,.1f} GB of memory; "
            f"this one needs about {found / 1e9:,.1f} GB."
        )


def needed(config: Config, spec: Spec) -> int:
    """Bytes that a run takes, roughly and rather too few: weights, a rollout, its update, simulators."""
    return sum(_parts(config, spec).values())


def _parts(config: Config, spec: Spec) -> dict[str, int]:
    """Bytes by the key that they grow with most."""
    algorithm = config.algorithm
    copies = COPIES + (2 * algorithm.num_actors if algorithm.weights_per_actor else 0)
    steps = algorithm.num_actors * _horizon(config)
    step = spec.obs.size * (spec.obs.dtype.itemsize + FLOAT32) + spec.action.columns * FLOAT64 + 6 * FLOAT64
    return {
        "network": copies * _weights(config, spec) * FLOAT32,
        "algorithm.horizon": steps * step,
        "algorithm.num_actors": algorithm.num_actors * ACTOR,
    }


def _weights(config: Config, spec: Spec) -> int:
    network = config.network
    heads = (network.features(spec.obs) + 1) * (spec.action.size + 1)
    return (1 if network.shared else 2) * network.weights(spec.obs) + heads


def _horizon(config: Config) -> int:
    """Steps of each actor that a rollout has room for."""
    algorithm = config.algorithm
    if algorithm.whole_episodes:
        return algorithm.batch.steps // algorithm.num_actors + (config.env.episode_limit() or 1)
    return int(getattr(algorithm, "horizon", algorithm.batch.steps // algorithm.num_actors))


def _largest(config: Config) -> str:
    """The key that most of the memory is due to, and its value."""
    parts = _parts(config, _spec(config.env))
    key = max(parts, key=lambda name: parts[name])
    if key == "network":
        hidden = getattr(config.network, "hidden", None)
        return f"network.name={config.network.name}" if hidden is None else f"network.hidden={shown(hidden)}"
    horizon = getattr(config.algorithm, "horizon", None)
    if key == "algorithm.num_actors" or horizon is None:
        return f"algorithm.num_actors={config.algorithm.num_actors}"
    return f"algorithm.horizon={horizon} with num_actors={config.algorithm.num_actors}"


@cached
def _spec(env: Suite) -> Spec:
    return env.make([[np.random.default_rng(0)]], np.zeros(1, dtype=np.uint32)).spec


def installed() -> int:
    """Bytes of memory of this machine, or of the control group that we are in, if that has fewer."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # a system without them
        return 1 << 62
    return min([total, *filter(None, map(_limit, CGROUPS))])


def _limit(path: str) -> int:
    """A control group's limit; 0 if there is none."""
    try:
        return int(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
