"""The command line of one training: `ppo env=hopper surrogate=clip seed=0`, and of many with -m."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ppo.cli.process import prepare_process
from ppo.errors import UserError, one_line
from ppo.runs.exits import Exit

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch load; `threads` decides what torch uses


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command says; returns the exit status."""
    try:
        prepare_process()
        from ppo.cli.command import run  # now that the import path is ours

        return run(arguments)
    except UserError as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return Exit.MISTAKE
    except BrokenPipeError:  # the reader of our output, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except KeyboardInterrupt as interrupted:
        sys.stderr.write(f"{interrupted}\n" if interrupted.args else "interrupted\n")
        return Exit.INTERRUPTED
    except SystemExit as ended:  # Hydra and argparse end so after --version and the like
        return ended.code if isinstance(ended.code, int) else Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
