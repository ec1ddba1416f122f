"""Publishing: the finished runs of a sweep in one compressed file, which can live in a repository."""

from __future__ import annotations

from pathlib import Path

from analysis.command import Argument, Call, Command
from analysis.records import to_published
from analysis.store import list_runs, load_sweep
from ppo.errors import UserError
from ppo.runs.published import path_of, write
from ppo.runs.states import State
from ppo.runs.sweep_names import how_to_train, named
from ppo.runs.words import counted


def run(call: Call) -> None:
    """Write the published file of a sweep."""
    name, store = named(call.options.sweep), call.outputs
    runs = load_sweep(name, store)
    if runs is None or not (listed := list_runs(name, store)):
        raise UserError(f"no sweep {call.options.sweep} in {store}: train it with {how_to_train(call.options.sweep)}.")
    if not (damaged := runs.frame[runs.frame.state == State.DAMAGED]).empty:
        why = f"{damaged.folder.iloc[0]}: {damaged.damage.iloc[0]}"
        again = how_to_train(call.options.sweep, "retry")
        raise UserError(f"{counted(len(damaged), 'run')} of sweep {name} cannot be published ({why}): {again} first.")
    records = dict(zip(runs.done.run, map(to_published, runs.records()), strict=True))
    path = path_of(call.options.out or store / "published", name)
    write(path, name, listed, records)
    size = path.stat().st_size / 1024
    facts = {"path": str(path), "done": len(records), "declared": len(runs.frame), "bytes": path.stat().st_size}
    call.output.fact("published", facts, f"{len(records)} of {len(runs.frame)} runs, {size:.0f} KiB: {path}")


COMMAND = Command(
    "publish",
    "write the finished runs of a sweep as one compressed file",
    None,
    (
        Argument("sweep", {"help": "name of the sweep, or the path of its file"}),
        Argument("--out", {"type": Path, "metavar": "FOLDER", "help": "default: published/ in the store"}),
    ),
    run,
)
