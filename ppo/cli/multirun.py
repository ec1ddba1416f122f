"""`ppo -m`: Hydra expands the overrides and hands the jobs to a launcher, which trains them in packs.

Hydra finds the launchers `local` and `slurm` as it finds everybody's, as plugins in `hydra_plugins`: from a wheel, an
editable install and a checkout. Nothing here knows them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hydra.core.override_parser.types import ValueType
from omegaconf import DictConfig, OmegaConf

from ppo.cli.app import check_hydras, is_hydras, run_hydra
from ppo.cli.composing import compose_run, runs_of
from ppo.config.compose import checked, expand, parse
from ppo.config.overrides import with_folders
from ppo.config.run import Config, check_one_of_several
from ppo.envs.memory import check_memory
from ppo.runs.exits import Exit


class RunFailed(Exception):
    """A run of a multirun has no result; the reason has been printed."""


class Job:
    """What Hydra calls for each job of a multirun, unless a launcher trains many at once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.known: dict[tuple[str, ...], Config] = {}

    def __call__(self, values: DictConfig) -> float | None:
        """Train one job; returns its score. For launchers that call a function, as Hydra's own does."""
        from ppo.cli.training import train_and_print  # torch

        plain = OmegaConf.to_container(values, resolve=True)
        assert isinstance(plain, dict)
        (outcome,) = train_and_print([checked({str(key): value for key, value in plain.items()}, {})])
        if outcome.result is None:
            raise RunFailed(outcome.error)
        return outcome.result["score"]

    def configs(self, jobs: Sequence[Sequence[str]]) -> list[Config]:
        """The runs of jobs, each composed and checked once; UserError if one of them cannot be trained."""
        return [self._config(overrides) for overrides in jobs]

    def _config(self, overrides: Sequence[str]) -> Config:
        key = tuple(f"{o.get_key_element()}={o.get_value_element_as_str()}" for o in parse(overrides))
        if key not in self.known:
            config = compose_run(self.options, overrides)
            config.env.check()
            check_one_of_several(config)
            self.known[key] = config
        return self.known[key]


def multirun(options: argparse.Namespace) -> Exit:
    """Train every combination of the overrides' values; returns the exit status."""
    theirs = [o for o in options.overrides if is_hydras(o)]
    check_hydras(theirs)
    job = Job(options)
    arguments = [with_folders(o) for o in options.overrides if not is_hydras(o)]
    if not any(o.startswith("hydra/sweeper=") for o in theirs):  # another sweeper has a grammar of its own
        configs = job.configs(runs_of(options))
        if not any(o.startswith("hydra/launcher=") for o in theirs):  # another one says what memory there is
            check_memory(configs)
        arguments = [_without_glob(argument) for argument in arguments]
    try:
        run_hydra(options, [*theirs, *arguments], job)
    except RunFailed:
        return Exit.FAILED
    return Exit.DONE


def _without_glob(argument: str) -> str:
    """`env=glob(h*)` as the choices that it stands for, in which files that others build on do not count."""
    (override,) = parse([argument])
    if override.value_type != ValueType.GLOB_CHOICE_SWEEP:
        return argument
    return f"{override.key_or_group}={','.join(run[0].partition('=')[2] for run in expand([argument]))}"
