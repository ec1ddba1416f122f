"""What a run is: the schema of `conf/` as frozen dataclasses, and the checks between keys (DESIGN: words, law 7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ppo.config.algorithms import A2C, ALGORITHMS, CEM, PPO, TRPO, VPG, WHOLE_EPISODES, Algorithm
from ppo.config.schema import Count, Natural, NonNegative, Positive, build
from ppo.errors import UserError, near


@dataclass(frozen=True)
class Env:
    """A task: which suite steps it, its Gymnasium id, and when an episode is cut."""

    suite: Literal["mujoco", "gymnasium"]
    id: str
    time_limit: Count | None


@dataclass(frozen=True)
class Surrogate:
    """Which objective is maximised, and its coefficients; those its kind does not have are None."""

    name: str
    epsilon: Positive | None = None
    reading: Literal["ratio", "objective"] | None = None
    d_targ: Positive | None = None
    beta: Positive | None = None


@dataclass(frozen=True)
class Execution:
    """Where and how fast a run is trained; no part of what it is."""

    outputs: str
    run_dir: str | None
    resume: bool
    device: Literal["cpu", "cuda"]
    threads: Count
    compile: Literal["auto", True, False]
    checkpoint_seconds: NonNegative
    interpolation: bool = False  # the default is for runs that were written down before there was this key


SURROGATES: dict[str, tuple[str, ...]] = {  # name -> the coefficients it has
    "none": (),
    "clip": ("epsilon",),
    "clip_log": ("epsilon", "reading"),
    "kl_fixed": ("beta",),
    "kl_adaptive": ("d_targ", "beta"),
}
EXECUTION_KEYS = tuple(f.name for f in fields(Execution))


@dataclass(frozen=True)
class Config:
    """One run, and how to execute it."""

    env: Env
    algorithm: Algorithm
    surrogate: Surrogate | None  # None: the algorithm maximises none
    seed: Natural
    total_steps: Count
    execution: Execution

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration; the least, of an algorithm that collects whole episodes."""
        return self.algorithm.batch_size

    @property
    def iterations(self) -> int:
        """Iterations until `total_steps` are reached; the most, of an algorithm that collects whole episodes."""
        return math.ceil(self.total_steps / self.batch_size)

    @property
    def goal(self) -> int:
        """Environment steps at which the run is done: `total_steps`, rounded up where iterations have a fixed size."""
        fixed = not isinstance(self.algorithm, WHOLE_EPISODES)
        return self.iterations * self.batch_size if fixed else self.total_steps


def to_config(values: Mapping[str, Any]) -> Config:
    """The run that a composed mapping describes; UserError for anything unknown or impossible."""
    rest = dict(values)
    execution = build(Execution, {k: rest.pop(k) for k in EXECUTION_KEYS if k in rest})
    algorithm, surrogate = rest.pop("algorithm", None), rest.pop("surrogate", None)
    head = build(_Head, rest)
    config = Config(
        env=head.env,
        algorithm=_algorithm(algorithm),
        surrogate=_surrogate(surrogate) if _name(algorithm, "algorithm") == "ppo" else None,
        seed=head.seed,
        total_steps=head.total_steps,
        execution=execution,
    )
    _check(config)
    return config


def to_mapping(config: Config) -> dict[str, Any]:
    """The plain mapping that `to_config` makes the same run from: the content of a run's `config.yaml`."""
    values = asdict(config) | {"algorithm": _plain(asdict(config.algorithm))}
    values |= values.pop("execution")
    if config.surrogate is None:
        del values["surrogate"]
    else:
        values["surrogate"] = {k: v for k, v in asdict(config.surrogate).items() if v is not None}
    return values


@dataclass(frozen=True)
class _Head:
    env: Env
    seed: Natural
    total_steps: Count


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    network = values["network"] | {"hidden": list(values["network"]["hidden"])}
    return values | {"network": network}


def _name(values: Any, key: str) -> str:
    if not isinstance(values, Mapping) or "name" not in values:
        raise UserError(f"{key}.name is missing: a group of keys with a name is needed.")
    return str(values["name"])


def _algorithm(values: Any) -> Algorithm:
    name = _name(values, "algorithm")
    if name not in ALGORITHMS:
        raise UserError(f"algorithm.name={name} is unknown: {near(name, ALGORITHMS)}.")
    return build(ALGORITHMS[name], values, "algorithm.")


