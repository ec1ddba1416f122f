"""What each command of `ppo-sweeps` does."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.live import Live

from ppo.errors import UserError, printable
from ppo.runs.exits import Exit
from ppo.runs.files import append
from ppo.runs.words import counted
from sweeps.drive import drive
from sweeps.launching.launchers import Local, compose_launcher, split_overrides
from sweeps.launching.scheduler import ask_scheduler
from sweeps.launching.slurm import cancel_jobs, submit_missing
from sweeps.planning.catalogue import catalogue, store_of
from sweeps.planning.plan import check_fit, facts, make_plan, to_json
from sweeps.planning.runs import outputs_of, select, sweep_runs
from sweeps.planning.spec import load
from sweeps.showing import listing, verifying
from sweeps.showing import status as overview
from sweeps.showing.preview import print_plan
from sweeps.showing.report import print_report
from sweeps.showing.view import results_console

WATCH_SECONDS = 5.0


def plan(options: argparse.Namespace) -> int:
    """Print what would be trained."""
    of_launcher, rest = split_overrides(options.overrides)
    launcher = compose_launcher(of_launcher)
    sweep = load(options.sweep)
    runs = sweep_runs(sweep, rest, options.setting)
    outputs = outputs_of([run.config for run in runs])
    check_fit(runs, launcher)
    made = make_plan(sweep.name, runs, launcher, ask_scheduler(outputs))
    if options.json:
        print_json(to_json(made, outputs))
    else:
        print_plan(results_console(), made, outputs)
    return Exit.DONE


def run(options: argparse.Namespace) -> int:
    """Train what is missing."""
    return launch(options, retry=False)


def retry(options: argparse.Namespace) -> int:
    """Train what is missing, failed or damaged."""
    return launch(options, retry=True)


def launch(options: argparse.Namespace, *, retry: bool) -> int:
    """Train here and wait, or submit and return."""
    of_launcher, rest = split_overrides(options.overrides)
    launcher = compose_launcher(of_launcher)
    sweep = load(options.sweep)
    selection = select(sweep, rest, options.setting)
    runs = selection.runs
    scheduler = ask_scheduler(outputs_of([run.config for run in runs]))
    if not isinstance(launcher, Local):
        submit_missing(sweep.name, selection, launcher, scheduler, retry=retry)
        same = [options.sweep, *rest, *(word for label in options.setting for word in ("--setting", label))]
        print(f"monitor it with: ppo-sweeps status {shlex.join(same)} --watch", file=sys.stderr)
        return Exit.DONE
    ending = drive(sweep.name, selection, launcher, scheduler, retry=retry)
    if options.json:
        rows = [r.row.to_json() | facts(ending.standings[r.hash]) for r in runs]
        print_json({"sweep": sweep.name, "runs": rows, "not_trained_here": ending.blocked})
    elif ending.status != Exit.INTERRUPTED:
        print_report(results_console(), runs, ending.standings, ending.blocked)
    return ending.status


def status(options: argparse.Namespace) -> int:
    """Show the state of the runs."""
    _, rest = split_overrides(options.overrides)
    found = catalogue(options.sweep, rest, options.setting)
    shown = overview.read_status(found)
    if options.json:
        print_json(overview.to_json(shown))
    elif options.watch:
        with Live(overview.render(shown), console=results_console(), auto_refresh=False) as live:
            while not shown.ended:
                time.sleep(WATCH_SECONDS)
                shown = overview.read_status(found)
                live.update(overview.render(shown), refresh=True)
    else:
        results_console().print(overview.render(shown))
    return Exit.DONE if shown.all_done else Exit.FAILED


def cancel(options: argparse.Namespace) -> int:
    """Ask whoever runs the sweep to save and stop."""
    _, rest = split_overrides(options.overrides)
    home = catalogue(options.sweep, rest, options.setting).home
    if driver := home.driver():
        try:
            append(home.cancel_request, b"")
        except OSError as error:
            raise UserError(f"{home.cancel_request} cannot be written: {error.strerror}.") from None
        print(f"asked process {driver.get('pid')} on {driver.get('host')} to save and stop")
    jobs = cancel_jobs(home) if home.jobs() else []
    if jobs:
        print(f"cancelled {counted(len(jobs), 'job')}: {' '.join(jobs)}")
    if not (driver or jobs):
        print(f"nothing of sweep {home.name} is running or queued")
    return Exit.DONE


def ls(options: argparse.Namespace) -> int:
    """List the runs of a store."""
    stores, filters = _split_store(options.overrides)
    found = listing.list_runs(store_of(stores), filters, options.columns.split(","))
    if options.json:
        print_json(listing.to_json(found))
    elif options.csv:
        listing.write_csv(found, sys.stdout)
    else:
        listing.print_aligned(found)
    return Exit.DONE


def logs(options: argparse.Namespace) -> int:
    """Show what a run recorded."""
    store, rest = _split_store(options.overrides)
    if rest:
        raise UserError(f"{rest[0]} is invalid: expected outputs=FOLDER.")
    listing.print_logs(listing.find(options.run, store_of(store)), sys.stdout, follow=options.follow)
    return Exit.DONE


def verify(options: argparse.Namespace) -> int:
    """Hash everything, and report what does not fit."""
    store, rest = _split_store(options.overrides)
    if len(rest) > 1 or any("=" in word for word in rest):
        raise UserError(f"{rest[-1]} is invalid: expected one sweep and outputs=FOLDER.")
    checked = verifying.check(store_of(store), rest[0] if rest else None)
    if options.json:
        print_json(verifying.to_json(checked))
    else:
        for line in verifying.sentences(checked):
            print(printable(line))
    return Exit.FAILED if any(found.damage for found in checked) else Exit.DONE


def _split_store(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """`outputs=FOLDER`, and everything else."""
    return [w for w in words if w.startswith("outputs=")], [w for w in words if not w.startswith("outputs=")]


def print_json(value: Any) -> None:
    """For programs."""
    print(json.dumps(value, indent=2, default=lambda v: v.as_posix() if isinstance(v, Path) else str(v)))
