"""The command line of one training: `ppo env=hopper surrogate=clip seed=0`, and of many with -m."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ppo.cli.process import search_working_directory_last
from ppo.runs.exits import Exit, exit_status

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch load; `threads` decides what torch uses


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command says; returns the exit status."""
    try:
        return exit_status(lambda: _run(arguments))
    except SystemExit as ended:  # Hydra and argparse end so after --version and the like
        return ended.code if isinstance(ended.code, int) else Exit.DONE


def _run(arguments: Sequence[str] | None) -> Exit:
    search_working_directory_last()
    from ppo.cli.command import run  # now that the import path is ours

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
