"""The SLURM launcher: packs as tasks of job arrays, through submitit; submits and returns."""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import signal
import site
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from ppo.errors import UserError
from ppo.runs.exits import Exit
from ppo.runs.words import counted
from sweeps.home import Home, PackFile
from sweeps.launching import start_task
from sweeps.launching.launchers import Slurm
from sweeps.launching.scheduler import Scheduler, ask, queue
from sweeps.launching.start import ROOT
from sweeps.launching.worker import ONE_THREAD, train_pack_file
from sweeps.planning.packing import PlannedPack
from sweeps.planning.plan import check_fit, make_plan
from sweeps.planning.runs import Selection, outputs_of

log = logging.getLogger(__name__)

DEFAULT_ARRAY_SIZE = 1001  # SLURM's own, where scontrol does not answer


class PackTask:
    """What one array task does: train a pack; save and be requeued when preempted, or shortly before its time ends."""

    def __init__(self, path: str, seconds: float) -> None:
        self.path, self.seconds = path, seconds

    def __call__(self) -> int:
        """Train to the end; ends the process with status 1 if a run failed, so that SLURM reports it too."""
        started, signals, asked = time.monotonic(), [], []
        requeue: Any = signal.getsignal(start_task.SIGNAL)  # submitit's: puts us back into the queue and exits
        signal.signal(start_task.SIGNAL, lambda *_: signals.append("SIGUSR2"))
        start_task.let_through()

        def stop() -> bool:
            """Asked only while nobody has cancelled the job: SIGTERM saves and stops by itself."""
            if signals or time.monotonic() - started > self.seconds:
                asked.append("to be requeued")
            return bool(asked)

        status = train_pack_file(PackFile(Path(self.path)), stop)
        if status == Exit.INTERRUPTED and asked and callable(requeue):
            requeue(start_task.SIGNAL, None)
        if status:
            sys.exit(status)
        return status

    def checkpoint(self) -> Any:
        """What submitit runs when the job is requeued: the same; the runs resume from their checkpoints."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def submit_missing(
    name: str, selection: Selection, launcher: Slurm, scheduler: Scheduler, *, retry: bool = False
) -> None:
    """Submit what is missing of the selected runs, and report what was found and done."""
    if shutil.which("sbatch") is None:
        raise UserError("launcher=slurm is invalid: expected local, since sbatch is not found here.")
    check_fit(selection.runs, launcher)
    home = Home(outputs_of([run.config for run in selection.runs]), name)
    home.open()
    home.write_runs([run.row for run in selection.declared])
    try:
        made = make_plan(name, selection.runs, launcher, scheduler, retry=retry)
        print(f"{name}: {', '.join(f'{count} {state}' for state, count in sorted(made.counts.items()))}")
        submit(home, launcher, made.packs)
    finally:
        home.close()


def submit(home: Home, launcher: Slurm, packs: Sequence[PlannedPack]) -> None:
    """Hand packs to SLURM, in arrays no larger than it accepts; UserError with its own message if it refuses."""
    largest = max_array_size()
    if largest < 2:
        raise UserError(f"launcher=slurm is invalid: this cluster accepts no job arrays (MaxArraySize={largest}).")
    for chunk in chunks(packs, largest - 1):
        files = [home.write_pack(pack.runs) for pack in chunk]
        jobs = _submit_array(home, launcher, files)
        home.add_jobs({job: [r.hash for r in pack.runs] for job, pack in zip(jobs, chunk, strict=True)})
        print(f"submitted {counted(len(jobs), 'pack')} as job {jobs[0].partition('_')[0]}: {jobs[0]} to {jobs[-1]}")


def chunks(packs: Sequence[PlannedPack], size: int) -> Iterator[Sequence[PlannedPack]]:
    """Packs, `size` at a time."""
    for start in range(0, len(packs), size):
        yield packs[start : start + size]


def _submit_array(home: Home, launcher: Slurm, files: Sequence[PackFile]) -> list[str]:
    """Submit one array; returns the job id of each task."""
    import submitit

    folder = home.path / "slurm"
    folder.mkdir(exist_ok=True)
    try:
        # -P: modules of the working directory must not be imported in place of ours.
        python, timeouts = start_task.command(sys.executable), launcher.max_requeues
        executor = submitit.SlurmExecutor(folder=folder.absolute(), max_num_timeout=timeouts, python=python)
        executor.update_parameters(**parameters(home.name, launcher))
        # sbatch's complaints are in the exception; submitit would print them as well.
        with _outside_of_jobs(), redirect_stderr(StringIO()), executor.batch():
            seconds = launcher.time * 60 - launcher.stop_seconds
            jobs = [executor.submit(PackTask(str(file.path.absolute()), seconds)) for file in files]
        return [job.job_id for job in jobs]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        raise UserError(f"SLURM refuses the job: {_reason(error)}") from None
    except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        raise UserError(f"launcher=slurm is invalid: {_reason(error)}") from None


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """While open, the environment has no trace of a job that we may run in, except which cluster it is."""
    import submitit

    kept = {key: os.environ[key] for key in ("SLURM_CONF",) if key in os.environ}
    with submitit.helpers.clean_env():
        os.environ.update(kept)
        yield


def parameters(name: str, launcher: Slurm) -> dict[str, Any]:
    """The launcher's keys under the names that submitit's SLURM executor has for them."""
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
        "setup": [*threads, *_search_path(), *launcher.setup],
        "additional_parameters": {k: v for k, v in ({"requeue": True} | launcher.sbatch).items() if v is not False},
    }


def _search_path() -> list[str]:
    """Where a task finds our packages if they are not installed, as in a checkout."""
    if ROOT in (*site.getsitepackages(), site.getusersitepackages()):
        return []
    return [f"export PYTHONPATH={shlex.quote(ROOT)}${{PYTHONPATH:+:$PYTHONPATH}}"]


def _reason(error: Exception) -> str:
    """The scheduler's own message."""
    text = str(error)
    lines = re.findall(r"sbatch: (?:error: )?(.+)", text)
    return " ".join((" ".join(lines) or text).split())[:400]


def max_array_size() -> int:
    """SLURM's MaxArraySize: one more than the largest index of an array."""
    answer = ask("scontrol", "show", "config") or ""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", answer)
    return int(found.group(1)) if found else DEFAULT_ARRAY_SIZE


def cancel_jobs(home: Home) -> list[str]:
    """Cancel the jobs of a sweep that have not ended; a running pack saves first. Returns their ids."""
    listed = queue()
    if listed is None:
        raise UserError(f"sweep {home.name} has jobs, but SLURM does not answer here: run this where squeue works.")
    alive = [job for job in home.jobs() if job in listed]
    if alive:
        # To a job that runs this sends SIGTERM and, KillWait seconds later, SIGKILL: time to save.
        ask("scancel", *alive)
    return alive
