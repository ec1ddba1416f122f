"""From Hydra overrides to runs: `conf/` composed by Hydra, every mistake in one sentence (law 7)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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

from ppo.config import choices, hints
from ppo.config.flatten import copied, flatten
from ppo.config.run import Config, to_config
from ppo.config.splice import spliced
from ppo.errors import UserError, invalid, unknown

PACKAGE = Path(__file__).resolve().parents[1]
CONF = next((path for path in (PACKAGE / "conf", PACKAGE.parent / "conf") if path.is_dir()), PACKAGE / "conf")
_extra: list[Path] = []  # folders of --config-dir, searched after conf/


def add_config_dir(folder: Path) -> None:
    """Search a folder for yaml files too; UserError if it is none."""
    if not folder.is_dir():
        raise UserError(f"--config-dir {folder} is invalid: expected a folder of yaml files.")
    if folder.resolve() not in _extra:
        _extra.append(folder.resolve())
        for cached in (groups, _composed, _container_of, _interpolates, _plain):
            cached.cache_clear()


def compose(overrides: Sequence[str] = ()) -> Config:
    """The run that Hydra overrides describe: `env=hopper surrogate=clip surrogate.epsilon=0.2 seed=0`.

    Raises UserError for anything unknown, impossible or without effect.
    """
    values, explicit = compose_mapping(overrides)
    return checked(values, explicit)


def checked(values: Mapping[str, Any], explicit: Mapping[str, str]) -> Config:
    """The run of a composed mapping. A choice made explicitly must have an effect; the yaml's own need not.

    `explicit`: dotted keys that somebody chose -> how they were spelled.
    """
    config = to_config(_without_unused_surrogate(values, explicit))
    for key, reason in config.algorithm.without_effect(config).items():
        for chosen, spelling in explicit.items():
            if chosen == key or chosen.startswith(f"{key}."):
                raise UserError(f"{spelling} has no effect: {reason}.")
    return config


def _without_unused_surrogate(values: Mapping[str, Any], explicit: Mapping[str, str]) -> dict[str, Any]:
    """The mapping without the default surrogate of an algorithm that maximises none."""
    algorithm = values.get("algorithm")
    name = algorithm.get("name") if isinstance(algorithm, Mapping) else None
    if name not in choices.algorithm.names() or choices.algorithm.find(name, "algorithm.name").takes_surrogate:
        return dict(values)
    for chosen, spelling in explicit.items():
        if chosen == "surrogate" or chosen.startswith("surrogate."):
            raise UserError(f"{spelling} has no effect: algorithm {name} maximises no surrogate.")
    return {key: value for key, value in values.items() if key != "surrogate"}


def compose_mapping(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The composed, resolved mapping, not yet checked against the schema, and what of it was chosen explicitly."""
    parsed = parse(overrides)
    for override in parsed:
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} names several values: add -m to train them all.")
    chosen = [o for o in parsed if _is_choice(o)]
    for override in chosen:
        _check_choice(override)
    explicit = {o.key_or_group.lstrip("/"): str(o.input_line) for o in parsed}
    for override in chosen:
        if override.key_or_group == "experiment" and override.value() is not None:
            explicit |= _chosen_by_experiment(str(override.value()))
    lines = tuple(str(o.input_line) for o in chosen)
    rest = [o for o in parsed if not _is_choice(o)]
    if any(o.is_add() or o.is_force_add() or o.is_delete() or o.package is not None for o in parsed):
        return _resolved(_composed(tuple(str(o.input_line) for o in parsed))), explicit
    if any("${" in str(o.input_line) for o in rest):
        return apply(_composed(lines).copy(), rest), explicit
    return _set(copied(_plain(lines)), rest), explicit


def _is_choice(override: Override) -> bool:
    return override.key_or_group.lstrip("/") in groups()


def _check_choice(override: Override) -> None:
    group = override.key_or_group.lstrip("/")
    if override.is_delete() or (group == "experiment" and override.value() is None):
        return
    choice = str(override.value())
    if choice not in groups()[group]:
        raise unknown(group, choice, groups()[group])


def _chosen_by_experiment(name: str) -> dict[str, str]:
    """The dotted keys that an experiment's yaml sets."""
    for folder in (*_extra, CONF):
        path = folder / "experiment" / f"{name}.yaml"
        if path.is_file():
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            listed = content.pop("defaults", [])
            names = [key for entry in listed if isinstance(entry, dict) for key in entry]
            keys = [key.removeprefix("override ").strip("/") for key in names]
            return dict.fromkeys([*keys, *flatten(content)], f"experiment={name}")
    return {}


# -- by Hydra --------------------------------------------------------------------------------------------------------


@lru_cache
def groups() -> dict[str, tuple[str, ...]]:
    """The config groups of a run and what can be chosen in each; files that only others build on are left out."""
    defaults = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    names = [name for entry in defaults if isinstance(entry, dict) for name in entry]
    return {name: tuple(sorted(_choices(name))) for name in names}


def _choices(group: str) -> set[str]:
    """The yaml files of a group; those whose first line says that others build on them are no choices."""
    paths = [path for folder in (CONF, *_extra) for path in (folder / group).glob("**/*.yaml")]
    roots = {path: next(f for f in (CONF, *_extra) if path.is_relative_to(f / group)) / group for path in paths}
    bases = {path for path in paths if path.read_text(encoding="utf-8").startswith("# Base")}
    return {path.relative_to(roots[path]).with_suffix("").as_posix() for path in paths if path not in bases}


