"""`make bench`: our training speed beside Stable-Baselines3's and beside bare physics, on this machine, now.

python -m tests.bench [--tasks hopper,reacher] [--algorithms ppo,a2c] [--quick] [--out outputs/bench]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.bench import algorithm_table, algorithms, schedule, table
from tests.bench.schedule import QUICK, TASKS, Plan

ALGORITHMS = ("ppo", *algorithms.ENTRIES)
PACKAGES = ("stable_baselines3", "sb3_contrib", "imageio")  # the last is what Gymnasium's own MuJoCo tasks import
QUICK_HELP = "a third of the time: each once, no two processes side by side, start-up measured while others start too"


def main() -> int:
    """Measure, print, write; returns the exit status."""
    options = _parser().parse_args()
    tasks, chosen = options.tasks.split(","), options.algorithms.split(",")
    for option, names, allowed in (("--tasks", tasks, tuple(TASKS)), ("--algorithms", chosen, ALGORITHMS)):
        if unknown := [name for name in names if name not in allowed]:
            return _mistake(f"{option}={unknown[0]} is invalid: expected one or more of {', '.join(allowed)}.")
    for package in PACKAGES:
        if find_spec(package) is None:
            return _mistake(f"{package} is not installed: pip install -e '.[bench]'.")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "log.txt").write_bytes(b"")
    _say(f"load average {os.getloadavg()[0]:.2f}: figures are good only where nothing else runs; ratios suffer least")
    plan, cores = QUICK if options.quick else Plan(), sorted(os.sched_getaffinity(0))[:2]
    if "ppo" in chosen:
        _measure_packs(tasks, plan, cores, options.out)
    if others := [name for name in chosen if name != "ppo"]:
        _measure_algorithms(tasks, others, plan, cores[0], options.out)
    return 0


def _measure_packs(tasks: Sequence[str], plan: Plan, cores: list[int], out: Path) -> None:
    """PPO: packs of three sizes."""
    speeds, breakdown, started = [], [], time.monotonic()
    for task in tasks:
        figures = schedule.measure(task, plan, cores=cores, out=out)
        speeds.append(row := table.speed_row(task, figures))
        breakdown += table.breakdown_rows(task, figures)
        _say(f"{task}: 33 {row['33 / SB3']:.3g}x, 3 {row['3 / SB3']:.3g}x, alone {row['alone / SB3']:.3g}x  "
             f"({time.monotonic() - started:.0f} s so far)")  # fmt: skip
    overall = table.overall_row(speeds)
    names = list(table.SPEEDS.values())
    others = [name for name in overall if name not in names]
    _show("Environment steps per second, one thread per process", [*speeds, overall], ["task", *names])
    _show("Ratios, memory and start; `all`: geometric means, and the worst of memory and seconds",
          [*speeds, overall, *table.verdict_rows(overall)], others)  # fmt: skip
    _show("Microseconds per environment step; bare: the same steps played again with mj_step alone", breakdown)
    _write(out / "bench.csv", [*speeds, overall])
    _write(out / "breakdown.csv", breakdown)


def _measure_algorithms(tasks: Sequence[str], chosen: Sequence[str], plan: Plan, core: int, out: Path) -> None:
    """The baselines of Figure 3: a pack of 21 of each."""
    speeds, breakdown, started = [], [], time.monotonic()
    for name in chosen:
        for task in tasks:
            comparison = algorithms.measure(task, name, plan, core=core, out=out)
            speeds.append(row := algorithm_table.speed_row(task, name, comparison))
            breakdown.append(algorithm_table.breakdown_row(task, name, comparison))
            ratios = [f"{shown} {row[shown]:.3g}x" for shown in algorithm_table.RATIOS.values()]
            shown = ", ".join([*ratios, f"{table.BARE} {row[table.BARE]:.3g}"]).replace("nanx", "-")
            _say(f"{name} {task}: {shown}  ({time.monotonic() - started:.0f} s so far)")
    overall = algorithm_table.overall_rows(speeds)
    _show("Baselines: environment steps per second, one thread per process, and ratios (TRPO's peer: sb3-contrib);\n"
          "`all`: geometric means", [*speeds, *overall])  # fmt: skip
    _show("Microseconds per environment step; bare: the same steps played again with mj_step alone", breakdown)
    _show("Targets, of `all`", algorithm_table.verdict_rows(overall))
    _write(out / "algorithms.csv", [*speeds, *overall])
    _write(out / "algorithms_breakdown.csv", breakdown)


def _show(title: str, rows: Sequence[table.Row], columns: Sequence[str] | None = None) -> None:
    print(f"\n{title}\n\n{table.text(rows, columns or list(rows[0]))}")


def _write(path: Path, rows: Sequence[table.Row]) -> None:
    table.write(path, rows)
    print(f"\nwritten: {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma-separated; default: all seven")
    parser.add_argument("--algorithms", default=",".join(ALGORITHMS), help=f"default: {','.join(ALGORITHMS)}")
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
