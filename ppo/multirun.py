"""`python -m ppo -m`: Hydra expands the overrides, and its launcher plugin trains the runs in packs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import hydra
from hydra.core.plugins import Plugins

from ppo.config.compose import CONF

PLUGIN = "hydra_plugins.ppo_sweeps.launcher"
# Where Hydra notes what it was asked for, and who trains, unless the command line says otherwise.
DEFAULTS = ("hydra/launcher=local", "hydra.sweep.dir=${outputs}/hydra/${now:%Y-%m-%d_%H-%M-%S}")


def is_hydras(override: str) -> bool:
    """Whether an override is for Hydra itself: `hydra/launcher=slurm`, `hydra.launcher.partition=cpu`."""
    return override.lstrip("+~").startswith(("hydra/", "hydra."))


def multirun(overrides: Sequence[str]) -> int:
    """Train every combination of the overrides' values; returns the exit status. They have been checked before."""
    plugin: Any = import_module(PLUGIN)
    Plugins.instance().register(plugin.PackLauncher)  # an editable install hides it from Hydra's own search
    defaults = [d for d in DEFAULTS if not any(o.startswith(d.split("=")[0]) for o in overrides)]
    before, sys.argv = sys.argv, [sys.argv[0], "--multirun", *defaults, *overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # the exceptions themselves, not a picture of them
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(_no_task)()
    except plugin.RunFailed:
        return 1  # told already
    finally:
        sys.argv = before
    return 0


def _no_task(_config: Any) -> None:
    """Hydra wants a function to call for each job; ours are trained in packs."""
