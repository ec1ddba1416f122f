"""Starts a worker whose packages are ours, whatever modules the working directory has: `python -P start.py PACK.json`.

A file called `ppo.py` or a folder `analysis/` of the user's must not be imported in place of ours; but an environment
`env.id=my_module:Mine-v0` may be in the working directory, which is therefore searched last.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])  # the folder that our packages are in


def import_ours() -> None:
    """Import our packages from where this file is; their modules are found through them from then on."""
    sys.path.insert(0, ROOT)
    for package in ("ppo", "sweeps"):
        import_module(package)
    del sys.path[0]
    if ROOT not in sys.path:
        sys.path.append(ROOT)


if __name__ == "__main__":
    import_ours()
    worker = import_module("sweeps.launching.worker")
    worker.end(worker.main(sys.argv[1]))
