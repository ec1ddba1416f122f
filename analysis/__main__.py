"""The command line of analysis: `python -m analysis scores` and `python -m analysis publish`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.records import Record, publish, read_store
from analysis.scores import read_published_scores, score_rows, to_markdown

DONE, MISTAKE = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    records = read_store(options.store)
    if not records:
        made_by = "python -m ppo -m env=hopper seed=0,1,2"
        sys.stderr.write(f"no finished run under {options.store}: name another folder, or train some ({made_by}).\n")
        return MISTAKE
    return int(options.command(records, options))


def _scores(records: list[Record], _options: argparse.Namespace) -> int:
    sys.stdout.write(to_markdown(score_rows(records, read_published_scores())))
    return DONE


def _publish(records: list[Record], options: argparse.Namespace) -> int:
    paths = [publish(record, options.out) for record in records]
    size = sum(path.stat().st_size for path in paths)
    sys.stdout.write(f"{len(paths)} runs, {size / 1024:.0f} KiB, under {options.out}\n")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description="From run folders to tables.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    scores = commands.add_parser("scores", help="scores per task beside published ones, as Markdown")
    scores.add_argument("store", nargs="?", type=Path, default=Path("outputs/published"), help="folder of runs")
    scores.set_defaults(command=_scores)
    compact = commands.add_parser("publish", help="write compact records (config, result, learning curve) of runs")
    compact.add_argument("store", type=Path, help="folder of run folders")
    compact.add_argument("--out", type=Path, default=Path("outputs/published"), help="default: %(default)s")
    compact.set_defaults(command=_publish)
    return parser


if __name__ == "__main__":
    sys.exit(main())
