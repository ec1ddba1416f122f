"""Driving a sweep to its end on this machine: plan, train, wait for runs that others train, report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from ppo.runs.exits import Exit
from ppo.runs.states import Standing, State, standing
from ppo.runs.words import counted, how_saved
from sweeps.home import Home
from sweeps.launching.launchers import Launcher, Local
from sweeps.launching.local import Pool
from sweeps.launching.scheduler import Scheduler
from sweeps.planning.plan import Plan, check_fit, make_plan
from sweeps.planning.runs import Run, Selection, outputs_of
from sweeps.showing.preview import hours
from sweeps.showing.view import View, make_view

POLL_SECONDS = 2.0  # between looks at runs that others train


class Ending(NamedTuple):
    """How a launch of a sweep ended."""

    status: Exit
    standings: dict[str, Standing]  # by run hash
    blocked: dict[str, str]  # run hash -> why it could not be trained here


def drive(name: str, selection: Selection, launcher: Local, scheduler: Scheduler, *, retry: bool = False) -> Ending:
    """Train what is missing of the selected runs."""
    runs = selection.runs
    if any(run.config.execution.device == "cuda" for run in runs):
        from ppo.train import check_device

        check_device("cuda")
    check_fit(runs, launcher)
    home = Home(outputs_of([run.config for run in runs]), name)
    home.open()
    view = make_view()
    try:
        home.write_runs([run.row for run in selection.declared])
        complete, blocked = _train(home, view, runs, launcher, scheduler, retry=retry)
    finally:
        view.close()
        home.close()
    standings = {run.hash: standing(run.folder) for run in runs}
    if not complete:
        unsaved = [s for s in standings.values() if s.state == State.LOST or (s.state == State.PLANNED and s.error)]
        sys.stderr.write(f"{how_saved(len(unsaved))}\n")
        return Ending(Exit.INTERRUPTED, standings, blocked)
    all_done = all(s.state == State.DONE for s in standings.values())
    return Ending(Exit.DONE if all_done else Exit.FAILED, standings, blocked)


def _train(
    home: Home, view: View, runs: Sequence[Run], launcher: Launcher, scheduler: Scheduler, *, retry: bool
) -> tuple[bool, dict[str, str]]:
    """Plan and train until nothing is left to train or to wait for; False if interrupted, and what was blocked."""
    plan = make_plan(home.name, runs, launcher, scheduler, retry=retry)
    announce(view, plan)
    pool = Pool(home, view, plan)
    while True:
        if plan.packs and not pool.run(plan.packs):
            return False, pool.blocked
        if not plan.packs and not _wait(home, view, plan):
            return True, pool.blocked
        plan = make_plan(home.name, runs, launcher, scheduler, leave=pool.blocked)


def _wait(home: Home, view: View, plan: Plan) -> bool:
    """Wait until a run that another process trains has ended or is left to us; False if there is no such run."""
    elsewhere = plan.of(State.RUNNING)
    if not elsewhere:
        return False
    who = plan.standings[elsewhere[0].hash].where
    view.event(f"waiting  {len(elsewhere)} runs are being trained elsewhere, the first by {who}")
    while all(standing(run.folder).state == State.RUNNING for run in elsewhere):
        if home.cancel_request.exists():
            raise KeyboardInterrupt
        home.beat()
        time.sleep(POLL_SECONDS)
    return True


def announce(view: View, plan: Plan) -> None:
    """What is about to happen, in a line or two."""
    counts = ", ".join(f"{count} {state}" for state, count in sorted(plan.counts.items()))
    view.event(f"sweep    {plan.name}: {counted(len(plan.runs), 'run')}: {counts}")
    if plan.packs:
        estimate = f"about {hours(plan.seconds)}, estimated from {plan.speeds.source}"
        view.event(f"plan     {counted(len(plan.packs), 'pack')}, {plan.workers} at a time: {estimate}")
    if plan.other_code:
        view.event(f"note     {len(plan.other_code)} finished runs were trained by other code: see the plan")
    if plan.begun_by_other_code:
        view.event(f"note     {len(plan.begun_by_other_code)} interrupted runs were begun by other code: see the plan")
