"""The runs of a sweep as one DataFrame, from run folders or published records; missing runs are reported, not dropped.

A store is a folder with `sweeps/<name>/runs.json`, which lists the runs of a sweep, and `runs/` with a folder for each.
A published store is a folder with one compressed file per sweep.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from analysis.grouping import distinct
from analysis.notes import find_faults
from analysis.records import Record, from_published, read_run
from ppo.config.identity import short
from ppo.errors import UserError, did_you_mean
from ppo.runs import published
from ppo.runs.finding import located
from ppo.runs.row import RunRow, read_rows
from ppo.runs.states import State, standing
from ppo.runs.sweep_names import how_to_train, named

CHECKOUT = Path(__file__).resolve().parents[1] / "outputs" / "published"
INSTALLED = Path(__file__).resolve().parent / "published"  # where a wheel has its copy
COLUMNS = (
    "label", "env", "suite", "setting", "setting_hash", "seed", "run", "state", "algorithm", "score", "mean_return",
    "episodes", "steps", "seconds", "compiled", "mixed_modes", "skipped", "resumes", "code", "commit", "damage",
    "folder",
)  # fmt: skip
OF_RESULT = (
    "suite", "algorithm", "score", "episodes", "steps", "seconds", "compiled", "mixed_modes", "skipped", "resumes",
    "code", "commit",
)  # fmt: skip


class Runs(NamedTuple):
    """A sweep's runs: one row for each that was declared, done or not."""

    sweep: str
    source: Path  # the store, or the file of the published sweep
    frame: pd.DataFrame  # columns of `COLUMNS`
    notes: tuple[str, ...]  # what a reader of a table of these runs has to know
    read: Callable[[str], Record]  # the record of a finished run, by its hash

    @property
    def done(self) -> pd.DataFrame:
        """The finished runs; UserError if there is none."""
        done = self.frame[self.frame.state == State.DONE]
        if done.empty:
            raise UserError(f"no run of sweep {self.sweep} is done: train them with {how_to_train(self.sweep)}.")
        return done

    def records(self) -> list[Record]:
        """The record of each finished run, in the order of the rows."""
        return [self.read(run) for run in self.done.run]


# -- where -------------------------------------------------------------------------------------------------------------


def stores(outputs: Path) -> list[Path]:
    """The one lookup order: the store (outputs=), what was published from it, then what is published with this code."""
    ours = CHECKOUT if CHECKOUT.is_dir() else INSTALLED
    theirs = outputs / "published"
    return [outputs, theirs, *([] if theirs.resolve() == ours else [ours])]


def find_runs(sweep: str, outputs: Path) -> Runs:
    """The runs of a sweep (its name, or the path of its file) in the first store that has it.

    UserError with the command that trains them.
    """
    for store in stores(outputs):
        if (runs := load_sweep(named(sweep), store)) is not None:
            return runs
    where = f"{outputs} or among the published ones"
    raise UserError(f"no sweep {sweep} in {where}: train it with {how_to_train(sweep)}.{_similar(sweep, outputs)}")


def _similar(sweep: str, outputs: Path) -> str:
    """` Did you mean X?`, of the sweeps there are; those of sweep files elsewhere have digits after their name."""
    known = {path.parent.name for store in stores(outputs) for path in store.glob("sweeps/*/runs.json")}
    known |= {path.name.removesuffix(published.SUFFIX) for store in stores(outputs) for path in published.files(store)}
    longer = [name for name in sorted(known) if name.startswith(f"{sweep}-")]
    return did_you_mean(longer[0], longer) if longer else did_you_mean(sweep, known)


def load_sweep(sweep: str, store: Path) -> Runs | None:
    """Every declared run of a sweep of one store; None if the store does not have it."""
    if listed := list_runs(sweep, store):
        return _from_folders(sweep, store, listed)
    if (path := published.path_of(store, sweep)).exists():
        return _from_published(sweep, path)
    return None


def list_runs(sweep: str, store: Path) -> list[RunRow]:
    """The runs that a store lists for a sweep, [] where it does not know the sweep."""
    path = store / "sweeps" / sweep / "runs.json"
    try:
        rows = read_rows(path)
        if os.path.lexists(path) and not rows:
            raise ValueError("it is empty")
    except ValueError as error:
        raise UserError(
            f"{path} is not a readable list of runs of this version ({error}): {how_to_train(sweep)} writes it again."
        ) from None
    return located(rows, store)


# -- rows --------------------------------------------------------------------------------------------------------------


def _from_folders(sweep: str, store: Path, listed: list[RunRow]) -> Runs:
    folders, rows = {row.run: store / row.folder for row in listed}, []
    for row in listed:
        found = standing(folders[row.run])
        rows.append(_row(row, found.state, found.result) | {"damage": found.damage})
    return make_runs(sweep, store, rows, lambda run: read_run(folders[run]))


def _from_published(sweep: str, path: Path) -> Runs:
    try:
        content = published.read(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{error}.") from None
    records, damage = {}, dict(content.damage)
    for run, values in content.records.items():
        try:
            records[run] = from_published(values, f"run {short(run)} of {path}")
        except UserError as error:
            damage[run] = str(error)
    rows = []
    for row in content.runs:
        record, why = records.get(row.run), damage.get(row.run, "")
        state = State.DONE if record else State.DAMAGED if why else State.NEW
        values = _row(row, state, record.result if record else {}) | {"damage": why}
        rows.append(values | ({"mean_return": record.mean_return} if record else {}))
    return make_runs(sweep, path, rows, records.__getitem__, [f"Source: published records ({path.name})."])


def _row(row: RunRow, state: State, result: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in row._asdict().items() if key in COLUMNS}
    return values | {key: result.get(key) for key in OF_RESULT} | {"state": str(state)}


def make_runs(
    sweep: str, source: Path, rows: Iterable[dict[str, Any]], read: Callable[[str], Record], notes: Iterable[str] = ()
) -> Runs:
    """Runs of rows (dicts of `COLUMNS`): labels made distinct, and notes on what is incomplete or mixed.

    A run that is listed twice counts once. UserError for two runs of one setting, task and seed, which cannot be.
    """
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS)).drop_duplicates(["label", "run"], ignore_index=True)
    frame = distinct(frame)
    if (twice := frame.duplicated(["label", "env", "seed"])).any():
        first = frame[twice].iloc[0]
        raise UserError(
            f"sweep {sweep} lists several runs of {first.label} on {first.env} with seed {first.seed}: "
            f"{how_to_train(sweep)} writes its list again."
        )
    return Runs(sweep, source, frame, (*find_faults(sweep, frame), *notes), read)
