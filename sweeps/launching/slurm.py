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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from ppo.errors import UserError
from sweeps.home import Home, PackFile
from sweeps.launching.launchers import Slurm
from sweeps.launching.scheduler import Scheduler, ask, queue
from sweeps.launching.worker import ONE_THREAD, train_pack_file
from sweeps.planning.packing import Pack
from sweeps.planning.plan import make_plan
from sweeps.planning.runs import Run, outputs_of

log = logging.getLogger(__name__)

DEFAULT_ARRAY_SIZE = 1001  # SLURM's own, where scontrol does not tell


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


def submit_missing(
    name: str,
    runs: Sequence[Run],
    launcher: Slurm,
    known: Scheduler,
    *,
    retry: bool = False,
    declared: Sequence[Run] | None = None,
) -> None:
    """Submit what is missing of `runs`, and say what was found and done; `declared` as in `sweeps.drive`."""
    if shutil.which("sbatch") is None:
        raise UserError("launcher=slurm is not possible: sbatch is not found here; allowed is launcher=local.")
    home = Home(outputs_of(runs), name)
    home.open()
    home.write_runs(declared or runs)
    try:
        made = make_plan(name, runs, launcher, known, retry=retry)
        print(f"{name}: {', '.join(f'{count} {state}' for state, count in sorted(made.counts.items()))}")
        submit(home, launcher, made.packs)
    finally:
        home.close()


def submit(home: Home, launcher: Slurm, packs: Sequence[Pack]) -> None:
    """Hand packs to SLURM, in arrays no larger than it takes; UserError with its own words if it refuses."""
    largest = max_array_size()
    if largest < 2:
        raise UserError(f"launcher=slurm is not possible: this cluster takes no job arrays (MaxArraySize={largest}).")
    for chunk in chunks(packs, largest - 1):
        files = [home.write_pack([run.config for run in pack.runs]) for pack in chunk]
        jobs = _submit_array(home, launcher, files)
        home.add_jobs({job: [r.hash for r in pack.runs] for job, pack in zip(jobs, chunk, strict=True)})
        print(f"submitted {len(jobs)} packs as job {jobs[0].partition('_')[0]}: {jobs[0]} to {jobs[-1]}")


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
        # sbatch's complaints are in the exception; submitit would print them as well.
        with _outside_of_jobs(), redirect_stderr(StringIO()), executor.batch():
            seconds = launcher.time * 60 - launcher.stop_seconds
            jobs = [executor.submit(PackTask(str(file.path.absolute()), seconds)) for file in files]
        return [job.job_id for job in jobs]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        raise UserError(f"SLURM refuses the job: {_reason(error)}") from None
    except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        raise UserError(f"launcher=slurm is not possible: {_reason(error)}") from None


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """While open, no trace of a job that we may run in; but the cluster is still the same one."""
    import submitit

    kept = {key: os.environ[key] for key in ("SLURM_CONF",) if key in os.environ}
    with submitit.helpers.clean_env():
        os.environ.update(kept)
        yield


def parameters(name: str, launcher: Slurm) -> dict[str, Any]:
    """The launcher's keys as submitit's SLURM executor calls them."""
    threads = [f"export {name}={count}" for name, count in ONE_THREAD.items()]
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
        "setup": [*threads, *launcher.setup],
        "additional_parameters": {k: v for k, v in ({"requeue": True} | launcher.sbatch).items() if v is not False},
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


def cancel_jobs(home: Home) -> list[str]:
    """Cancel the jobs of a sweep that have not ended; a running pack saves first. Returns their ids."""
    listed = queue()
    if listed is None:
        raise UserError(f"sweep {home.name} has jobs, but SLURM does not answer here: run this where squeue does.")
    alive = [job for job in home.jobs() if job in listed]
    if alive:
        # To a job that runs this sends SIGTERM and, KillWait seconds later, SIGKILL: time to save.
        ask("scancel", *alive)
    return alive
