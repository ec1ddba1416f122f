"""The points of a sweep: labels and overrides, as a file and the command line declare them, not yet composed."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ppo.config.compose import expand, parse
from ppo.config.naming import leaf
from ppo.config.overrides import check_count, meaning
from ppo.config.run import EXECUTION_KEYS
from ppo.errors import UserError, did_you_mean
from sweeps.planning.spec import SETTING, Sweep, file_of, load

Axes = dict[str, list[str]]  # key -> values


class Point(NamedTuple):
    """One run, as declared."""

    sweep: str  # whose file declares it
    label: str  # of its setting; empty in a sweep without settings
    overrides: tuple[str, ...]
    replaced: tuple[str, ...] = ()  # those of them by which the command line replaced the setting's own

    @property
    def title(self) -> str:
        """The label, with what is no longer as the file declares it."""
        return ", ".join([self.label, *map(leaf, self.replaced)])

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """Key and value of each override, of which the last one counts: points with equal ones are one run."""
        split = (override.partition("=") for override in self.overrides)
        return frozenset({key: value for key, _, value in split}.items())


def axes_of(overrides: Sequence[str]) -> Axes:
    """Overrides of the command line by key; `a,b,c` is an axis of three values."""
    axes: Axes = {}
    for override in parse(overrides):
        if override.is_add() or override.is_delete():
            raise UserError(f"{override.input_line} is invalid: expected key=value.")
        lines = [line.partition("=")[2] for (line,) in expand([override.input_line or ""])]
        if not lines:
            raise UserError(f"{override.input_line} has no values: expected at least one.")
        if repeated := [value for value, count in Counter(lines).items() if count > 1]:
            raise UserError(f"{override.input_line} has the value {repeated[0]} twice: remove one of them.")
        axes[override.key_or_group] = lines
    return axes


def points(sweep: Sweep, axes: Axes, ancestors: tuple[str, ...] = ()) -> Iterator[Point]:
    """Every point of a sweep and of those that it includes; `axes` replace axes of theirs or are added."""
    if sweep.name in ancestors:
        raise UserError(f"sweep {sweep.name} includes itself: {' -> '.join((*ancestors, sweep.name))}.")
    for name, labels in sweep.include.items():
        included = list(points(load(name), axes, (*ancestors, sweep.name)))
        known = dict.fromkeys(point.label for point in included)
        if labels and (missing := [label for label in labels if label not in known]):
            expected = f"expected {', '.join(known)}.{did_you_mean(missing[0], known)}"
            raise UserError(f"sweep {sweep.name}: sweep {name} has no setting {missing[0]!r}: {expected}")
        yield from (point for point in included if labels is None or point.label in labels)
    if sweep.grid or sweep.settings:
        yield from _own_points(sweep, axes)


def _own_points(sweep: Sweep, axes: Axes) -> Iterator[Point]:
    axes = {key: _as_declared(values, sweep.grid.get(key, [])) for key, values in axes.items()}
    grid: Axes = sweep.grid | axes
    check_count(math.prod(map(len, grid.values())) * max(1, len(sweep.settings)))
    # A setting's own keys come after the axes' groups, and the command line has the last word.
    before = [[f"{key}={value}" for value in values] for key, values in grid.items() if key not in axes]
    after = [[f"{key}={value}" for value in values] for key, values in grid.items() if key in axes]
    excluded = [_lines(entry) for entry in sweep.exclude]
    for label, own in (sweep.settings or {"": []}).items():
        settings = expand(own)
        replaced = _replaced(own, axes)
        for first in itertools.product(*before):
            for last in itertools.product(*after):
                chosen = {*first, *last, f"{SETTING}={label}"}
                if any(all(chosen & lines for lines in entry) for entry in excluded):
                    continue
                for setting in settings:
                    said = [line for line in last if line.partition("=")[0] in replaced]
                    yield Point(sweep.name, label, (*first, *setting, *last), tuple(said))


def _as_declared(values: Sequence[str], declared: Sequence[str]) -> list[str]:
    """Values as the file spells them, where it has the same ones: 0.001 is its 1e-3."""
    spelled = {meaning(value): value for value in declared}
    return [spelled.get(meaning(value), value) for value in values]


def _replaced(own: Sequence[str], axes: Axes) -> list[str]:
    """The keys of a setting's own to which the command line gives other values."""
    keys = [(o.key_or_group, o.get_value_element_as_str()) for o in parse(own) if not o.is_sweep_override()]
    changed = [key for key, value in keys if any(meaning(v) != meaning(value) for v in axes.get(key, []))]
    return [key for key in changed if key not in EXECUTION_KEYS]


def _lines(entry: Mapping[str, list[str]]) -> list[set[str]]:
    """An entry of `exclude`, each of its axes as lines, one of which a point must have."""
    return [{f"{key}={value}" for value in values} for key, values in entry.items()]


def own_files(name: str, ancestors: tuple[Path, ...] = ()) -> list[Path]:
    """The files of a sweep and of those that it includes."""
    path = file_of(name)
    if path in ancestors:
        return []
    return [path, *(file for included in load(name).include for file in own_files(included, (*ancestors, path)))]
