"""Hydra's launcher plugin: `ppo -m ...` goes through the same plan, packs and folders as a sweep.

Hydra looks into every plugin whenever any of its applications starts, so nothing heavy is imported before it is used.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class PackLauncher(Launcher):
    """Trains Hydra's jobs as the runs of a sweep that has no file; the keys are those of `conf/launcher/`."""

    def __init__(self, **keys: Any) -> None:
        self.keys = OmegaConf.to_container(OmegaConf.create(keys), resolve=True)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:  # noqa: ARG002
        """Check the keys before anything starts. Of Hydra's, only the task function is needed: it composes jobs."""
        from ppo.errors import UserError

        if not hasattr(task_function, "configs"):
            raise UserError("hydra/launcher is invalid: expected basic, since this launcher trains the runs of `ppo`.")
        _check_ours()
        from sweeps.launching.launchers import to_launcher

        self.jobs: Any = task_function
        try:
            self.launcher = to_launcher(self.keys)
        except UserError as error:
            raise UserError(str(error).replace("launcher.", "hydra.launcher.")) from None

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:  # noqa: ARG002
        """Train one batch of jobs; a failed one does not stop the rest. Returns come in the order of the jobs."""
        from ppo.cli.multirun import RunFailed
        from sweeps import multirun

        jobs = [list(overrides) for overrides in job_overrides]
        return [
            JobReturn(
                overrides=job,
                status=JobStatus.COMPLETED if error is None else JobStatus.FAILED,
                _return_value=score if error is None else RunFailed(error),
            )
            for job, (score, error) in zip(jobs, multirun.train(self.jobs.configs(jobs), self.launcher), strict=True)
        ]


def _check_ours() -> None:
    """UserError where another package called `sweeps` would be imported in place of ours."""
    from importlib.util import find_spec
    from pathlib import Path

    import ppo
    from ppo.errors import UserError

    spec = find_spec("sweeps")
    origin = spec.origin if spec else None
    if origin is None or Path(origin).resolve().parents[1] != Path(ppo.__file__).resolve().parents[1]:
        found = "our package sweeps is not found" if origin is None else f"{origin} would be imported in place of ours"
        raise UserError(f"{found}: use the console script `ppo`, without PYTHONPATH.")
