"""What SLURM knows about a store's runs, asked once for all of them; sacct is optional and only adds reasons."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ppo.runs.states import TO_TRAIN, Standing, State
from sweeps.home import homes

ASK_SECONDS = 30  # after which a command that does not answer is given up


class Scheduler(NamedTuple):
    """The jobs that were submitted for runs, and those that SLURM still has."""

    jobs: Mapping[str, list[str]]  # run hash -> job ids, array tasks as 12_3
    listed: Mapping[str, str] | None  # job id -> state; None if SLURM cannot be asked from here

    def refine(self, run: str, found: Standing) -> Standing:
        """A run's standing, corrected by what SLURM knows. Unknown is not dead: such a run is left alone."""
        if found.state in TO_TRAIN and run in self.jobs:
            if self.listed is None:
                return found._replace(state=State.UNKNOWN)
            if any(job in self.listed for job in self.jobs[run]):
                return found._replace(state=State.QUEUED)
        job = job_of(found.status)
        if found.state == State.UNKNOWN and job and self.listed is not None and job not in self.listed:
            return found._replace(state=State.LOST)
        return found


def ask_scheduler(outputs: Path) -> Scheduler:
    """Ask SLURM, if any run of the store was ever submitted."""
    jobs: dict[str, list[str]] = defaultdict(list)
    for home in homes(outputs):
        for job, runs in home.jobs().items():
            for run in runs:
                jobs[run].append(job)
    return Scheduler(jobs, queue() if jobs else {})


def job_of(status: Mapping[str, Any]) -> str | None:
    """The job that a run's last attempt ran in, as squeue writes it; None outside SLURM."""
    ids = status.get("slurm") or {}
    if "SLURM_ARRAY_JOB_ID" in ids:
        return f"{ids['SLURM_ARRAY_JOB_ID']}_{ids.get('SLURM_ARRAY_TASK_ID')}"
    return str(ids["SLURM_JOB_ID"]) if "SLURM_JOB_ID" in ids else None


def queue() -> dict[str, str] | None:
    """Job id -> state of our jobs that have not ended; None if SLURM does not answer."""
    answer = ask("squeue", "--me", "--noheader", "--array", "--format=%i %T")
    return None if answer is None else _pairs(answer, " ")


def reasons(jobs: Iterable[str]) -> dict[str, str]:
    """Job id -> how it ended, such as OUT_OF_MEMORY; empty where there is no accounting."""
    listed = ",".join(sorted(set(jobs)))
    answer = ask("sacct", "--noheader", "--parsable2", "--allocations", "--jobs", listed, "--format=JobID,State")
    return _pairs(answer or "", "|")


def _pairs(answer: str, separator: str) -> dict[str, str]:
    rows = (line.strip().partition(separator) for line in answer.splitlines())
    return {job: state for job, _, state in rows if state}


def ask(*command: str) -> str | None:
    """What a command of SLURM prints, or None if it is missing, fails or does not answer."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ASK_SECONDS, check=True, env=os.environ | {"LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