def _surrogate(values: Any) -> Surrogate:
    name = _name(values, "surrogate")
    if name not in SURROGATES:
        raise UserError(f"surrogate.name={name} is unknown: {near(name, SURROGATES)}.")
    surrogate = build(Surrogate, values, "surrogate.")
    for key in ("epsilon", "reading", "d_targ", "beta"):
        given, needed = getattr(surrogate, key), key in SURROGATES[name]
        if given is None and needed:
            raise UserError(f"surrogate.{key} is missing: surrogate {name} needs it.")
        if given is not None and not needed:
            raise UserError(f"surrogate.{key}={given} is not possible: surrogate {name} has no {key}.")
    if surrogate.reading == "objective" and surrogate.epsilon is not None and surrogate.epsilon >= 1:
        raise UserError(f"surrogate.epsilon={surrogate.epsilon} is not possible: log(1 - epsilon) needs it below 1.")
    return surrogate


def _check(config: Config) -> None:
    """The conditions that tie keys to one another."""
    algorithm, batch = config.algorithm, config.batch_size
    if config.total_steps < batch:
        least = f"at least {_size(algorithm)} is allowed"
        raise UserError(f"total_steps={config.total_steps} is below one iteration: {least}.")
    if isinstance(algorithm, (PPO, TRPO)):
        key = "minibatch_size" if isinstance(algorithm, PPO) else "value_minibatch_size"
        if batch % (size := getattr(algorithm, key)):
            raise UserError(f"algorithm.{key}={size} does not divide {_size(algorithm)}: a divisor is allowed.")
    if isinstance(algorithm, (TRPO, VPG)) and algorithm.network.shared:
        reason = f"{algorithm.name} trains policy and value function by different rules"
        raise UserError(f"algorithm.network.shared=true is not possible: {reason}; allowed is false.")
    if config.execution.interpolation and not isinstance(algorithm, PPO):
        raise UserError(f"interpolation=true is not possible with {algorithm.name}: Figure 2 is of ppo's first update.")
    if isinstance(algorithm, (TRPO, A2C)):
        _check_variant(algorithm)
    if isinstance(algorithm, PPO):
        _check_ppo(algorithm)
    elif algorithm.network.log_std_final is not None:
        given = f"algorithm.network.log_std_final={algorithm.network.log_std_final}"
        raise UserError(f"{given} is not possible: only ppo anneals it (Table 4); allowed is null.")


def _check_variant(algorithm: TRPO | A2C) -> None:
    """Two names of one family differ in one key: else one training would have two."""
    if isinstance(algorithm, TRPO):
        key, varies, names = "train_log_std", not algorithm.train_log_std, ("trpo", "trpo_2017")
    else:
        key, varies, names = "trust_region", algorithm.trust_region is not None, ("a2c", "a2c_trust_region")
    if algorithm.name != names[varies]:
        shown = str(getattr(algorithm, key)).lower().replace("none", "null")
        given = f"algorithm.{key}={shown} is not possible with {algorithm.name}"
        raise UserError(f"{given}: take algorithm={names[varies]}.")


def _check_ppo(algorithm: PPO) -> None:
    if algorithm.minibatch_size < 2 and algorithm.normalize_adv == "minibatch":
        raise UserError("algorithm.minibatch_size=1 leaves nothing to normalize per minibatch: at least 2 is allowed.")
    if (algorithm.lr_schedule == "kl") != (algorithm.lr_kl_target is not None):
        shown = "null" if algorithm.lr_kl_target is None else algorithm.lr_kl_target
        allowed = "a number above 0 with lr_schedule=kl, null with others"
        raise UserError(f"algorithm.lr_kl_target={shown} is not possible: allowed is {allowed}.")


def _size(algorithm: Algorithm) -> str:
    """How an iteration comes to its size, in words."""
    match algorithm:
        case VPG():
            return f"batch_steps = {algorithm.batch_size}"
        case CEM():
            return f"num_actors = {algorithm.batch_size}"
        case A2C():
            factors = "num_actors * horizon * updates"
            product: tuple[int, ...] = (algorithm.num_actors, algorithm.horizon, algorithm.updates)
        case _:
            factors, product = "num_actors * horizon", (algorithm.num_actors, algorithm.horizon)
    return f"{factors} = {' * '.join(map(str, product))} = {algorithm.batch_size}"
