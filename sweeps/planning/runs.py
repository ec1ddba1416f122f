"""From a sweep and overrides to its runs: every one composed once, validated, labelled and located."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ppo.config.compose import compose
from ppo.config.identity import run_hash, setting_hash
from ppo.config.naming import labels, setting_name
from ppo.config.run import EXECUTION_KEYS, Config, check_one_of_several
from ppo.errors import UserError, did_you_mean
from ppo.runs.finding import folders_by_hash
from ppo.runs.row import RunRow
from ppo.runs.store import folder_of, store_path
from sweeps.planning.points import Point, axes_of, points
from sweeps.planning.spec import Sweep


class Run(NamedTuple):
    """One run of a sweep."""

    row: RunRow
    config: Config
    folder: Path

    @property
    def label(self) -> str:
        """Of its setting: the row of the table."""
        return self.row.label

    @property
    def hash(self) -> str:
        """64 hex digits."""
        return self.row.run


class Composed(NamedTuple):
    """A point of a sweep and its run, not yet labelled."""

    point: Point
    config: Config
    run: str  # 64 hex digits


class Selection(NamedTuple):
    """The runs asked for, and all runs of the sweep that they are a part of."""

    runs: list[Run]
    declared: list[Run]


def sweep_runs(sweep: Sweep, overrides: Sequence[str] = (), only: Sequence[str] = ()) -> list[Run]:
    """The distinct runs of a sweep under overrides, which replace an axis or are added to every run.

    `only`: labels, or patterns of labels with * and ?, to which the sweep is narrowed. Raises UserError.
    """
    return select(sweep, overrides, only).runs


def select(sweep: Sweep, overrides: Sequence[str] = (), only: Sequence[str] = ()) -> Selection:
    """The runs of `sweep_runs` under the labels that they have in the whole sweep, and the whole sweep.

    Where overrides make other runs than the file declares, those alone are the whole.
    """
    axes = axes_of(overrides)
    asked = list(points(sweep, axes))
    whole = list(points(sweep, {key: values for key, values in axes.items() if key in EXECUTION_KEYS}))
    identities = {point.identity for point in whole}
    if any(point.identity not in identities for point in asked):
        whole = asked
    composed = _distinct(sweep, whole)
    if not composed:
        raise UserError(f"sweep {sweep.name} has no runs here: everything is excluded.")
    declared = make_runs([c.config for c in composed], [c.point.title for c in composed])
    pairs = list(zip(composed, declared, strict=True))
    chosen = {point.identity for point in asked}
    runs = [run for c, run in pairs if c.point.identity in chosen and _wanted((c.point.label, run.label), only)]
    _check_patterns(sweep, only, [(c.point.label, run.label) for c, run in pairs])
    if not runs:
        raise UserError(f"sweep {sweep.name} has no runs here: no run of these settings has these values.")
    return Selection(runs, declared)


def listed_runs(configs: Sequence[Config]) -> list[Run]:
    """Runs given one by one, as by Hydra's multirun."""
    for config in configs:
        check_one_of_several(config)
    return make_runs(configs, [""] * len(configs))


def make_runs(configs: Sequence[Config], declared: Sequence[str]) -> list[Run]:
    """Runs with their labels and folders, their tasks checked; `declared`: the label of each, or nothing."""
    if not configs:
        return []
    for env in {config.env for config in configs}:
        env.check()
    outputs = outputs_of(configs)
    found = folders_by_hash(outputs)
    runs = []
    for config, label in zip(configs, labels(configs, declared), strict=True):
        folder = folder_of(config, found)
        place = folder.relative_to(outputs).as_posix()
        which = (config.env.id, setting_name(config), setting_hash(config), config.seed, run_hash(config))
        runs.append(Run(RunRow(label, *which, place, config.goal), config, folder))
    return runs


def outputs_of(configs: Sequence[Config]) -> Path:
    """The store of a sweep's runs, which is one."""
    stores = sorted({config.execution.outputs for config in configs})
    if len(stores) > 1:
        raise UserError(f"outputs={','.join(stores)} is invalid: expected one store for a sweep.")
    return store_path(stores[0])


def _distinct(sweep: Sweep, declared: Sequence[Point]) -> list[Composed]:
    """Every point composed; points that included sweeps share are one."""
    composed: dict[str, Composed] = {}
    for point in dict.fromkeys(declared):
        config = _compose(sweep, point)
        new = Composed(point, config, run_hash(config))
        known = composed.setdefault(new.run, new)
        if known is not new:
            _check_same(sweep, known, new)
    return list(composed.values())


def _check_same(sweep: Sweep, one: Composed, other: Composed) -> None:
    """UserError unless two points are one run that two included sweeps declare under one label."""
    if one.config != other.config:
        keys = [k for k in EXECUTION_KEYS if getattr(one.config.execution, k) != getattr(other.config.execution, k)]
        raise UserError(f"sweep {sweep.name}: {keys[0]} has several values: expected one for a sweep.")
    if one.point.label != other.point.label:
        named = f"settings {one.point.label!r} and {other.point.label!r}"
    elif one.point.sweep == other.point.sweep and one.point.identity != other.point.identity:
        ours, theirs = (" ".join(sorted(set(a) - set(b))) for a, b in _both_ways(one.point, other.point))
        named = f"{ours} and {theirs}"
    else:
        return
    raise UserError(f"sweep {sweep.name}: {named} resolve to the same run: remove one of them.")


def _both_ways(one: Point, other: Point) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(one.overrides, other.overrides), (other.overrides, one.overrides)]


def _compose(sweep: Sweep, point: Point) -> Config:
    try:
        config = compose(point.overrides)
    except UserError as error:
        setting = f"setting {point.label!r} " if point.label else ""
        raise UserError(f"sweep {sweep.name}: {setting}({' '.join(point.overrides)}): {error}") from None
    check_one_of_several(config)
    return config


# -- narrowing by label ------------------------------------------------------------------------------------------------


def _wanted(names: Iterable[str], patterns: Sequence[str]) -> bool:
    return not patterns or any(matches(pattern, name) for pattern in patterns for name in names)


def matches(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern, in which * and ? stand for any characters and everything else for itself."""
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, name, re.DOTALL) is not None


def _check_patterns(sweep: Sweep, only: Sequence[str], names: Sequence[tuple[str, str]]) -> None:
    """UserError for a pattern that fits no label of the sweep."""
    for pattern in only:
        if not any(_wanted(pair, [pattern]) for pair in names):
            known = list(dict.fromkeys(final for _, final in names))
            listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
            hint = did_you_mean(pattern, known)
            raise UserError(f"sweep {sweep.name}: no setting is called {pattern!r}: expected {listed}.{hint}")
