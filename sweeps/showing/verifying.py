"""Everything of a store hashed and compared with what was recorded when it was written (law 4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ppo.errors import UserError, unknown
from ppo.runs import published
from ppo.runs.finding import located, run_folders
from ppo.runs.results import verify
from ppo.runs.row import read_rows
from ppo.runs.states import State, standing
from ppo.runs.sweep_names import how_to_train, named
from ppo.runs.words import counted
from sweeps.home import homes


class Checked(NamedTuple):
    """One run, list of runs or published file, and what of it does not fit."""

    path: Path
    state: str  # of a run; else `list` or `published`
    damage: list[str]  # sentences; empty if all fits


def check(outputs: Path, sweep: str | None) -> list[Checked]:
    """All of a store, or what belongs to one of its sweeps; UserError where there is neither."""
    if not outputs.is_dir():
        raise UserError(f"outputs={outputs} is invalid: expected a folder that exists.")
    if sweep is None:
        lists = (_list(home.path / "runs.json", home.name) for home in homes(outputs))
        runs = (_run(folder) for folder in run_folders(outputs))
        return [*(found for found in lists if found), *runs, *map(_published, published.files(outputs))]
    return list(_of_sweep(outputs, sweep))


def _of_sweep(outputs: Path, sweep: str) -> Iterator[Checked]:
    name = named(sweep)
    path, file = outputs / "sweeps" / name / "runs.json", published.path_of(outputs, name)
    if (found := _list(path, sweep)) is None and not file.exists():
        files = [path.name.removesuffix(published.SUFFIX) for path in published.files(outputs)]
        raise unknown("sweep", sweep, {*files, *(home.name for home in homes(outputs))})
    if found is not None:
        yield found
        for row in located(read_rows(path), outputs) if not found.damage else ():
            yield _run(outputs / row.folder)
    if file.exists():
        yield _published(file)


def _list(path: Path, sweep: str) -> Checked | None:
    """A sweep's list of runs, if it has one."""
    try:
        return Checked(path, "list", []) if read_rows(path) else None
    except ValueError as error:
        return Checked(path, "list", [f"{error}; {how_to_train(sweep)} writes it again"])


def _run(folder: Path) -> Checked:
    damage = verify(folder, thorough=True)
    found = standing(folder)  # after it: what was hashed is not hashed again
    damage = damage or ([found.damage] if found.damage else [])
    return Checked(folder, str(State.DAMAGED if damage else found.state), damage)


def _published(path: Path) -> Checked:
    try:
        found = published.read(path)
    except (OSError, ValueError) as error:
        return Checked(path, "published", [str(error)])
    return Checked(path, "published", [f"run {run[:12]}: {why}" for run, why in found.damage.items()])


def sentences(checked: list[Checked]) -> Iterator[str]:
    """For a person: what is damaged, then how much was looked at."""
    for found in checked:
        for text in found.damage:
            yield f"damaged  {found.path}: {text}"
    damaged = sum(bool(found.damage) for found in checked)
    done = sum(found.state == State.DONE for found in checked)
    looked = sum(found.state not in ("list", "published") for found in checked)
    end = f"{damaged} damaged; ppo-sweeps retry SWEEP trains damaged runs again" if damaged else "nothing is damaged"
    yield f"{counted(looked, 'run')} looked at, {done} of them done and verified: {end}"


def to_json(checked: list[Checked]) -> list[dict[str, Any]]:
    """For programs."""
    return [found._asdict() for found in checked]
