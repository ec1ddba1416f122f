"""The runs that a command describes, checked before anything starts."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from hydra.types import RunMode
from omegaconf import OmegaConf

from ppo.cli.app import ROOT_CONFIG, hydra_app, is_hydras, search_path, sentences
from ppo.config.compose import checked, compose, expand, load_mapping, parse
from ppo.config.files import dump, text_of
from ppo.config.flatten import flatten
from ppo.config.run import Config
from ppo.errors import UserError, invalid, shown


def runs_of(options: argparse.Namespace) -> list[list[str]]:
    """The overrides of each run, those for Hydra left out; UserError for these where they have no effect."""
    ours = [o for o in options.overrides if not is_hydras(o)]
    if options.multirun:
        return expand(ours)
    if ours != options.overrides:
        theirs = next(o for o in options.overrides if is_hydras(o))
        raise UserError(f"{theirs} has no effect on a single run: add -m.")
    given = {override.key_or_group: override.input_line for override in parse(ours)}
    if {"outputs", "run_dir"} <= set(given):
        raise UserError(f"{given['outputs']} has no effect: {given['run_dir']} is the run's folder.")
    return [ours]


def compose_run(options: argparse.Namespace, overrides: Sequence[str]) -> Config:
    """One run; UserError for anything unknown, impossible or without effect."""
    if options.config is not None:
        with in_file(options.config):
            return checked(*load_mapping(options.config.expanduser(), overrides))
    if options.config_name in (None, ROOT_CONFIG):
        return compose(overrides)
    with in_file(f"--config-name {options.config_name}"):
        return checked(*_from_root(options, overrides))


@contextmanager
def in_file(where: object) -> Iterator[None]:
    """While open, an error that does not name the file names it first."""
    try:
        yield
    except UserError as error:
        raise error if str(where) in str(error) else UserError(f"{where}: {error}") from None


def _from_root(options: argparse.Namespace, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The mapping of the user's own root config, and what of it was chosen explicitly: all that the file says."""
    name = options.config_name.removesuffix(".yaml")
    files = [file for folder in search_path(options) if (file := folder / f"{name}.yaml").exists()]
    with sentences(options), hydra_app(options) as app:
        content = yaml.safe_load(text_of(files[0], mapping=True)) if files else {}
        composed = app.get_sanitized_cfg(app.compose_config(name, list(overrides), RunMode.RUN), "job")
        values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    explicit = _explicit(content, f"--config-name {name}")
    explicit |= {o.key_or_group.lstrip("/"): str(o.input_line) for o in parse(overrides)}
    return {str(key): value for key, value in values.items()}, explicit


def _explicit(content: Mapping[str, Any], spelling: str) -> dict[str, str]:
    """What a yaml file chooses and sets -> how that was spelled."""
    listed = [entry for entry in content.get("defaults", []) if isinstance(entry, dict)]
    chosen = [key.removeprefix("override ").strip("/") for entry in listed for key in entry]
    keys = flatten({key: value for key, value in content.items() if key not in ("defaults", "hydra")})
    return dict.fromkeys([*chosen, *keys], spelling)


def as_shown(values: Mapping[str, Any], package: str | None) -> str:
    """A config as yaml, or the part of it under a dotted key, as `--cfg job` prints it."""
    if package in (None, "_global_"):
        return dump(dict(values))
    part = OmegaConf.select(OmegaConf.create(dict(values)), str(package))
    if part is None and package not in flatten(values):
        raise invalid("--package", package, f"one of {', '.join(values)}, or a key below them")
    if not OmegaConf.is_config(part):
        return f"{shown(part)}\n"
    return f"# @package {package}\n{dump(OmegaConf.to_container(part))}"
