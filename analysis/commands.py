"""What each command of `python -m analysis` does."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console

from analysis.errors import UserError
from analysis.normalise import RANDOMS, Reference, load_reference, make_reference
from analysis.records import publish as write_record
from analysis.records import record_path
from analysis.results import drift as moves
from analysis.results import ends, figures, hyperparameters
from analysis.results import order as pairs
from analysis.results import robust as beyond
from analysis.results import scores as published_scores
from analysis.results import table1 as surrogates
from analysis.results import table2 as wins
from analysis.store import STORES, Runs, find_store, load_sweep, read_record
from analysis.writers import FORMATS, Table, terminal


def table1(options: argparse.Namespace) -> None:
    """Print Table 1."""
    runs = _runs(options)
    reference = _reference_of(options, runs)
    frame = surrogates.compute(runs, reference)
    if options.freeze:
        reference.save(options.freeze)
    show(surrogates.to_table(frame, runs), "table1", options.out)
    if options.by_task:
        show(surrogates.by_task(runs), "table1_by_task", options.out)


def robust(options: argparse.Namespace) -> None:
    """Print what is beyond the paper."""
    runs = _runs(options)
    reference = _reference_of(options, runs)
    show(beyond.to_table(beyond.compute(runs, reference), runs), "robust", options.out)
    if options.out is not None:
        _saved(figures.save(figures.draw_profiles(beyond.profiles(runs, reference)), options.out, "profiles"))


def order(options: argparse.Namespace) -> None:
    """Print which settings are told apart."""
    runs = _runs(options)
    show(pairs.to_table(pairs.compute(runs, _reference_of(options, runs)), runs), "order", options.out)


def drift(options: argparse.Namespace) -> None:
    """Print how far the policies moved."""
    runs = _runs(options)
    _done(runs)
    frame = moves.compute(runs)
    show(moves.to_table(frame, runs), "drift", options.out)
    if options.out is not None:
        _saved(figures.save(moves.draw(frame), options.out, "drift"))


def report(options: argparse.Namespace) -> None:
    """Write the report."""
    from analysis import report as html

    runs = _runs(options)
    path = options.out or Path("outputs") / f"report-{runs.sweep}.html"
    html.write(runs, _reference(runs), path)
    print(f"written: {path}")


def table2(options: argparse.Namespace) -> None:
    """Print Table 2."""
    if options.csv:
        scores, told = {"score": wins.from_csv(options.csv)}, [f"Scores of {options.csv}, one metric."]
    else:
        runs = _runs(options)
        scores, told = wins.from_runs(runs), runs.notes
    show(wins.to_table(scores, told), "table2", options.out)


def table3(options: argparse.Namespace) -> None:
    """Print Table 3, 4 or 5."""
    show(hyperparameters.to_table(options.command), options.command, options.out)


table4 = table5 = table3


def figure1(options: argparse.Namespace) -> None:
    """Draw Figure 1."""
    _saved(figures.save(figures.draw_figure1(figures.figure1()), _out(options), "figure1"))


def figure2(options: argparse.Namespace) -> None:
    """Draw Figure 2."""
    _saved(figures.save(figures.draw_figure2(figures.figure2(_runs(options))), _out(options), "figure2"))


def figure3(options: argparse.Namespace) -> None:
    """Draw Figure 3."""
    runs = _runs(options)
    frame = figures.figure3(runs)
    _saved(figures.save(figures.draw_figure3(frame), _out(options), "figure3"))
    show(ends.to_table(ends.compute(runs), runs), "figure3_ends", options.out)


def scores(options: argparse.Namespace) -> None:
    """Print PPO's scores beside published ones."""
    runs = _runs(options)
    records = [read_record(path) for path in _done(runs).path]
    rows = published_scores.score_rows(records, published_scores.read_published_scores())
    sys.stdout.write(published_scores.to_markdown(rows))
    for note in runs.notes:
        print(note)


def publish(options: argparse.Namespace) -> None:
    """Write compact records of the finished runs of a sweep, and its list of runs."""
    store = options.store or Path("outputs")
    runs = load_sweep(options.sweep, find_store(options.sweep, [store]))
    done = _done(runs)
    records = [read_record(path) for path in done.path]  # all of them, before anything is written
    paths = [record_path(options.out, str(path.relative_to(store)).removesuffix(".json")) for path in done.path]
    for record, path in zip(records, paths, strict=True):
        write_record(record, path)
    listed = Path("sweeps") / options.sweep / "runs.json"
    (options.out / listed).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(store / listed, options.out / listed)
    size = sum(path.stat().st_size for path in paths)
    print(f"{len(done)} of {len(runs.frame)} runs, {size / 1024:.0f} KiB, under {options.out}")


def show(table: Table, name: str, out: Path | None) -> None:
    """Print a table, and write it in every format if there is a folder for it."""
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 400)
    terminal(table, console)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for kind, write in FORMATS.items():
            (out / f"{name}.{kind}").write_text(write(table), encoding="utf-8")
        print(f"written: {', '.join(str(out / f'{name}.{kind}') for kind in FORMATS)}")


def _runs(options: argparse.Namespace) -> Runs:
    stores = [options.store] if options.store else STORES
    return load_sweep(options.sweep, find_store(options.sweep, stores))


def _reference_of(options: argparse.Namespace, runs: Runs) -> Reference:
    """The frozen reference, if one is given, else that of the sweep's own runs."""
    return load_reference(options.reference) if options.reference else _reference(runs)


def _reference(runs: Runs) -> Reference:
    """The reference of a sweep's own runs, with random policies from it or from the sweep `random`."""
    done = _done(runs)
    done = done[done.score.notna()]
    store = find_store("random", [runs.store, *STORES])
    if store != runs.store:
        runs.notes.append(f"The random policies are those of {store}.")
    random = load_sweep("random", store).frame
    return make_reference(done[~done.setting.isin(RANDOMS.values())], random[random.score.notna()])


def _done(runs: Runs) -> pd.DataFrame:
    """The finished runs; UserError if there is none."""
    done = runs.frame[runs.frame.state == "done"]
    if done.empty:
        raise UserError(f"no run of sweep {runs.sweep} is done: python -m sweeps run {runs.sweep} goes on with them.")
    return done


def _out(options: argparse.Namespace) -> Path:
    return options.out or Path("outputs") / "figures"


def _saved(paths: list[Path]) -> None:
    print(f"written: {', '.join(map(str, paths))}")
