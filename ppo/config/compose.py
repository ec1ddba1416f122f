"""From Hydra overrides to runs: `conf/` composed by Hydra, every mistake in one sentence (law 7)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ppo.config.effects import Explicit, check_effects, check_experiment, without_unused_surrogate
from ppo.config.files import first_line, text_of
from ppo.config.groups import CONF, EXPERIMENT, add_config_dir, check_choice, config_dirs, experiment, groups
from ppo.config.overrides import check_complete, expand, leaves, parse, updated
from ppo.config.run import Config, to_config
from ppo.config.schema import Interpolated
from ppo.config.splice import spliced
from ppo.errors import UserError

__all__ = [
    "CONF", "add_config_dir", "apply", "checked", "compose", "compose_mapping", "expand", "groups", "load_mapping",
    "parse", "unresolved", "yaml_values",
]  # fmt: skip

Values = dict[str, Any]
STUMBLES = (  # what Hydra raises of what it cannot compose
    HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError,
    AssertionError,
)  # fmt: skip


def compose(overrides: Sequence[str] = ()) -> Config:
    """The run that Hydra overrides describe: `env=hopper surrogate=clip surrogate.epsilon=0.2 seed=0`.

    Raises UserError for anything unknown, impossible or without effect.
    """
    return checked(*compose_mapping(overrides))


def checked(values: Mapping[str, Any], explicit: Explicit) -> Config:
    """The run of a composed mapping. A choice made explicitly must have an effect; the yaml's own need not.

    `explicit`: dotted keys that somebody chose -> how, as the subject of a sentence.
    """
    config = to_config(without_unused_surrogate(values, explicit))
    check_effects(config, explicit)
    return config


def compose_mapping(overrides: Sequence[str]) -> tuple[Values, dict[str, str]]:
    """The composed, resolved mapping, not yet checked against the schema, and what of it was chosen explicitly."""
    parsed = [o for o in parse(overrides) if o.is_delete() or (o.key_or_group, o.value()) != (EXPERIMENT, None)]
    chosen: dict[str, Any] = {}  # group -> choice
    lines, rest = [], []
    for override in parsed:
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} is invalid: expected one value; add -m to train one run for each.")
        group = override.key_or_group.lstrip("/")
        if group not in groups() or isinstance(override.value(), dict):
            rest.append(override)
            continue
        if not override.is_delete():
            check_choice(group, override.value())
            chosen[group] = override.value()
        lines.append(str(override.input_line))
    name = chosen.pop(EXPERIMENT, None)
    explicit = {key: str(override.input_line) for override in parsed for key, _ in leaves(override)}
    if name is not None:
        found = experiment(name)
        explicit = {key: f"{key} of experiment={name}" for key in (*found.choices, *found.keys)} | explicit
    values = _values(tuple(lines), rest, parsed)
    if EXPERIMENT in values:
        raise UserError(f"experiment={name} is invalid: expected '# @package _global_' as the first line of its yaml.")
    if name is not None:
        check_experiment(name, values, chosen)
    return values, explicit


def _values(choices: tuple[str, ...], rest: Sequence[Override], parsed: Sequence[Override]) -> Values:
    """The resolved values of choices and other overrides."""
    if any(o.is_add() or o.is_force_add() or o.is_delete() or o.package is not None for o in parsed):
        values = _resolved(_composed(config_dirs(), tuple(str(o.input_line) for o in parsed)))
        check_complete(values)
        return values
    base = _base(config_dirs(), choices)
    if base.interpolates or any("${" in str(o.input_line) for o in rest):
        return _applied(base.values, rest)
    return updated(base.values, rest)


# -- by Hydra ----------------------------------------------------------------------------------------------------------


class Base(NamedTuple):
    """What the yaml files say under some choices."""

    values: Values  # not resolved; shared, never to be written to
    interpolates: bool  # whether any value depends on another one


@lru_cache(maxsize=512)
def _base(folders: tuple[Path, ...], choices: tuple[str, ...]) -> Base:
    def of(some: tuple[str, ...]) -> Values:
        return _unresolved(folders, some)

    try:
        values = dict(spliced(choices, of))
    except UserError:  # of a choice that cannot be composed without another
        values = of(choices)
    return Base(values, "${" in repr(values))


@lru_cache(maxsize=512)
def _unresolved(folders: tuple[Path, ...], choices: tuple[str, ...]) -> Values:
    return _plain(_composed(folders, choices), resolve=False)


def _composed(folders: tuple[Path, ...], overrides: tuple[str, ...]) -> DictConfig:
    """The root config under overrides, as Hydra composes it."""
    quoted = ["'file://" + str(folder).replace("'", "\\'") + "'" for folder in folders[1:]]
    search = [f"hydra.searchpath=[{','.join(quoted)}]"] if quoted else []
    with _outside_of_hydra(), initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            return hydra_compose("config", overrides=[*search, *overrides])
        except STUMBLES as error:
            raise UserError(f"the config cannot be composed ({first_line(error)}).") from None


@contextmanager
def _outside_of_hydra() -> Iterator[None]:
    """While open, no application of Hydra's is running: it refuses to compose inside one (-m)."""
    running = GlobalHydra.instance()
    app, running.hydra = running.hydra, None
    try:
        yield
    finally:
        running.hydra = app


