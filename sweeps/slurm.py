"""The SLURM launcher: packs as tasks of job arrays, through submitit; submits and returns."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ppo.errors import UserError
from sweeps.home import Home, PackFile, homes
from sweeps.launchers import Slurm
from sweeps.packing import Pack
from sweeps.states import State
from sweeps.worker import train_pack_file

log = logging.getLogger(__name__)

ASK_SECONDS = 30  # that the scheduler gets to answer
DEFAULT_ARRAY_SIZE = 1001  # SLURM's own, where scontrol does not tell
RUNNING_STATES = ("RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "SIGNALING", "STAGE_OUT")


class PackTask:
    """What one array task does: train a pack; save and be requeued when told to, or shortly before its time ends."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path, self.seconds = path, seconds

    def __call__(self) -> int:
        """Train to the end; ends the process with status 1 if a run failed, so that SLURM says so too."""
        started, told = time.monotonic(), []
        requeue: Any = signal.getsignal(signal.SIGUSR2)  # submitit's: puts us back into the queue and exits
        signal.signal(signal.SIGUSR2, lambda *_: told.append("SIGUSR2"))
        status = train_pack_file(
            PackFile(Path(self.path)), lambda: bool(told) or time.monotonic() - started > self.seconds
        )
        out_of_time = time.monotonic() - started > self.seconds
        if status == 130 and (told or out_of_time) and callable(requeue):
            requeue(signal.SIGUSR2, None)
        if status:
            sys.exit(status)
        return status

    def checkpoint(self) -> Any:
        """What submitit runs when the job is requeued: the same; the runs know where they were."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def submit(home: Home, launcher: Slurm, packs: Sequence[Pack], say: Callable[[str], None]) -> None:
    """Hand packs to SLURM, in arrays no larger than it takes; UserError with its own words if it refuses."""
    if shutil.which("sbatch") is None:
        raise UserError("launcher=slurm is not possible: sbatch is not found here; allowed is launcher=local.")
    for chunk in chunks(packs, max_array_size() - 1):
        files = [home.write_pack([run.config for run in pack.runs]) for pack in chunk]
        jobs = _submit_array(home, launcher, files)
        home.add_jobs({job: [r.hash for r in pack.runs] for job, pack in zip(jobs, chunk, strict=True)})
        say(f"submitted {len(jobs)} packs as job {jobs[0].partition('_')[0]}: {jobs[0]} to {jobs[-1]}")


def chunks(packs: Sequence[Pack], size: int) -> Iterator[Sequence[Pack]]:
    """Packs, `size` at a time."""
    for start in range(0, len(packs), size):
        yield packs[start : start + size]


def _submit_array(home: Home, launcher: Slurm, files: Sequence[PackFile]) -> list[str]:
    """Submit one array; returns the job id of each task."""
    import submitit

    folder = home.path / "slurm"
    folder.mkdir(exist_ok=True)
    try:
        executor = submitit.SlurmExecutor(folder=folder.absolute(), max_num_timeout=launcher.max_requeues)
        executor.update_parameters(**parameters(home.name, launcher))
        with submitit.helpers.clean_env(), executor.batch():
            seconds = launcher.time * 60 - launcher.stop_seconds
            jobs = [executor.submit(PackTask(str(file.path.absolute()), seconds)) for file in files]
        return [job.job_id for job in jobs]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        raise UserError(f"SLURM refuses the job: {_reason(error)}") from None
    except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        raise UserError(f"launcher=slurm is not possible: {_reason(error)}") from None


def parameters(name: str, launcher: Slurm) -> dict[str, Any]:
    """The launcher's keys as submitit's SLURM executor calls them."""
    given = {
        "job_name": f"ppo-{name}",
        "partition": launcher.partition,
        "account": launcher.account,
        "gpus_per_node": launcher.gpus or None,
    }
    return {key: value for key, value in given.items() if value is not None} | {
        "time": launcher.time,
        "mem": f"{round(launcher.memory_gb * 1024)}M",
        "cpus_per_task": launcher.cpus,
        "ntasks_per_node": 1,
        "nodes": 1,
        "array_parallelism": launcher.array_parallelism,
        "signal_delay_s": round(launcher.stop_seconds),
        "setup": list(launcher.setup) or None,
        "additional_parameters": dict(launcher.sbatch),
    }


def _reason(error: Exception) -> str:
    """The scheduler's own message."""
    text = str(error)
    said = re.findall(r"sbatch: (?:error: )?(.+)", text)
    return " ".join((" ".join(said) or text).split())[:400]


def max_array_size() -> int:
    """SLURM's MaxArraySize: one more than the largest index of an array."""
    answer = ask("scontrol", "show", "config") or ""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", answer)
    return int(found.group(1)) if found else DEFAULT_ARRAY_SIZE


# -- what the scheduler knows ----------------------------------------------------------------------------------------


def queued(outputs: Path) -> dict[str, State]:
    """Run hash -> QUEUED, or UNKNOWN where SLURM cannot be asked, of the runs that jobs of a store were to train."""
    jobs = {job: runs for home in homes(outputs) for job, runs in home.jobs().items()}
    if not jobs:
        return {}
    listed = queue()
    if listed is None:
        return {run: State.UNKNOWN for runs in jobs.values() for run in runs}
    return {run: State.QUEUED for job, runs in jobs.items() if job in listed for run in runs}


def queue() -> dict[str, str] | None:
    """Job id (array tasks as 12_3) -> state, of our jobs that have not ended; None if SLURM does not answer."""
    answer = ask("squeue", "--me", "--noheader", "--array", "--format=%i %T")
    if answer is None:
        return None
    return dict(line.split(None, 1) for line in answer.splitlines() if " " in line.strip())


def cancel_jobs(home: Home) -> list[str]:
    """Cancel the jobs of a sweep that have not ended; a running pack saves first. Returns their ids."""
    listed = queue()
    if listed is None:
        raise UserError(f"sweep {home.name} has jobs, but SLURM does not answer here: run this where squeue does.")
    alive = [job for job in home.jobs() if job in listed]
    if alive:
        # SIGTERM first: a batch job's processes get none before the kill unless asked for.
        running = [job for job in alive if listed[job] in RUNNING_STATES]
        for job in running:
            ask("scancel", "--full", "--signal=TERM", job)
        waiting = [job for job in alive if job not in running]
        if waiting:
            ask("scancel", *waiting)
    return alive


def ask(*command: str) -> str | None:
    """What a command of SLURM prints, or None if it is not there, fails or stays silent."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ASK_SECONDS, check=True, env=os.environ | {"LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
