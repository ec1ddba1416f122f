"""Trains the packs of a sweep by turns in one process: python -m tests.attack._together SWEEP OVERRIDE ..."""

from __future__ import annotations

import sys

from ppo.config.identity import pack_key
from ppo.train import train
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load


def main(sweep: str, overrides: list[str]) -> None:
    """Each pack in its turn, whatever the ones before it have done to the process."""
    packs: dict[str, list[Run]] = {}
    for run in sweep_runs(load(sweep), overrides):
        packs.setdefault(pack_key(run.config), []).append(run)
    for pack in packs.values():
        train([run.config for run in pack], folders=[run.folder for run in pack])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