def yaml_values(algorithm: str, surrogate: str | None, network: str) -> Values:
    """The values that conf/ gives a run with these choices, each under the name of its yaml; without its task.

    A group whose choice has no yaml of its name is left out.
    """
    wanted = {"algorithm": algorithm, "surrogate": surrogate}
    known = {group: name for group, name in wanted.items() if name in groups()[group]}
    lines = tuple(f"{group}={name}" for group, name in known.items())
    values = _base(config_dirs(), lines).values
    if network != values["network"].get("name") and network in groups()["network"]:
        values = _base(config_dirs(), (*lines, f"network={network}")).values
    missing = {group for group in wanted if group not in known}
    return {key: value for key, value in values.items() if key not in ("env", *missing)}


def suite_values(suite: str) -> Values:
    """The values that conf/ gives tasks of a suite, in the yaml of its name; none if it has no such yaml."""
    return _base(config_dirs(), (f"env={suite}",)).values["env"] if suite in groups()["env"] else {}


def usual_network(suite: str, algorithm: str) -> str | None:
    """The name of the network that the yaml files of a suite and of an algorithm choose."""
    chosen = {"env": suite, "algorithm": algorithm}
    lines = tuple(f"{group}={name}" for group, name in chosen.items() if name in groups()[group])
    name = _base(config_dirs(), lines).values["network"].get("name")
    return None if name is None else str(name)


# -- resolving ---------------------------------------------------------------------------------------------------------


def apply(config: DictConfig, overrides: Sequence[Override]) -> Values:
    """The values of a config with those of keys that are there already set, some by interpolations, and resolved."""
    return _applied(_plain(config, resolve=False), overrides)


def _applied(values: Values, overrides: Sequence[Override]) -> Values:
    new = _resolved(OmegaConf.create(updated(values, overrides)))
    check_complete(new)
    return new


def _resolved(config: DictConfig) -> Values:
    values, raw = _plain(config, resolve=True), _plain(config, resolve=False)
    return {key: _noted(value, raw[key]) for key, value in values.items()}


def _noted(value: Any, raw: Any) -> Any:
    """A resolved value, strings that come from interpolations marked as such."""
    if isinstance(raw, str) and "${" in raw and isinstance(value, str):
        return Interpolated(value)
    if isinstance(raw, dict) and isinstance(value, dict):
        return {key: _noted(inner, raw[key]) for key, inner in value.items()}
    if isinstance(raw, list) and isinstance(value, list):
        return [_noted(a, b) for a, b in zip(value, raw, strict=True)]
    return value


def _plain(config: DictConfig, *, resolve: bool) -> Values:
    try:
        values = OmegaConf.to_container(config, resolve=resolve, throw_on_missing=False)
    except (OmegaConfBaseException, RecursionError) as error:
        raise UserError(f"{unresolved(error)}.") from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def unresolved(error: Exception) -> str:
    """What is wrong with a value that depends on another one, and where."""
    key = getattr(error, "full_key", None)
    what = key or "the config"
    return f"{what} cannot be resolved ({first_line(error)})"


def load_mapping(path: Path, overrides: Sequence[str]) -> tuple[Values, dict[str, str]]:
    """The mapping of a run folder's `config.yaml`, with overrides of its values, and what they chose explicitly."""
    try:
        # Plain yaml does not read 3e-4 as a number.
        content = OmegaConf.load(io.StringIO(text_of(path, mapping=True)))
    except (OSError, yaml.YAMLError, OmegaConfBaseException, RecursionError, AttributeError) as error:
        raise UserError(f"{path} cannot be read as a config ({first_line(error)}).") from None
    if not isinstance(content, DictConfig) or not content:
        raise UserError(f"{path} cannot be read as a config: expected a mapping of keys.")
    parsed = parse(overrides)
    return apply(content, parsed), {key: str(o.input_line) for o in parsed for key, _ in leaves(o)}
