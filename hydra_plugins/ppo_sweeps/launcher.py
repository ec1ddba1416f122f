"""Hydra's launcher plugin: `python -m ppo -m ...` goes through the same plan, packs and folders as a sweep.

Hydra looks into every plugin whenever any of its applications starts, so nothing heavy is imported before `launch`.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class RunFailed(Exception):
    """A run of a multirun has no result."""


class PackLauncher(Launcher):
    """Trains Hydra's jobs as the runs of a sweep that has no file; the keys are those of `conf/launcher/`."""

    def __init__(self, **keys: Any) -> None:
        self.keys = OmegaConf.to_container(OmegaConf.create(keys), resolve=True)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing of Hydra's is needed: a job's overrides say all, and packs are trained in processes of their own."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:  # noqa: ARG002
        """Train one batch of jobs; a failed one does not stop the rest. Returns come in the order of the jobs."""
        from sweeps import multirun

        results = multirun.train([list(overrides) for overrides in job_overrides], self.keys)
        return [
            JobReturn(overrides=list(overrides), status=_status(error), _return_value=_value(score, error))
            for overrides, (score, error) in zip(job_overrides, results, strict=True)
        ]


def _status(error: str | None) -> JobStatus:
    return JobStatus.COMPLETED if error is None else JobStatus.FAILED


def _value(score: Any, error: str | None) -> Any:
    """What Hydra's sweeper gets of a job: its score, or the exception that it raises for it."""
    return score if error is None else RunFailed(error)
