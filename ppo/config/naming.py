"""Names for people: of a run's setting and folder, and labels under which no two settings are the same row (law 9)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ppo.config.compose import yaml_values
from ppo.config.flatten import flatten
from ppo.config.groups import config_dirs
from ppo.config.identity import run_hash, setting_essence, setting_hash, short
from ppo.config.run import Config
from ppo.errors import shown

LONGEST = 80  # characters of a part of a folder's name
CHOICES = ("algorithm.name", "surrogate.name", "network.name")


def setting_name(config: Config) -> str:
    """A setting in words, `ppo clip epsilon=0.2 lr=0.0001`: its choices, and what differs from the yaml's values."""
    names, keys = _parts(config)
    return " ".join([*names, *(f"{key}={value}" for key, value in keys)])


def folder_name(config: Config) -> str:
    """Where a run's folder is inside a store: <env>/<setting>/seed-<k>-<12 hex>; only the hash is data."""
    names, keys = _parts(config)
    setting = "-".join([*names, *(f"{key}-{value}" for key, value in keys)])
    return f"{_safe(config.env.id)}/{_safe(setting)}/seed-{config.seed}-{short(run_hash(config))}"


def _parts(config: Config) -> tuple[list[str], list[tuple[str, str]]]:
    """The names of a setting's choices, and the keys and values worth saying: coefficients, then what is unusual."""
    values = flatten(setting_essence(config))
    surrogate = None if config.surrogate is None else config.surrogate.name
    usual = _usual_values(config_dirs(), config.algorithm.name, surrogate, config.network.name)
    names = [config.algorithm.name, *([surrogate] if surrogate else [])]
    if config.network.name != usual.get("network.name"):
        names.append(config.network.name)
    coefficients = [key for key in values if key.startswith("surrogate.") and key not in CHOICES]
    unusual = [k for k, v in values.items() if k not in CHOICES and k not in coefficients and usual.get(k, _NO) != v]
    return names, [(leaf(key), _value(values[key])) for key in (*coefficients, *sorted(unusual))]


_NO = object()


@lru_cache
def _usual_values(_dirs: Any, algorithm: str, surrogate: str | None, network: str) -> Mapping[str, Any]:
    """The values that the yaml files give a run with these choices, and null for keys of its task."""
    return flatten(yaml_values(algorithm, surrogate, network)) | {"env.time_limit": None}


def leaf(key: str) -> str:
    """A dotted key without its group, where that says enough."""
    group, _, name = key.partition(".")
    return name if name and group in ("algorithm", "surrogate", "network") else key


def _value(value: Any) -> str:
    if isinstance(value, float):
        brief = f"{value:g}"
        return (brief if float(brief) == value else repr(value)).replace("e+", "e")
    if isinstance(value, list) and all(isinstance(v, int) for v in value):
        return "x".join(map(str, value)) or "none"
    return shown(value)


def _safe(name: str) -> str:
    """`name` as one part of a path, in letters, digits, `.`, `_` and `-` only, of bounded length."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:LONGEST].strip("-.") or "-"


# -- labels ------------------------------------------------------------------------------------------------------------


def labels(configs: Sequence[Config], declared: Sequence[str]) -> list[str]:
    """A label for each run, such that runs share one only if they share their setting.

    `declared`: the label that each run was given, or ""; then it is the setting's name. What varies among runs of one
    declared label is appended to it: the choices, and the keys that vary between runs with the same choices; and the
    suite, where several have the task.
    """
    settings = [setting_hash(config) for config in configs]
    values = {setting: flatten(setting_essence(c)) for setting, c in dict(zip(settings, configs, strict=True)).items()}
    names = {setting: setting_name(c) for setting, c in dict(zip(settings, configs, strict=True)).items()}
    members: dict[str, list[str]] = defaultdict(list)  # declared label -> its settings
    for label, setting in dict.fromkeys(zip(declared, settings, strict=True)):
        members[label].append(setting)
    found = {
        (label, setting): text
        for label, own in members.items()
        for setting, text in _labels(label, {s: values[s] for s in own}, names).items()
    }
    return _distinct(_with_suite([found[pair] for pair in zip(declared, settings, strict=True)], configs), settings)


def _labels(label: str, values: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, str]:
    """The labels of the settings under one declared label."""
    alike: dict[tuple[Any, ...], list[str]] = defaultdict(list)  # choices -> settings
    for setting, own in values.items():
        alike[tuple(own.get(key) for key in CHOICES)].append(setting)
    chosen = _varying([values[settings[0]] for settings in alike.values()], CHOICES)
    found = {}
    for settings in alike.values():
        varying = _varying([values[s] for s in settings], dict.fromkeys(key for s in settings for key in values[s]))
        for setting in settings:
            own = values[setting]
            added = [f"{leaf(key)}={_value(own[key])}" for key in varying if key in own]
            if label:
                words = [str(own[key]) for key in chosen if key in own]
                found[setting] = ", ".join([label, *words, *added])
            else:
                said = names[setting].split()
                found[setting] = " ".join([names[setting], *(word for word in added if word not in said)])
    return found


def _varying(values: Sequence[Mapping[str, Any]], keys: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """The keys that do not have the same value in all of these mappings."""
    return [key for key in keys if any(own.get(key, _NO) != values[0].get(key, _NO) for own in values)]


def _distinct(found: list[str], settings: Sequence[str]) -> list[str]:
    """The labels, with digits of the setting's hash where two settings would share one all the same."""
    owners: dict[str, set[str]] = defaultdict(set)
    for label, setting in zip(found, settings, strict=True):
        owners[label].add(setting)
    if all(len(own) == 1 for own in owners.values()):
        return found
    pairs = zip(found, settings, strict=True)
    longer = [label if len(owners[label]) == 1 else f"{label} ({short(setting)})" for label, setting in pairs]
    return _distinct(longer, settings)  # somebody's own label may end in just these digits


def _with_suite(found: Sequence[str], configs: Sequence[Config]) -> list[str]:
    """The labels, with the suite of tasks that runs of several suites share: their scores are not one cell."""
    suites: dict[str, set[str]] = defaultdict(set)
    for config in configs:
        suites[config.env.id].add(config.env.suite)
    pairs = zip(found, configs, strict=True)
    return [label if len(suites[c.env.id]) == 1 else f"{label}, suite={c.env.suite}" for label, c in pairs]
