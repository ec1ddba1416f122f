"""From Hydra overrides to runs: `conf/` composed, every mistake told in one sentence (DESIGN: law 7)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ppo.config.run import Config, to_config
from ppo.errors import UserError, near

CONF = Path(__file__).resolve().parents[2] / "conf"


def compose(overrides: Sequence[str] = ()) -> Config:
    """The run that Hydra overrides describe: `env=hopper surrogate=clip surrogate.epsilon=0.2 seed=0`.

    Raises UserError for anything unknown or impossible.
    """
    return to_config(compose_mapping(overrides))


def compose_mapping(overrides: Sequence[str]) -> dict[str, Any]:
    """The composed, resolved mapping, not yet checked against the schema."""
    parsed = parse(overrides)
    for override in parsed:
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} names several values: add -m to train them all.")
    choices = tuple(f"{o.key_or_group}={_choice(o)}" for o in parsed if o.key_or_group in groups())
    return apply(_composed(choices), [o for o in parsed if o.key_or_group not in groups()])


def load_mapping(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The mapping of a run folder's `config.yaml`, with overrides of its values."""
    try:
        content = OmegaConf.load(path)  # reads 3e-4 as a number, which plain yaml does not
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path} cannot be read as a config ({_first_line(error)}).") from None
    if not isinstance(content, DictConfig) or not content:
        raise UserError(f"{path} cannot be read as a config: it must be a mapping of keys.")
    return apply(content, parse(overrides))


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Hydra's multirun grammar: the product of all values, the last axis fastest; every run's own overrides."""
    axes = []
    for override in parse(overrides):
        if override.is_sweep_override():
            axes.append(_values(override))
        else:
            axes.append([override.input_line or ""])
    return [list(combination) for combination in itertools.product(*axes)]


def _values(override: Override) -> list[str]:
    """One override for each value of an axis."""
    if override.value_type in (ValueType.GLOB_CHOICE_SWEEP, ValueType.INTERVAL_SWEEP):
        raise UserError(f"{override.input_line!s} is not possible: list the choices, a,b,c.")
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def parse(overrides: Sequence[str]) -> list[Override]:
    """Hydra's own parser; UserError where it does not understand."""
    return [_parse(override) for override in overrides]


@lru_cache(maxsize=4096)  # a sweep says the same few things again and again
def _parse(override: str) -> Override:
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise UserError(f"{override!r} is not an override ({_first_line(error)}): key=value is allowed.") from None


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


@lru_cache
def groups() -> dict[str, tuple[str, ...]]:
    """The config groups of a run and what can be chosen in each; env/mujoco is no choice but what others build on."""
    defaults = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    names = [name for entry in defaults if isinstance(entry, dict) for name in entry]
    return {n: tuple(sorted(f.stem for f in (CONF / n).glob("*.yaml") if f.stem != "mujoco")) for n in names}


def _choice(override: Override) -> str:
    choice, group = str(override.value()), override.key_or_group
    if override.is_add() or override.is_delete():
        raise UserError(f"{override.input_line!s} is not possible: {group}=CHOICE is allowed.")
    if choice not in groups()[group]:
        raise UserError(f"{group}={choice} is unknown: {near(choice, groups()[group])}.")
    return choice


def _composed(choices: Iterable[str]) -> DictConfig:
    """The root config with these choices. No group's yaml looks into another's, so each is composed once."""
    config = _compose_by_hydra().copy()
    for choice in choices:
        group = choice.partition("=")[0]
        config[group] = _compose_by_hydra(choice)[group]
    return config


@lru_cache
def _compose_by_hydra(*choices: str) -> DictConfig:
    running = GlobalHydra.instance()
    app, running.hydra = running.hydra, None  # Hydra refuses to compose inside one of its applications (-m)
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra_compose("config", overrides=list(choices))
    finally:
        running.hydra = app


def apply(config: DictConfig, overrides: Iterable[Override]) -> dict[str, Any]:
    """Set values of keys that are there already, and resolve."""
    OmegaConf.set_struct(config, True)
    for override in overrides:
        if override.is_delete():
            raise UserError(f"{override.input_line} is not possible: keys cannot be removed.")
        for key, value in _leaves(override.key_or_group, override.value()):
            if not _has(config, key):
                raise UserError(f"unknown key {key}: {near(key, _siblings(config, key))}.")
            if OmegaConf.is_dict(OmegaConf.select(config, key)):
                raise UserError(f"{key}={value!s} is not possible: {key} is a group of keys.")
            OmegaConf.update(config, key, value)
    try:
        values = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    except OmegaConfBaseException as error:
        raise UserError(f"the config cannot be resolved: {_first_line(error)}.") from None
    assert isinstance(values, dict)
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise UserError(f"{missing[0]} is missing: give {missing[0]}=VALUE.")
    return {str(k): v for k, v in values.items()}


def _leaves(key: str, value: Any) -> list[tuple[str, Any]]:
    """A value under its dotted key; a mapping's values each under their own."""
    if not isinstance(value, dict) or not value:
        return [(key, value)]
    return [leaf for name, inner in value.items() for leaf in _leaves(f"{key}.{name!s}", inner)]


def _has(config: DictConfig, key: str) -> bool:
    parent, leaf = _parent(config, key)
    return isinstance(parent, DictConfig) and leaf in parent.keys()  # noqa: SIM118 - "in" is false for missing values


def _parent(config: DictConfig, key: str) -> tuple[Any, str]:
    path, _, leaf = key.rpartition(".")
    try:
        return (OmegaConf.select(config, path) if path else config), leaf
    except OmegaConfBaseException:
        return None, leaf


def _siblings(config: DictConfig, key: str) -> list[str]:
    """The keys beside which `key` would stand; those of the root where it has no parent."""
    parent = _parent(config, key)[0]
    path = key.rpartition(".")[0] if isinstance(parent, DictConfig) else ""
    node = parent if path else config
    return [f"{path}.{name!s}" if path else str(name) for name in node.keys()]  # noqa: SIM118
