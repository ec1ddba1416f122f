"""What a command sets up before anything else: where modules come from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ppo.errors import UserError
from ppo.runs.machine import append_working_directory

OURS = Path(__file__).resolve().parents[2]  # the folder that our packages are in


def search_working_directory_last() -> None:
    """Find the user's modules in the working directory, for env.id=my_module:Mine-v0, but after all that is installed.

    `python -m ppo` puts it first, where a file `yaml.py` or a folder `sweeps/` of the user's would hide another's.
    UserError where the working directory is gone.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise UserError("the working directory no longer exists: change to another one.") from None
    if sys.path[:1] in ([here], [""]) and Path(here).resolve() != OURS:
        del sys.path[0]
    append_working_directory()
