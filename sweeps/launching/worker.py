"""One pack in a process of its own: `python -m sweeps.launching.worker PACK.json`, started by a launcher."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ppo.errors import Busy, UserError
from sweeps.home import PackFile

# For NumPy, whose products are too small to share; to be set before it loads. What torch uses is `threads` of the runs.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
DRIVER = "SWEEPS_DRIVER"  # environment variable: the process that started a worker
DONE, FAILED, MISTAKE, BUSY, INTERRUPTED = 0, 1, 2, 75, 130  # 75: EX_TEMPFAIL of sysexits.h


def train_pack_file(pack: PackFile, stop: Callable[[], bool]) -> int:
    """Train a pack to its end, or until `stop` or a signal says to save; returns the exit status."""
    runs = pack.read()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s  %(message)s", stream=sys.stderr)
    from ppo.train import Interrupted, train

    try:
        outcomes = train(runs, stop=stop, marker=pack.marker)
    except Interrupted:
        return INTERRUPTED
    return FAILED if any(o.result is None for o in outcomes) else DONE


def main(path: str) -> int:
    """Train the pack in a file; saves and stops when the process that started us is gone."""
    driver = int(os.environ.get(DRIVER, os.getppid()))  # told, for it may be gone before we can ask
    try:
        return train_pack_file(PackFile(Path(path)), lambda: os.getppid() != driver)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return BUSY if isinstance(error, Busy) else MISTAKE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
