"""What each command of `python -m sweeps` does."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.live import Live
from rich.table import Table

from ppo.config.compose import parse
from ppo.config.run import EXECUTION_KEYS
from ppo.runs.states import State
from sweeps.drive import drive
from sweeps.home import Home
from sweeps.launching.launchers import Local, compose_launcher, split_overrides
from sweeps.launching.scheduler import scheduler
from sweeps.launching.slurm import cancel_jobs, submit_missing
from sweeps.planning.catalogue import catalogue
from sweeps.planning.plan import Plan, disk_free, disk_needed, make_plan, to_json
from sweeps.planning.runs import Run, outputs_of, sweep_runs
from sweeps.planning.spec import Sweep, load
from sweeps.showing import status as standing_of
from sweeps.showing.view import page
from sweeps.showing.watch import pack_title

DONE, FAILED = 0, 1
WATCH_SECONDS = 5.0


def plan(options: argparse.Namespace) -> int:
    """Print what would run."""
    ours, rest = split_overrides(options.overrides)
    launcher = compose_launcher(ours)
    sweep = load(options.sweep)
    runs = sweep_runs(sweep, rest, options.setting)
    outputs = outputs_of(runs)
    made = make_plan(sweep.name, runs, launcher, scheduler(outputs))
    if options.json:
        print(json.dumps(to_json(made, outputs), indent=2))
    else:
        print_plan(made, outputs)
    return DONE


def run(options: argparse.Namespace) -> int:
    """Train what is missing."""
    return launch(options, retry=False)


def retry(options: argparse.Namespace) -> int:
    """Train what is missing or failed."""
    return launch(options, retry=True)


def launch(options: argparse.Namespace, *, retry: bool) -> int:
    """Train here and wait, or submit and return."""
    ours, rest = split_overrides(options.overrides)
    launcher = compose_launcher(ours)
    sweep = load(options.sweep)
    runs = sweep_runs(sweep, rest, options.setting)
    known, whole = scheduler(outputs_of(runs)), whole_sweep(sweep, rest, options.setting, runs)
    if isinstance(launcher, Local):
        return drive(sweep.name, runs, launcher, known, retry=retry, declared=whole)
    submit_missing(sweep.name, runs, launcher, known, retry=retry, declared=whole)
    print(f"look after it: python -m sweeps status {options.sweep} --watch")
    return DONE


def whole_sweep(sweep: Sweep, overrides: Sequence[str], only: Sequence[str], runs: list[Run]) -> list[Run]:
    """All runs of a sweep of which `runs` are a part; `runs` themselves where overrides made others of them."""
    of_execution = [o for o in overrides if parse([o])[0].key_or_group in EXECUTION_KEYS]
    if len(of_execution) == len(overrides) and not only:
        return runs
    whole = sweep_runs(sweep, of_execution)
    return whole if {run.hash for run in runs} <= {run.hash for run in whole} else runs


def status(options: argparse.Namespace) -> int:
    """Show how the runs stand."""
    _, rest = split_overrides(options.overrides)
    found = catalogue(options.sweep, rest, options.setting)
    home = Home(Path(found.outputs), load(options.sweep).name)
    seen = standing_of.look(home.name, found, home.driver)
    if options.json:
        print(json.dumps(standing_of.to_json(seen), indent=2))
    elif options.watch:
        with Live(standing_of.render(seen), console=page(), auto_refresh=False) as live:
            while not seen.ended:
                time.sleep(WATCH_SECONDS)
                seen = standing_of.look(home.name, found, home.driver)
                live.update(standing_of.render(seen), refresh=True)
    else:
        page().print(standing_of.render(seen))
    return DONE if seen.all_done else FAILED


def cancel(options: argparse.Namespace) -> int:
    """Ask whoever runs the sweep to save and stop."""
    _, rest = split_overrides(options.overrides)
    found = catalogue(options.sweep, rest, options.setting)
    home = Home(Path(found.outputs), load(options.sweep).name)
    if driver := home.driver:
        home.cancel_request.touch()
        print(f"asked process {driver.get('pid')} on {driver.get('host')} to save and stop")
    jobs = cancel_jobs(home) if home.jobs() else []
    if jobs:
        print(f"cancelled {len(jobs)} jobs: {' '.join(jobs)}")
    if not (driver or jobs):
        print(f"nothing of sweep {home.name} is running or queued")
    return DONE


def print_plan(made: Plan, outputs: Path) -> None:
    """The plan for a person."""
    console = page()
    console.print(f"{made.name}: {len(made.runs)} runs of {len(labels(made.runs))} settings", style="bold")
    for state in State:
        if count := made.counts[state]:
            console.print(f"  {count:5} {state}")
    if made.other_code:
        where = "python -m sweeps ls --columns hash,code,commit,folder"
        console.print(f"  {len(made.other_code):5} of these were done by other code than today's: {where}")
    if not made.packs:
        console.print("nothing to train")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("pack", "runs", "minutes"):
        table.add_column(name, justify="left" if name == "pack" else "right")
    for pack in made.packs[:40]:
        table.add_row(pack_title(pack.runs), str(len(pack.runs)), f"{pack.seconds / 60:.1f}")
    if len(made.packs) > 40:
        table.add_row(f"... and {len(made.packs) - 40} more", "", "")
    console.print(table)
    total = sum(p.seconds for p in made.packs)
    console.print(
        f"{len(made.packs)} packs, {made.workers} at a time: {hours(made.seconds)} ({hours(total)} of one core), "
        f"by speeds of {made.speeds.source}"
    )
    console.print(f"disk: about {disk_needed(made) / 1e6:,.0f} MB of {disk_free(outputs) / 1e9:,.0f} GB free")


def labels(runs: Sequence[Run]) -> list[str]:
    """The settings, in order."""
    return list(dict.fromkeys(run.label for run in runs))


def hours(seconds: float) -> str:
    """A duration for a plan."""
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"


def ls(options: argparse.Namespace) -> int:
    """List run folders."""
    from sweeps.showing.listing import print_listing

    return print_listing(options)


def logs(options: argparse.Namespace) -> int:
    """Show what a run wrote down."""
    from sweeps.showing.listing import print_logs

    return print_logs(options, sys.stdout)
