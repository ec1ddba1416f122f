"""Compositions of many tuples of choices out of few by Hydra, each of which takes as long as a hundred runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Composition = Mapping[str, Any]


def spliced(choices: tuple[str, ...], compose: Callable[[tuple[str, ...]], Composition]) -> Composition:
    """What `compose` makes of these choices (`group=name`), from compositions of fewer of them where that is the same.

    A choice that changes nothing but its own group, in a composition where nobody else changes that group either, is
    taken over from the composition of it alone. `compose` must leave interpolations unresolved.
    """
    groups = [choice.partition("=")[0].lstrip("/") for choice in choices]
    if len(choices) < 2 or len(set(groups)) < len(groups):
        return compose(choices)
    usual = compose(())
    alone = {group: compose((choice,)) for group, choice in zip(groups, choices, strict=True)}
    local = {group for group in groups if group in usual and _without(alone[group], group) == _without(usual, group)}
    others = compose(tuple(choice for group, choice in zip(groups, choices, strict=True) if group not in local))
    if any(others.get(group) != usual[group] for group in local):
        return compose(choices)
    return {key: alone[key][key] if key in local else value for key, value in others.items()}


def _without(values: Composition, group: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != group}
