"""The command line of analysis: tables and figures from run folders, and compact records to publish."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.errors import UserError

DONE, MISTAKE = 0, 2
COMMANDS = (  # name, what it does, the sweep it is of unless told otherwise
    ("table1", "normalised score per setting, with interval, beside the paper's", "table1"),
    ("robust", "beyond the paper: median, IQM, optimality gap, sample efficiency, profiles", "table1"),
    ("order", "which settings are told apart by their intervals, and which are not", "table1"),
    ("drift", "how far policies moved: KL, entropy, worst returns", "first_row"),
    ("report", "one HTML file with tables, figures and every run", "table1"),
    ("table2", "games won per algorithm", "table2"),
    ("table3", "hyperparameters of PPO on MuJoCo, from conf/", None),
    ("table4", "hyperparameters of PPO on Roboschool, from conf/", None),
    ("table5", "hyperparameters of PPO on Atari, from conf/", None),
    ("figure1", "one term of the clipped surrogate", None),
    ("figure2", "surrogates along the line of the first update", "figure2"),
    ("figure3", "learning curves per task", "figure3"),
    ("scores", "scores per task beside published ones, as Markdown", "figure3"),
    ("publish", "write compact records of a sweep's runs", None),
)
EXAMPLES = """examples:
  python -m analysis table1                      normalised scores beside the paper's
  python -m analysis table1 --by-task            raw scores
  python -m analysis table1 --out tables         md, tex, html and csv files too
  python -m analysis table1 --sweep smoke        the same of another sweep
  python -m analysis table2 --csv scores.csv     games won, of published scores (game,ALGORITHM,...)
  python -m analysis table5                      hyperparameters, ours beside the paper's
  python -m analysis figure3                     learning curves as pdf, svg and png, in outputs/figures
  python -m analysis drift --out tables          why the first row is what it is: a table and a figure
  python -m analysis report                      all of it as one HTML file
  python -m analysis publish table1              compact records that live in the repository

A sweep is looked for in outputs, then in outputs/published. exit status: 0 done, 2 a mistake or nothing to show."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    from analysis import commands  # pandas takes half a second to load: not for --help

    try:
        getattr(commands, options.command)(options)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return MISTAKE
    except BrokenPipeError:  # whoever reads us, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stderr.write(f"{error.filename} cannot be written: {error.strerror}.\n")
        return MISTAKE
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="From run folders to the paper's tables and figures.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLES,
    )
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text, sweep in COMMANDS:
        one = names.add_parser(name, help=text, description=f"{name}: {text}.")
        one.set_defaults(command=name)
        if sweep is not None:
            one.add_argument("--sweep", default=sweep, help="name of the sweep (default: %(default)s)")
        if name == "publish":
            one.add_argument("sweep", help="name of the sweep")
        if sweep is not None or name == "publish":
            one.add_argument("--store", type=Path, help="folder of the runs (default: outputs, outputs/published)")
        if name == "report":
            one.add_argument("--out", type=Path, metavar="FILE", help="default: outputs/report-SWEEP.html")
        if name.startswith(("table", "figure", "robust", "order", "drift")):
            one.add_argument("--out", type=Path, metavar="FOLDER", help="write files there")
        if name == "publish":
            one.add_argument("--out", type=Path, default=Path("outputs/published"), help="default: %(default)s")
        if name == "table1":
            one.add_argument("--by-task", action="store_true", help="raw scores per task too")
            one.add_argument("--freeze", type=Path, metavar="FILE", help="write down what 0 and 1 are")
        if name in ("table1", "order", "robust"):
            one.add_argument("--reference", type=Path, metavar="FILE", help="use a frozen 0 and 1")
        if name == "table2":
            one.add_argument("--csv", type=Path, help="scores per game instead of runs: game,ALGORITHM,...")
    return parser


if __name__ == "__main__":
    sys.exit(main())
