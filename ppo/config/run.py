"""What a run is: its choices, its seed and its length, as frozen dataclasses, and how to execute it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ppo.config import choices, old
from ppo.config.schema import ONE_PER_PACK, Added, Folder, Limit, Seconds, Seed, Steps, Threads, build, hints
from ppo.errors import UserError, did_you_mean, invalid

if TYPE_CHECKING:
    from ppo.algorithms.base import Algorithm
    from ppo.envs.base import Suite
    from ppo.learning.surrogates.base import Surrogate
    from ppo.networks.base import Body


@dataclass(frozen=True)
class Execution:
    """Where and how fast a run is trained; no part of what it is."""

    outputs: Folder
    run_dir: Folder | None
    resume: Literal[True, False, "force"]
    device: Annotated[Literal["cpu", "cuda"], ONE_PER_PACK]
    threads: Annotated[Threads, ONE_PER_PACK]
    compile: Annotated[Literal["auto", True, False], ONE_PER_PACK]
    checkpoint_seconds: Seconds
    step_seconds: Annotated[Limit, Added(neutral=600)]


@dataclass(frozen=True)
class Length:
    """Keys of a run beside its choices."""

    seed: Seed
    total_steps: Steps


@dataclass(frozen=True)
class Config:
    """One run, and how to execute it."""

    env: Suite
    network: Body
    algorithm: Algorithm
    surrogate: Surrogate | None  # None: the algorithm maximises none
    seed: int
    total_steps: int
    execution: Execution

    @property
    def batch_size(self) -> int:
        """Environment steps per iteration; the least, of an algorithm that collects whole episodes."""
        return self.algorithm.batch.steps

    @property
    def iterations(self) -> int:
        """Iterations until `total_steps` are reached; the most, of an algorithm that collects whole episodes."""
        return math.ceil(self.total_steps / self.batch_size)

    @property
    def goal(self) -> int:
        """Environment steps at which the run is done: `total_steps`, rounded up where iterations have a fixed size."""
        return self.total_steps if self.algorithm.whole_episodes else self.iterations * self.batch_size


GROUPS = {group: registry.label for group, registry in choices.GROUPS.items()}  # group -> the key that chooses
EXECUTION_KEYS = tuple(field.name for field in fields(Execution))
LENGTH = tuple(field.name for field in fields(Length))
KEYS = (*GROUPS, *LENGTH, *EXECUTION_KEYS)


def to_config(values: Mapping[str, Any]) -> Config:
    """The run that a mapping describes; UserError for anything unknown or impossible."""
    old.check(values)
    for key in values:
        if key not in KEYS:
            raise UserError(f"unknown key {key}: expected {', '.join(KEYS)}.{did_you_mean(str(key), KEYS)}")
    for group in ("env", "network", "algorithm"):
        if group not in values:
            raise UserError(f"{group} is missing: expected a mapping of keys with a {GROUPS[group]}.")
    length = build(Length, {key: values[key] for key in LENGTH if key in values})
    algorithm = choices.algorithm.build(values["algorithm"], "algorithm")
    config = Config(
        env=choices.suite.build(values["env"], "env").resolved(),
        network=choices.network.build(values["network"], "network"),
        algorithm=algorithm,
        surrogate=_surrogate(algorithm, values),
        seed=length.seed,
        total_steps=length.total_steps,
        execution=build(Execution, {key: values[key] for key in EXECUTION_KEYS if key in values}),
    )
    _check(config)
    return config


def _check(config: Config) -> None:
    """The conditions that tie choices to one another."""
    algorithm, env, network = config.algorithm, config.env, config.network
    if None not in (env.shows, network.takes) and env.shows != network.takes:
        raise invalid("network.name", network.name, f"a network for {env.shows}, which {env.id} shows")
    if network.mapped not in algorithm.maps:
        able = [n for n in choices.algorithm.names() if network.mapped in choices.algorithm.find(n, "").maps]
        raise invalid("algorithm.name", algorithm.name, f"{', '.join(able)} with network {network.name}")
    if env.shows == "frames" and algorithm.filtering == "running":
        raise invalid("algorithm.normalize_obs", True, f"false, since {env.id} shows frames")
    if config.total_steps < config.batch_size:
        raise invalid("total_steps", config.total_steps, f"at least one iteration, {algorithm.batch.words}")
    if algorithm.whole_episodes and env.episode_limit() is None:
        reason = f"{env.id} has no limit of its own, and {algorithm.name} collects whole episodes"
        raise invalid("env.time_limit", None, f"an integer of at least 1, since {reason}")
    algorithm.check(config)


def check_one_of_several(config: Config) -> None:
    """UserError for what only a run by itself can have."""
    if config.execution.run_dir is not None:
        expected = "outputs=FOLDER, since each of several runs has its own folder"
        raise invalid("run_dir", config.execution.run_dir, expected)
    if config.execution.resume is False:
        raise invalid("resume", False, "true or force, since several runs always resume")


def _surrogate(algorithm: Algorithm, values: Mapping[str, Any]) -> Surrogate | None:
    if algorithm.takes_surrogate:
        surrogate = choices.surrogate.build(values.get("surrogate", {}), "surrogate")
        surrogate.check()
        return surrogate
    if values.get("surrogate") is not None:
        reason = f"expected none with algorithm {algorithm.name}, which maximises no surrogate"
        raise UserError(f"surrogate is invalid: {reason}.")
    return None


def choice_mapping(choice: Any, group: str) -> dict[str, Any]:
    """A choice as its yaml: the key that names it, then its fields."""
    values = {GROUPS[group]: choice.name}
    for key in hints(type(choice)):
        value = getattr(choice, key)
        values[key] = value if isinstance(value, (int, float, str)) or value is None else _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return {key: _plain(getattr(value, key)) for key in hints(type(value))} if is_dataclass(value) else value


def to_mapping(config: Config) -> dict[str, Any]:
    """The plain mapping from which `to_config` makes the same run: the content of its `config.yaml`."""
    chosen = {group: getattr(config, group) for group in GROUPS if getattr(config, group) is not None}
    values: dict[str, Any] = {group: choice_mapping(choice, group) for group, choice in chosen.items()}
    values |= {key: getattr(config, key) for key in LENGTH}
    return values | {key: getattr(config.execution, key) for key in EXECUTION_KEYS}
