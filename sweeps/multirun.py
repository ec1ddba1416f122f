"""Runs listed one by one, as Hydra's multirun lists them: a sweep that has no file."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence

from ppo.config.run import Config
from ppo.console import score_line
from ppo.runs.exits import Exit
from ppo.runs.states import Standing, State
from sweeps.drive import drive
from sweeps.launching.launchers import Launcher, Local
from sweeps.launching.scheduler import ask_scheduler
from sweeps.launching.slurm import submit_missing
from sweeps.planning.runs import Run, Selection, listed_runs, outputs_of
from sweeps.showing.report import print_report
from sweeps.showing.view import results_console

Outcome = tuple[float | None, str | None]  # score, error


def train(configs: Sequence[Config], launcher: Launcher) -> list[Outcome]:
    """Train runs, and print each one's score and folder, in order.

    Submits and returns where the launcher is a cluster: then there is neither score nor error.
    """
    listed = listed_runs(configs)
    runs = list({run.hash: run for run in listed}.values())
    name = f"multirun-{hashlib.sha256(''.join(sorted(run.hash for run in runs)).encode()).hexdigest()[:8]}"
    scheduler = ask_scheduler(outputs_of([run.config for run in runs]))
    selection = Selection(runs, runs)
    if not isinstance(launcher, Local):
        submit_missing(name, selection, launcher, scheduler)
        return [(None, None)] * len(listed)
    ending = drive(name, selection, launcher, scheduler, retry=True)
    if ending.status == Exit.INTERRUPTED:
        sys.exit(Exit.INTERRUPTED)
    print_report(results_console(), runs, ending.standings, ending.blocked)
    return [_outcome(run, ending.standings[run.hash]) for run in listed]


def _outcome(run: Run, found: Standing) -> Outcome:
    if found.state != State.DONE:
        error = found.error or f"it is {found.state}"
        print(f"failed: {error}  {run.folder}")
        return None, f"{run.folder}: {error}"
    score = found.result.get("score")
    print(f"{score_line(score)}  {run.row.env}  {run.label}  seed {run.row.seed}  {run.folder}")
    return score, None
