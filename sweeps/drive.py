"""Driving a sweep to its end on this machine: plan, train, wait for runs that others train, report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from ppo.runs.states import State, standing
from sweeps.home import Home
from sweeps.launching.launchers import Launcher, Local
from sweeps.launching.local import Pool
from sweeps.launching.scheduler import Scheduler
from sweeps.planning.plan import Plan, make_plan
from sweeps.planning.runs import Run, outputs_of
from sweeps.showing.report import print_report
from sweeps.showing.view import View, make_view, page

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
LOOK_SECONDS = 2.0  # between looks at runs that others train


def drive(
    name: str,
    runs: Sequence[Run],
    launcher: Local,
    known: Scheduler,
    *,
    retry: bool = False,
    declared: Sequence[Run] | None = None,
) -> int:
    """Train what is missing of `runs`; returns the exit status. `declared`: the sweep of which they are a part."""
    if any(run.config.execution.device == "cuda" for run in runs):
        from ppo.train import check_device

        check_device("cuda")
    home = Home(outputs_of(runs), name)
    home.open()
    home.write_runs(declared or runs)
    view = make_view()
    try:
        status, blocked = _train(home, view, runs, launcher, known, retry=retry)
    finally:
        view.close()
        home.close()
    if status == INTERRUPTED:
        sys.stderr.write("interrupted: saved; the same command goes on from here\n")
        return status
    standings = {run.hash: standing(run.folder) for run in runs}
    print_report(page(), runs, standings, blocked)
    return DONE if all(s.state == State.DONE for s in standings.values()) else FAILED


def _train(
    home: Home, view: View, runs: Sequence[Run], launcher: Launcher, known: Scheduler, *, retry: bool
) -> tuple[int, dict[str, str]]:
    """Rounds of planning and training, until nothing is left to train or to wait for."""
    plan = make_plan(home.name, runs, launcher, known, retry=retry)
    tell(view, plan)
    pool = Pool(home, view, plan)
    while True:
        if plan.packs and not pool.run(plan.packs):
            return INTERRUPTED, pool.blocked
        if not plan.packs and not _wait(home, view, plan):
            return DONE, pool.blocked
        plan = make_plan(home.name, runs, launcher, known, leave=pool.blocked)


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
        time.sleep(LOOK_SECONDS)
    return True


def tell(view: View, plan: Plan) -> None:
    """What is about to happen, in a line or two."""
    counts = ", ".join(f"{count} {state}" for state, count in sorted(plan.counts.items()))
    view.event(f"sweep    {plan.name}: {len(plan.runs)} runs: {counts}")
    if plan.packs:
        minutes = f"about {plan.seconds / 60:.0f} min, by speeds of {plan.speeds.source}"
        view.event(f"plan     {len(plan.packs)} packs, {plan.workers} at a time: {minutes}")
    if plan.other_code:
        view.event(f"note     {len(plan.other_code)} finished runs were made by other code: see the plan")
