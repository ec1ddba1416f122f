"""Hydra itself over `conf/`: what it prints, and its errors as our sentences."""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra, create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ppo.cli.flags import make_parser
from ppo.config import hints
from ppo.config.compose import CONF, add_config_dir, groups, parse, unresolved
from ppo.config.files import first_line
from ppo.config.flatten import flatten
from ppo.errors import UserError, invalid, unknown

ROOT_CONFIG = "config"
DEFAULTS = (  # of Hydra's own settings, unless the command says otherwise
    "hydra.job.name=ppo",
    "hydra/launcher=local",
    "hydra/sweeper=grid",
    "hydra/hydra_logging=none",
    "hydra.sweep.dir=${outputs}/hydra/${now:%Y-%m-%d_%H-%M-%S}",
)


def is_hydras(override: str) -> bool:
    """Whether an override is for Hydra itself: `hydra/launcher=slurm`, `hydra.launcher.partition=cpu`."""
    return override.lstrip("+~").startswith(("hydra/", "hydra."))


def check_hydras(overrides: Sequence[str]) -> None:
    """UserError, in our words, for overrides of Hydra's own keys that its grammar or groups refuse."""
    for override in parse(overrides):
        chooses = override.key_or_group.startswith("hydra/") and not override.is_delete()
        if chooses and not isinstance(override.value(), (str, type(None))):
            raise invalid(override.key_or_group, override.value(), "the name of a choice")


def with_defaults(overrides: Sequence[str]) -> list[str]:
    """Overrides after our defaults of Hydra's own settings."""
    keys = {override.lstrip("+").partition("=")[0] for override in overrides}
    return [*(default for default in DEFAULTS if default.partition("=")[0] not in keys), *overrides]


def search_config_dir(options: argparse.Namespace) -> None:
    """Let the choices of --config-dir be found wherever a run is composed."""
    if options.config_dir is not None:
        add_config_dir(Path(options.config_dir).expanduser())


def search_path(options: argparse.Namespace) -> list[Path]:
    """The folders of yaml files, in the order in which they are searched."""
    return [CONF] if options.config_dir is None else [CONF, Path(options.config_dir).expanduser().resolve()]


def run_hydra(options: argparse.Namespace, overrides: Sequence[str], task: Callable[[Any], Any]) -> None:
    """What `hydra.main` does with these options and overrides; UserError where it refuses."""
    given = vars(options) | {"overrides": list(overrides) if options.shell_completion else with_defaults(overrides)}
    with sentences(options), _exceptions(), _logging_restored():
        _run_hydra(
            args=argparse.Namespace(**given),
            args_parser=make_parser(),
            task_function=task,
            config_path=str(CONF),
            config_name=ROOT_CONFIG,
        )


@contextmanager
def hydra_app(options: argparse.Namespace) -> Iterator[Hydra]:
    """Hydra with our search path, for what its command line does not offer."""
    search = create_config_search_path(str(CONF))
    for folder in search_path(options)[1:]:
        search.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    try:
        yield Hydra.create_main_hydra2("ppo", search)
    finally:
        GlobalHydra.instance().clear()


@contextmanager
def _exceptions() -> Iterator[None]:
    """While open, Hydra raises exceptions instead of printing a traceback and exiting."""
    name = "HYDRA_FULL_ERROR"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@contextmanager
def _logging_restored() -> Iterator[None]:
    """While open, Hydra may set up logging, which it does for the whole process."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


@contextmanager
def sentences(options: argparse.Namespace) -> Iterator[None]:
    """While open, what Hydra raises about the command is a UserError, with near matches."""
    try:
        yield
    except MissingConfigException as error:
        raise _unknown_choice(error) from None
    except (HydraException, OmegaConfBaseException, ValueError, yaml.YAMLError) as error:
        if isinstance(error.__cause__, UserError):  # of a plugin of ours
            raise error.__cause__ from None
        match = re.match(r"Could not override '([^']+)'", str(error))
        raise (_unknown_key(match[1], options) if match else UserError(f"{_stumble(error, options)}.")) from None
    except OSError as error:
        if not _raised_by_hydra(error):
            raise
        raise UserError(f"{error.filename} cannot be written: {error.strerror}.") from None
    except (AssertionError, AttributeError, TypeError) as error:
        if not _raised_by_hydra(error):
            raise
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"hydra.KEY is invalid: expected values that Hydra can use ({reason}).") from None
    except RuntimeError as error:
        if "plugin" not in str(error):
            raise
        installed = "expected one that is installed: a module or folder `hydra_plugins` may hide ours"
        raise UserError(f"{first_line(error)}: {installed}.") from None


def _stumble(error: Exception, options: argparse.Namespace) -> str:
    """What Hydra could not read, with the override that an interpolation without a key is from."""
    suspects = [o for o in options.overrides if "${" in o]
    if isinstance(error, OmegaConfBaseException) and suspects:
        return f"{suspects[0]} cannot be resolved ({first_line(error)})"
    return unresolved(error) if isinstance(error, OmegaConfBaseException) else first_line(error)


def _raised_by_hydra(error: Exception) -> bool:
    """Whether Hydra, which checks few of its keys, stumbled, and neither our code nor what it called."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    packages = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    known = [package for package in packages if package in ("hydra", "omegaconf", "ppo", "sweeps", "hydra_plugins")]
    return known[-1:] in (["hydra"], ["omegaconf"])


def _unknown_choice(error: MissingConfigException) -> UserError:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    if not group:
        return UserError(f"--config-name {name} is invalid: expected the name of a yaml file in --config-dir.")
    return unknown(group, name, groups().get(group, error.options or ()))


def _unknown_key(key: str, options: argparse.Namespace) -> UserError:
    chosen = with_defaults([override for override in options.overrides if override.startswith("hydra/")])
    with hydra_app(options) as app:
        known = OmegaConf.to_container(app.compose_config(ROOT_CONFIG, chosen, RunMode.MULTIRUN), resolve=False)
    assert isinstance(known, dict)
    if not key.startswith("hydra."):
        return hints.unknown_key(key, {str(k): value for k, value in known.items() if k != "hydra"})
    close = difflib.get_close_matches(key, flatten({"hydra": known["hydra"]}), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return UserError(f"unknown key {key}: expected one that `ppo --cfg hydra` prints.{hint}")
