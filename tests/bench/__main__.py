"""`make bench`: our training speed beside Stable-Baselines3's and beside bare physics, on this machine, now.

python -m tests.bench [--tasks hopper,reacher] [--quick] [--out outputs/bench]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tests.bench import table
from tests.bench.schedule import QUICK, TASKS, Plan, measure

QUICK_HELP = "a third of the time: each once, no two processes side by side, start-up measured while others start too"


def main() -> int:
    """Measure, print, write; returns the exit status."""
    options = _parser().parse_args()
    tasks = options.tasks.split(",")
    if unknown := [task for task in tasks if task not in TASKS]:
        return _mistake(f"--tasks {unknown[0]} is unknown: allowed are {', '.join(TASKS)}.")
    for package in ("stable_baselines3", "imageio"):  # the latter is what Gymnasium's own MuJoCo tasks import
        if find_spec(package) is None:
            return _mistake(f"{package} is not installed: pip install -e '.[bench]'.")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "log.txt").write_bytes(b"")
    cores = sorted(os.sched_getaffinity(0))[:2]
    _say(f"load average {os.getloadavg()[0]:.2f}: figures are good only where nothing else runs; ratios suffer least")
    speeds, breakdown, started = [], [], time.monotonic()
    for task in tasks:
        figures = measure(task, QUICK if options.quick else Plan(), cores=cores, out=options.out)
        speeds.append(table.speed_row(task, figures))
        breakdown += table.breakdown_rows(task, figures)
        row = speeds[-1]
        _say(f"{task}: 33 {row['33 / SB3']:.3g}x, 3 {row['3 / SB3']:.3g}x, alone {row['alone / SB3']:.3g}x  "
             f"({time.monotonic() - started:.0f} s so far)")  # fmt: skip
    _report(speeds, breakdown, options.out)
    return 0


def _report(speeds: list[table.Row], breakdown: list[table.Row], out: Path) -> None:
    overall = table.overall_row(speeds)
    table.write(out / "bench.csv", [*speeds, overall])
    table.write(out / "breakdown.csv", breakdown)
    names = list(table.SPEEDS.values())
    others = [name for name in overall if name not in names]
    print("\nEnvironment steps per second, one thread per process\n")
    print(table.text([*speeds, overall], ["task", *names]))
    print("\nRatios, memory and start; `all`: geometric means, and the worst of memory and seconds\n")
    print(table.text([*speeds, overall, *table.verdict_rows(overall)], others))
    print("\nMicroseconds per environment step; bare: the same steps played again with mj_step alone\n")
    print(table.text(breakdown, list(breakdown[0])))
    print(f"\nwritten: {out / 'bench.csv'}, {out / 'breakdown.csv'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma-separated; default: all seven")
    parser.add_argument("--quick", action="store_true", help=QUICK_HELP)
    parser.add_argument("--out", type=Path, default=Path("outputs/bench"), help="folder of the csv files and the log")
    return parser


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _mistake(sentence: str) -> int:
    _say(sentence)
    return 2


if __name__ == "__main__":
    sys.exit(main())
