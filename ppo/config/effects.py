"""An explicit choice must have an effect (law 7); values that only the yaml files chose need not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppo.config import choices
from ppo.config.groups import experiment
from ppo.config.run import GROUPS, Config
from ppo.config.schema import GAUSSIAN, hints, marked
from ppo.errors import UserError, invalid

Explicit = Mapping[str, str]  # dotted key that somebody chose -> how, as the subject of a sentence


def without_unused_surrogate(values: Mapping[str, Any], explicit: Explicit) -> dict[str, Any]:
    """A composed mapping without the default surrogate of an algorithm that maximises none."""
    name = _name(values, "algorithm")
    if name not in choices.algorithm.names() or choices.algorithm.find(str(name), "algorithm.name").takes_surrogate:
        return dict(values)
    _refuse("surrogate", f"algorithm {name} maximises no surrogate", explicit)
    return {key: value for key, value in values.items() if key != "surrogate"}


def check_experiment(name: str, values: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """UserError where an experiment sets keys that choices of the command line, group -> name, do not have."""
    for key in experiment(name).keys:
        group, _, leaf = key.partition(".")
        if group not in chosen or _name(values, group) not in choices.GROUPS[group].names():
            continue
        cls = choices.GROUPS[group].find(str(_name(values, group)), group)
        if leaf.partition(".")[0] not in hints(cls):
            expected = f"{_article(group)} {group} with {leaf}, which experiment={name} sets"
            raise invalid(group, chosen[group], expected)


def check_effects(config: Config, explicit: Explicit) -> None:
    """UserError for an explicit choice that changes nothing in this run."""
    if not explicit:
        return
    for group in GROUPS:
        if (choice := getattr(config, group)) is None:
            continue
        for key, reason in choice.without_effect(config).items():
            _refuse(key, reason, explicit)
        for field in marked(type(choice), GAUSSIAN):
            if f"{group}.{field}" in explicit and config.env.discrete():
                _refuse(f"{group}.{field}", f"the actions of {config.env.id} are discrete", explicit)


def _refuse(key: str, reason: str, explicit: Explicit) -> None:
    """UserError if a key, or one inside it, was chosen explicitly."""
    for chosen, subject in explicit.items():
        if chosen == key or chosen.startswith(f"{key}."):
            raise UserError(f"{subject} has no effect: {reason}.")


def _name(values: Mapping[str, Any], group: str) -> Any:
    mapping = values.get(group)
    return mapping.get(GROUPS[group]) if isinstance(mapping, Mapping) else None


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
