"""The command line of sweeps, `ppo-sweeps`: plan, run, retry, status, cancel, ls, logs, verify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

PPO = find_spec("ppo")  # looked at before it is imported: the working directory may have a ppo.py of the user's
if PPO is None or Path(PPO.origin or "").resolve() != Path(__file__).resolve().parents[1] / "ppo" / "__init__.py":
    where = PPO.origin if PPO else "nowhere"
    sys.stderr.write(f"python -m sweeps would import ppo from {where}, which is not ours: use ppo-sweeps.\n")
    sys.exit(2)

from ppo.runs.arguments import Parser
from ppo.runs.exits import exit_status
from ppo.runs.machine import append_working_directory
from sweeps import commands
from sweeps.launching.launchers import FOLDER, LAUNCHERS
from sweeps.planning import spec
from sweeps.showing.listing import COLUMNS, DEFAULT_COLUMNS

PROGRAM = "ppo-sweeps"
STATUSES = "exit status: 0 all done, 1 something failed or is missing, 2 a mistake in the command, 130 interrupted"
EXAMPLES = """examples:
  ppo-sweeps plan table1                              what would be trained, in which packs, for how long
  ppo-sweeps run smoke                                train what is missing; Ctrl-C saves, the same command resumes
  ppo-sweeps run table1 env=hopper,walker2d seed=0    a part of it
  ppo-sweeps run smoke outputs=~/store                in another store
  ppo-sweeps run table1 launcher=slurm launcher.partition=cpu
  ppo-sweeps status table1 --watch
  ppo-sweeps logs 3b22a1b1 -f"""
NOTES = {
    "plan": "Starts nothing and writes nothing.",
    "run": "Runs that are done are left alone, failed ones too. Ctrl-C saves everything; the same command resumes.",
    "retry": "As `run`, and trains failed and damaged runs again, and runs whose machine has been silent for minutes.",
    "status": "Exit status 0 if every run is done, else 1.",
    "cancel": "Packs save first: `run` resumes them.",
}
LS_NOTES = f"""Filters are key=value, of columns or of keys of config.yaml. Values are compared as values (1e6 =
1000000), a,b means either, and * and ? stand for any characters; numbers also by <, >, <= and >=:
  ppo-sweeps ls state=failed,lost env=Hopper-* outputs=outputs/demo
  ppo-sweeps ls env=Hopper-v5 'score>2000'
  ppo-sweeps ls algorithm.lr=3e-4 --columns run,algorithm.lr,score --csv
  ppo-sweeps ls outputs=outputs/published

columns: {", ".join(COLUMNS)}, and any key of config.yaml"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    return exit_status(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = _parse(arguments)
    append_working_directory()
    return int(options.command(options))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parsed arguments; overrides may come before and after options, which argparse alone does not accept."""
    parser, words = _parser(), sys.argv[1:] if arguments is None else arguments
    parser.check_first(words)
    options, rest = parser.parse_known_args(words)
    if flags := [word for word in rest if word.startswith("-")]:
        options.parser.refuse(flags)
    options.overrides += rest
    return options


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="From a declared sweep to finished run folders.",
        epilog=f"{_sweeps()}\n\n{EXAMPLES}\n\n{STATUSES}",
    )
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text, command in (
        ("plan", "show what would be trained", commands.plan),
        ("run", "train what is missing of a sweep", commands.run),
        ("retry", "train what is missing, failed or damaged", commands.retry),
        ("status", "show the state of the runs of a sweep", commands.status),
        ("cancel", "save and stop a sweep, wherever it runs", commands.cancel),
    ):
        _add_sweep_command(names, name, text, command)
    _add_ls(names)
    _add_logs(names)
    _add_verify(names)
    return parser


Parsers = argparse._SubParsersAction


def _add_sweep_command(
    names: Parsers[Parser], name: str, text: str, command: Callable[[argparse.Namespace], int]
) -> None:
    epilog = f"{_sweeps()}\n\n{NOTES[name]}"
    if name in ("plan", "run", "retry"):
        epilog += f"\n\n{_launcher_keys()}"
    one = names.add_parser(
        name, help=text, description=_sentence(text), epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    one.set_defaults(command=command, parser=one)
    one.add_argument("sweep", help="name of a sweep, or a path that ends in .yaml")
    one.add_argument(
        "overrides", nargs="*", metavar="key=value",
        help="overrides of every run (a,b,c: several values), outputs=FOLDER, launcher=NAME, launcher.key=value",
    )  # fmt: skip
    one.add_argument(
        "--setting", action="append", default=[], metavar="LABEL", help="only this row; * and ? are wildcards"
    )
    if name != "cancel":
        one.add_argument("--json", action="store_true", help="print JSON, for programs")
    if name == "status":
        one.add_argument("--watch", action="store_true", help="refresh every few seconds until all runs have ended")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _sweeps() -> str:
    return f"sweeps: {', '.join(spec.names())} (conf/sweep/*.yaml), or a path that ends in .yaml"


def _launcher_keys() -> str:
    """The keys of every launcher: its yaml, which explains each."""
    yamls = [FOLDER / f"{name}.yaml" for name in LAUNCHERS]
    return "\n".join(f"launcher={path.stem}\n{path.read_text(encoding='utf-8')}" for path in yamls)


def _add_ls(names: Parsers[Parser]) -> None:
    text = "list the runs of a store: filter, choose columns"
    ls = names.add_parser(
        "ls", help=text, description=_sentence(text), epilog=LS_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    ls.add_argument("overrides", nargs="*", metavar="key=value", help="filters, and outputs=FOLDER: the store")
    ls.add_argument("--columns", default=",".join(DEFAULT_COLUMNS), metavar="A,B,C", help="default: %(default)s")
    ls.add_argument("--csv", action="store_true", help="print comma-separated values")
    ls.add_argument("--json", action="store_true", help="print JSON, for programs")
    ls.set_defaults(command=commands.ls, parser=ls)


def _add_logs(names: Parsers[Parser]) -> None:
    text = "print what a run recorded: its log and, if it failed, its traceback"
    logs = names.add_parser("logs", help=text, description=_sentence(text))
    logs.add_argument("run", help="its hash or the beginning of it, or its folder")
    logs.add_argument("overrides", nargs="*", metavar="outputs=FOLDER", help="the store")
    logs.add_argument("-f", "--follow", action="store_true", help="print what is added until the run has ended")
    logs.set_defaults(command=commands.logs, parser=logs)


def _add_verify(names: Parsers[Parser]) -> None:
    text = "hash everything of a store, or of one of its sweeps, and report what is damaged"
    note = "Exit status 1 if anything is damaged. Nothing is changed: ppo-sweeps retry trains damaged runs again."
    verify = names.add_parser("verify", help=text, description=_sentence(text), epilog=note)
    verify.add_argument("overrides", nargs="*", metavar="[SWEEP] outputs=FOLDER", help="a sweep, and the store")
    verify.add_argument("--json", action="store_true", help="print JSON, for programs")
    verify.set_defaults(command=commands.verify, parser=verify)


if __name__ == "__main__":
    sys.exit(main())