@lru_cache(maxsize=512)
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    """The root config under overrides, as Hydra composes it."""
    search = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in _extra)}]"] if _extra else []
    with _outside_of_hydra(), initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            return hydra_compose("config", overrides=[*search, *overrides])
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(f"the config cannot be composed: {first_line(error)}.") from None


@lru_cache(maxsize=4096)
def _plain(choices: tuple[str, ...]) -> Mapping[str, Any]:
    """The composed, resolved mapping of these choices; to be copied before it is changed."""
    try:
        if not any(_interpolates(choice) for choice in choices):
            return spliced(choices, _container_of)
    except UserError:  # of a choice that cannot be composed without another
        pass
    return _container_of(choices)


@lru_cache(maxsize=512)
def _container_of(choices: tuple[str, ...]) -> dict[str, Any]:
    return _container(_composed(choices))


@lru_cache
def _interpolates(choice: str) -> bool:
    """Whether values of the composition of one choice are taken from others."""
    return "${" in OmegaConf.to_yaml(_composed((choice,)), resolve=False)


@contextmanager
def _outside_of_hydra() -> Iterator[None]:
    """While open, no application of Hydra's is running: it refuses to compose inside one (-m)."""
    running = GlobalHydra.instance()
    app, running.hydra = running.hydra, None
    try:
        yield
    finally:
        running.hydra = app


def yaml_values(algorithm: str, surrogate: str | None, network: str) -> dict[str, Any]:
    """The values that conf/ gives a run with these choices, each under the name of its yaml; {} for unknown ones."""
    wanted = {"algorithm": algorithm, "surrogate": surrogate}
    lines = tuple(f"{group}={name}" for group, name in wanted.items() if name is not None and name in groups()[group])
    values = _plain(lines)
    if network != values["network"].get("name") and network in groups()["network"]:
        values = _plain((*lines, f"network={network}"))
    return {key: value for key, value in values.items() if key != "env"} | {"env": {"time_limit": None}}


# -- overrides ---------------------------------------------------------------------------------------------------------


def parse(overrides: Sequence[str]) -> list[Override]:
    """Hydra's own parser; UserError where it does not understand."""
    return [_parse(override) for override in overrides]


@lru_cache(maxsize=65536)  # a sweep says the same few things again and again
def _parse(override: str) -> Override:
    key, _, value = override.partition("=")
    if key.lstrip("+") in ("outputs", "run_dir") and value.startswith("~"):
        override = f"{key}={Path(value).expanduser()}"  # not every shell does this, and Hydra's grammar has no ~
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise UserError(f"{override!r} is not an override ({first_line(error)}): expected key=value.") from None


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Hydra's multirun grammar: the product of all values, the last axis fastest; every run's own overrides."""
    axes = [_values(o) if o.is_sweep_override() else [o.input_line or ""] for o in parse(overrides)]
    return [list(combination) for combination in itertools.product(*axes)]


def _values(override: Override) -> list[str]:
    """One override for each value of an axis."""
    if override.value_type == ValueType.INTERVAL_SWEEP:
        raise UserError(f"{override.input_line} is invalid: expected values, a,b,c; intervals are for searches.")
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        names = groups().get(override.key_or_group, ())
        return [f"{override.key_or_group}={name}" for name in override.value().filter(list(names))]  # type: ignore[union-attr]
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _set(values: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """Set the values of keys that are there already, in place."""
    for override in overrides:
        for key, value in _leaves(override.key_or_group, override.value()):
            *path, leaf = key.split(".")
            node: Any = values
            for name in path:
                node = node.get(name) if isinstance(node, dict) else None
            if not isinstance(node, dict) or leaf not in node:
                raise hints.unknown_key(key, values)
            if isinstance(node[leaf], dict):
                raise invalid(key, value, f"one of its keys, {', '.join(f'{key}.{k}' for k in node[leaf])}")
            node[leaf] = value
    for key, value in flatten(values).items():
        if value == "???":
            raise UserError(f"{key} is missing: expected {key}=VALUE.")
    return values


def apply(config: DictConfig, overrides: Sequence[Override]) -> dict[str, Any]:
    """Set the values of keys that are there already, some of them interpolations, and resolve."""
    OmegaConf.set_struct(config, False)
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    values = {str(key): value for key, value in plain.items()}
    return _resolved(OmegaConf.create(_set(values, overrides)))


def _resolved(config: DictConfig) -> dict[str, Any]:
    values = _container(config)
    for key, value in flatten(values).items():
        if value == "???":
            raise UserError(f"{key} is missing: expected {key}=VALUE.")
    return values


def _container(config: DictConfig) -> dict[str, Any]:
    try:
        values = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    except OmegaConfBaseException as error:
        raise UserError(f"the config cannot be resolved: {first_line(error)}.") from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _leaves(key: str, value: Any) -> list[tuple[str, Any]]:
    """A value under its dotted key; a mapping's values each under their own."""
    if not isinstance(value, dict) or not value:
        return [(key, value)]
    return [found for name, inner in value.items() for found in _leaves(f"{key}.{name!s}", inner)]


def load_mapping(path: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The mapping of a run folder's `config.yaml`, with overrides of its values, and what they chose explicitly."""
    try:
        content = OmegaConf.load(path)  # reads 3e-4 as a number, which plain yaml does not
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise UserError(f"{path} cannot be read as a config ({first_line(error)}).") from None
    if not isinstance(content, DictConfig) or not content:
        raise UserError(f"{path} cannot be read as a config: expected a mapping of keys.")
    parsed = parse(overrides)
    return apply(content, parsed), {o.key_or_group: str(o.input_line) for o in parsed}


def first_line(error: Exception) -> str:
    """The first line of an error's message, without its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
