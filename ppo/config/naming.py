"""Names for people: of a run's setting and folder, and labels under which no two settings are the same row (law 9)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ppo.config.compose import yaml_values
from ppo.config.flatten import flatten
from ppo.config.identity import run_hash, setting_essence, setting_hash, short
from ppo.config.run import Config
from ppo.errors import shown

LONGEST = 80  # characters of a folder's name
CHOICES = ("algorithm.name", "surrogate.name", "network.name")


def setting_name(config: Config) -> str:
    """A setting in words, `ppo clip epsilon=0.2 lr=0.0001`: its choices, and what differs from the yaml's values."""
    return " ".join(_parts(config, "="))


def folder_name(config: Config) -> str:
    """Where a run's folder is inside a store: <env>/<setting>/seed-<k>-<12 hex>; only the hash is data."""
    setting = _safe("-".join(_parts(config, "-")))[:LONGEST].rstrip("-.")
    return f"{_safe(config.env.id)}/{setting}/seed-{config.seed}-{short(run_hash(config))}"


def _parts(config: Config, equals: str) -> list[str]:
    values = flatten(setting_essence(config))
    coefficients = [key for key in values if key.startswith("surrogate.") and key not in CHOICES]
    usual = _usual_values(
        config.algorithm.name,
        None if config.surrogate is None else config.surrogate.name,
        config.network.name,
    )
    differing = [k for k in values if k not in (*CHOICES, *coefficients) and k in usual and usual[k] != values[k]]
    other = [k for k in values if k not in usual and k not in (*CHOICES, *coefficients)]
    names = [values["algorithm.name"], values.get("surrogate.name")]
    if values["network.name"] != usual.get("network.name"):
        names.append(values["network.name"])
    keys = [*coefficients, *sorted(differing), *sorted(other)]
    return [*(str(name) for name in names if name), *(f"{leaf(k)}{equals}{_value(values[k])}" for k in keys)]


@lru_cache
def _usual_values(algorithm: str, surrogate: str | None, network: str) -> Mapping[str, Any]:
    """The values that the yaml files give a run with these choices."""
    return flatten(yaml_values(algorithm, surrogate, network))


def leaf(key: str) -> str:
    """A dotted key without its group, where that says enough."""
    group, _, name = key.partition(".")
    return name if name and group in ("algorithm", "surrogate", "network") else key


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list) and all(isinstance(v, int) for v in value):
        return "x".join(map(str, value)) or "none"
    return shown(value)


def _safe(name: str) -> str:
    """`name` in letters, digits, `.`, `_` and `-` only."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "-"


def labels(configs: Sequence[Config], declared: Sequence[str]) -> list[str]:
    """A label for each run, such that runs share one only if they share their setting.

    `declared`: the label that each run was given, or ""; then it is the setting's name. The choices that vary among
    runs of one declared label are appended to it, and the other keys that vary among those of the same choices.
    """
    values = [flatten(setting_essence(config)) for config in configs]
    choices = [tuple(value.get(key) for key in CHOICES) for value in values]
    varying_choices = {
        label: _varying([dict(zip(CHOICES, choices[i], strict=True)) for i in members])
        for label, members in _grouped(declared).items()
    }
    found = [""] * len(configs)
    for (label, _), members in _grouped(list(zip(declared, choices, strict=True))).items():
        varying = [key for key in _varying([values[i] for i in members]) if key not in CHOICES]
        for i in members:
            names = [str(values[i][key]) for key in varying_choices[label] if values[i].get(key) is not None]
            added = [f"{leaf(key)}={_value(values[i][key])}" for key in varying if key in values[i]]
            found[i] = _label(label, configs[i], names, added)
    return _distinct(found, [setting_hash(config) for config in configs])


def _grouped(keys: Sequence[Any]) -> dict[Any, list[int]]:
    """The places of each key."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[key].append(i)
    return groups


def _distinct(found: Sequence[str], settings: Sequence[str]) -> list[str]:
    """The labels, with digits of the setting's hash where two settings would share one all the same."""
    owners: dict[str, set[str]] = defaultdict(set)
    for label, setting in zip(found, settings, strict=True):
        owners[label].add(setting)
    pairs = zip(found, settings, strict=True)
    return [label if len(owners[label]) == 1 else f"{label} ({short(setting)})" for label, setting in pairs]


def _varying(values: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that not all of these mappings have, or not with the same value."""
    keys = dict.fromkeys(key for mapping in values for key in mapping)
    absent = object()
    first = values[0]
    return [key for key in keys if any(mapping.get(key, absent) != first.get(key, absent) for mapping in values)]


def _label(declared: str, config: Config, names: Sequence[str], added: Sequence[str]) -> str:
    if declared:
        return ", ".join([declared, *names, *added])
    name = setting_name(config)
    return " ".join([name, *(part for part in added if part not in name.split())])
