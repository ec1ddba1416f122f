"""The manual of what is chosen: every choice, and the keys of this run with the comments of their yaml files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from hydra.types import RunMode

from ppo.cli.app import ROOT_CONFIG, hydra_app, is_hydras, search_path, sentences
from ppo.cli.flags import make_parser
from ppo.config import choices
from ppo.config.compose import expand, groups

DEFAULTS_LIST = re.compile(r"^defaults:.*\n(?:[ \t-].*\n)*\n?", re.MULTILINE)
KEY = re.compile(r"^(\w+):[^#\n]*(#?.*\n(?:[ \t].*\n)*)", re.MULTILINE)  # and its comment, on further lines too


class Section(NamedTuple):
    """The yaml files that give one part of a run its keys; later ones override earlier ones."""

    package: str  # "" for the root
    files: list[str]  # as Hydra names them, algorithm/ppo


def manual(options: argparse.Namespace) -> str:
    """What `ppo --help` prints, under the options and overrides beside it. Raises UserError for unknown choices."""
    sections = _sections(options)
    chosen = {s.package: s.files[-1].partition("/")[2] for s in sections if "/" in s.files[-1]}
    lines = [f"  {_names(group, names, chosen)}" for group, names in groups().items()]
    text = make_parser().format_help() + "\nchoices (* is chosen):\n" + "\n".join(lines) + "\n"
    text += "\nThe keys of what is chosen follow; those of another choice: `ppo algorithm=trpo --help`.\n"
    return text + "".join(_shown(section, search_path(options)) for section in sections)


def _names(group: str, names: Sequence[str], chosen: dict[str, str]) -> str:
    return f"{group}=" + " | ".join(f"*{name}" if name == chosen.get(group) else name for name in names)


def _sections(options: argparse.Namespace) -> list[Section]:
    """Hydra's defaults list, part by part, without the surrogate of an algorithm that maximises none."""
    overrides = expand([o for o in options.overrides if not is_hydras(o)])[0]
    with sentences(options), hydra_app(options) as app:
        listed = app.config_loader.compute_defaults_list(
            options.config_name or ROOT_CONFIG, [o for o in overrides if "=" in o or o[0] == "~"], RunMode.RUN
        )
    sections: dict[str, Section] = {}
    for default in listed.defaults:
        path = str(default.config_path)
        if path.startswith("hydra/"):
            continue
        package = "experiment" if path.startswith("experiment/") else str(default.package or "")
        sections.setdefault(package, Section(package, [])).files.append(path)
    if "surrogate" in sections and not _takes_surrogate(sections, search_path(options)):
        del sections["surrogate"]
    return list(sections.values())


def _takes_surrogate(sections: dict[str, Section], folders: Sequence[Path]) -> bool:
    """Whether the chosen algorithm maximises a surrogate."""
    values: dict[str, object] = {}
    for path in sections["algorithm"].files:
        values |= yaml.safe_load(_read(path, folders)) or {}
    name = str(values.get("name"))
    return name not in choices.algorithm.names() or choices.algorithm.find(name, "algorithm.name").takes_surrogate


def _shown(section: Section, folders: Sequence[Path]) -> str:
    """The keys of a part with their comments; a key that several files set has the value that counts."""
    text = DEFAULTS_LIST.sub("", _read(section.files[0], folders))
    for path in section.files[1:]:
        text = _overridden(text, DEFAULTS_LIST.sub("", _read(path, folders)))
    names = ", ".join(f"{path}.yaml" for path in section.files)
    title = f"{section.package}.KEY, of {names}" if section.package else names
    return f"\n{title}:\n\n" + "".join(f"  {line}\n" if line else "\n" for line in text.strip().splitlines())


def _overridden(text: str, later: str) -> str:
    """A yaml text followed by a later one that sets some of its keys anew, under the comments of the first."""
    before = {match[1]: match[2] for match in KEY.finditer(text)}
    own = {match[1] for match in KEY.finditer(later)}

    def set_anew(match: re.Match[str]) -> str:
        comment = before.get(match[1], "")
        return match[0] if "#" in match[0] or not comment else f"{match[0].rstrip():<29}{comment}"

    kept = KEY.sub(lambda match: "" if match[1] in own else match[0], text)
    return f"{kept.rstrip()}\n\n{KEY.sub(set_anew, later)}"


def _read(path: str, folders: Sequence[Path]) -> str:
    files = (folder / f"{path}.yaml" for folder in folders)
    return next((file.read_text(encoding="utf-8") for file in files if file.is_file()), "")
