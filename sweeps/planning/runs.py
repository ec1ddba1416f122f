"""From a sweep and overrides to its runs: every one composed, validated and placed (DESIGN: law 3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from ppo import envs
from ppo.config.compose import compose, expand, parse
from ppo.config.identity import run_folder, run_hash, setting_name
from ppo.config.run import EXECUTION_KEYS, Config
from ppo.errors import UserError, near
from sweeps.planning.spec import SETTING, Sweep, load

Axes = dict[str, list[str]]  # key -> values


class Run(NamedTuple):
    """One run of a sweep."""

    label: str  # of its setting: the row of the table
    config: Config
    folder: Path
    hash: str


def sweep_runs(sweep: Sweep, overrides: Sequence[str] = (), only: Sequence[str] = ()) -> list[Run]:
    """The distinct runs of a sweep under overrides, which take the place of an axis or are added to every run.

    `only`: labels, or patterns of labels with * and ?, to which the sweep is narrowed. Raises UserError.
    """
    axes = _axes(overrides)
    runs: dict[str, Run] = {}
    for label, own in _points(sweep, axes, ()):
        if label and not _wanted(label, only):
            continue
        run = _compose(sweep, label, own)
        if not _wanted(run.label, only):
            continue
        known = runs.setdefault(run.hash, run)
        if known.config != run.config:
            raise UserError(
                f"sweep {sweep.name}: a key that is no part of what a run is ({', '.join(EXECUTION_KEYS)}) has several "
                "values: one is allowed."
            )
        if known.label != run.label:
            raise UserError(
                f"sweep {sweep.name}: settings {known.label!r} and {run.label!r} resolve to the same run "
                f"({run.folder}): one of them is enough."
            )
    for pattern in only:
        if runs and not any(_wanted(run.label, [pattern]) for run in runs.values()):
            labels = {label or run.label for label, run in zip(sweep.settings, runs.values(), strict=False)}
            raise UserError(f"sweep {sweep.name}: no setting is called {pattern!r}: {near(pattern, labels)}.")
    if not runs:
        asked = f"no setting is called {' or '.join(only)}: " if only else "nothing is left of it: "
        raise UserError(f"sweep {sweep.name} has no runs here: {asked}see `python -m sweeps plan {sweep.name}`.")
    for suite, env_id in {(r.config.env.suite, r.config.env.id) for r in runs.values()}:
        envs.check(suite, env_id)
    return list(runs.values())


def _wanted(label: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(label, pattern) for pattern in patterns)


def listed_runs(commands: Iterable[Sequence[str]]) -> list[Run]:
    """Runs given one by one, each by its overrides, as Hydra's multirun does."""
    runs = []
    for overrides in commands:
        config = compose(overrides)
        runs.append(Run(setting_name(config), config, run_folder(config), run_hash(config)))
    return runs


def outputs_of(runs: Sequence[Run]) -> Path:
    """The store of a sweep's runs, which is one."""
    stores = sorted({run.config.execution.outputs for run in runs})
    if len(stores) > 1:
        raise UserError(f"outputs={','.join(stores)} are several stores: one is allowed for a sweep.")
    return Path(stores[0])


def _axes(overrides: Sequence[str]) -> Axes:
    """Overrides by key; `a,b,c` is an axis of three values."""
    axes: Axes = {}
    for override in parse(overrides):
        if override.is_add() or override.is_delete():
            raise UserError(f"{override.input_line} is not possible: key=value is allowed.")
        lines = [line for (line,) in expand([override.input_line or ""])]
        axes[override.key_or_group] = [line.partition("=")[2] for line in lines]
    return axes


def _points(sweep: Sweep, axes: Axes, ancestors: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Label and overrides of every point of a sweep and of those that it includes."""
    if sweep.name in ancestors:
        raise UserError(f"sweep {sweep.name} includes itself: {' -> '.join((*ancestors, sweep.name))}.")
    for name, labels in sweep.include.items():
        included = list(_points(load(name), axes, (*ancestors, sweep.name)))
        known = dict.fromkeys(label for label, _ in included)
        if labels and (missing := [label for label in labels if label not in known]):
            hint = near(missing[0], known)
            raise UserError(f"sweep {sweep.name}: sweep {name} has no setting {missing[0]!r}: {hint}.")
        yield from (point for point in included if labels is None or point[0] in labels)
    grid: Axes = sweep.grid | axes
    if not (sweep.grid or sweep.settings):
        return
    for label, own in (sweep.settings or {"": []}).items():
        for values in itertools.product(*grid.values()):
            point = dict(zip(grid, values, strict=True))
            if not any(_matches(entry, point | {SETTING: label}) for entry in sweep.exclude):
                # A setting's own keys come after the axes' groups, and the command line has the last word.
                before, after = _split(point, axes)
                yield label, [*before, *own, *after]


def _split(point: Mapping[str, str], axes: Axes) -> tuple[list[str], list[str]]:
    lines = {key: f"{key}={value}" for key, value in point.items()}
    return [v for k, v in lines.items() if k not in axes], [v for k, v in lines.items() if k in axes]


def _matches(entry: Mapping[str, list[str]], point: Mapping[str, str]) -> bool:
    return all(point[key] in values for key, values in entry.items())


def _compose(sweep: Sweep, label: str, overrides: list[str]) -> Run:
    try:
        config = compose(overrides)
    except UserError as error:
        setting = f"setting {label!r} " if label else ""
        raise UserError(f"sweep {sweep.name}: {setting}({' '.join(overrides)}): {error}") from None
    if config.execution.run_dir is not None:
        raise UserError("run_dir is one folder for many runs: outputs=FOLDER is allowed.")
    if not config.execution.resume:
        raise UserError("resume is not for sweeps, which always resume: `python -m ppo` trains one run afresh.")
    return Run(label or setting_name(config), config, run_folder(config), run_hash(config))
