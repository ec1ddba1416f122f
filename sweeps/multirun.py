"""Runs listed one by one, as Hydra's multirun lists them: a sweep that has no file."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ppo.runs.states import State, standing
from sweeps.drive import INTERRUPTED, drive
from sweeps.launching.launchers import Local, to_launcher
from sweeps.launching.scheduler import scheduler
from sweeps.launching.slurm import submit_missing
from sweeps.planning.runs import Run, listed_runs, outputs_of

Outcome = tuple[float | None, str | None]  # score, error


def train(jobs: Sequence[Sequence[str]], keys: Mapping[str, Any]) -> list[Outcome]:
    """Train the runs that lists of overrides describe, and print each one's score and folder, in order.

    Submits and returns where the launcher is a cluster: then there is neither score nor error.
    """
    listed = listed_runs(jobs)
    runs = list({run.hash: run for run in listed}.values())
    launcher = to_launcher(keys)
    name = f"multirun-{hashlib.sha256(''.join(sorted(run.hash for run in runs)).encode()).hexdigest()[:8]}"
    known = scheduler(outputs_of(runs))
    if not isinstance(launcher, Local):
        submit_missing(name, runs, launcher, known)
        return [(None, None)] * len(listed)
    if drive(name, runs, launcher, known, retry=True) == INTERRUPTED:
        sys.exit(INTERRUPTED)
    return [_outcome(run) for run in listed]


def _outcome(run: Run) -> Outcome:
    seen = standing(run.folder)
    if seen.state != State.DONE:
        error = str(seen.status.get("error") or f"it is {seen.state}")
        print(f"failed: {error}  {run.folder}")
        return None, f"{run.folder}: {error}"
    score = seen.result.get("score")
    print(f"score {'none: no episode was completed' if score is None else f'{score:.2f}'}  {run.folder}")
    return score, None
