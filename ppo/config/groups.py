"""What can be chosen: the yaml files of `conf/`, those of `--config-dir`, and what an experiment chooses."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ppo.config import old
from ppo.config.files import text_of
from ppo.config.flatten import flatten
from ppo.errors import UserError, invalid, unknown

PACKAGE = Path(__file__).resolve().parents[1]
CONF = next((path for path in (PACKAGE / "conf", PACKAGE.parent / "conf") if path.is_dir()), PACKAGE / "conf")
EXPERIMENT = "experiment"
_added: list[Path] = []  # folders of --config-dir, searched after conf/


def add_config_dir(folder: Path) -> None:
    """Search a folder for yaml files too; UserError if it is none, or hides one of ours."""
    if not folder.is_dir():
        raise UserError(f"--config-dir {folder} is invalid: expected a folder of yaml files.")
    if (path := folder.resolve()) not in _added:
        _choices_in((CONF, *_added, path))
        _added.append(path)


def config_dirs() -> tuple[Path, ...]:
    """The folders of yaml files, `conf/` first."""
    return CONF, *_added


def groups() -> dict[str, tuple[str, ...]]:
    """The config groups of a run and what can be chosen in each; files that only others build on are left out."""
    return {group: tuple(sorted(files)) for group, files in _choices_in(config_dirs()).items()}


def check_choice(group: str, choice: Any) -> None:
    """UserError unless a group has this choice."""
    known = _choices_in(config_dirs())[group]
    if not isinstance(choice, str):
        raise invalid(group, choice, ", ".join(sorted(known)))
    if renamed := old.CHOICES.get(f"{group}={choice}"):
        raise invalid(group, choice, f"{renamed}, as it is called since version 0.2")
    if choice not in known:
        raise unknown(group, choice, known)


@lru_cache
def _choices_in(folders: tuple[Path, ...]) -> dict[str, dict[str, Path]]:
    """Group -> choice -> its file; UserError where two folders have a different file for one choice."""
    defaults = yaml.safe_load(text_of(CONF / "config.yaml"))["defaults"]
    found: dict[str, dict[str, Path]] = {name: {} for entry in defaults if isinstance(entry, dict) for name in entry}
    for group, files in found.items():
        for folder in folders:
            for path in sorted((folder / group).glob("**/*.yaml")):
                choice = path.relative_to(folder / group).with_suffix("").as_posix()
                if text_of(files.setdefault(choice, path)) != text_of(path):
                    raise UserError(f"{path} hides {group}={choice} of {files[choice].parent}: give it another name.")
    return {group: {k: p for k, p in files.items() if not _is_base(p)} for group, files in found.items()}


def _is_base(path: Path) -> bool:
    """Whether a file says in its first line that it is only there for others to build on."""
    return text_of(path).startswith("# Base")


class Experiment(NamedTuple):
    """What the yaml of an experiment sets, those that it builds on included."""

    choices: dict[str, Any]  # group -> choice
    keys: tuple[str, ...]  # dotted


def experiment(name: str) -> Experiment:
    """The experiment of this name; UserError if it names an unknown choice."""
    return _experiment(config_dirs(), name)


@lru_cache
def _experiment(folders: tuple[Path, ...], name: str) -> Experiment:
    path = next((p for f in folders if (p := f / EXPERIMENT / f"{name}.yaml").is_file()), None)
    content = None if path is None else yaml.safe_load(text_of(path))
    if not isinstance(content, dict):
        return Experiment({}, ())
    choices: dict[str, Any] = {}
    keys = dict.fromkeys(flatten({k: v for k, v in content.items() if k != "defaults"}))
    for entry in content.get("defaults") or []:
        if isinstance(entry, dict):
            choices |= {str(key).split()[-1].strip("/"): choice for key, choice in entry.items()}
        elif entry != "_self_":
            built_on = _experiment(folders, str(entry).removeprefix(f"/{EXPERIMENT}/"))
            choices, keys = built_on.choices | choices, dict.fromkeys(built_on.keys) | keys
    for group, choice in choices.items():
        if group in _choices_in(folders):
            try:
                check_choice(group, choice)
            except UserError as error:
                raise UserError(f"{path}: {error}") from None
    return Experiment(choices, tuple(keys))
