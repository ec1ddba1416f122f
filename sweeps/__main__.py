"""The command line of sweeps: plan, run, status, logs, retry, cancel, ls."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ppo.errors import UserError
from sweeps import commands
from sweeps.launching.launchers import FOLDER, LAUNCHERS
from sweeps.planning import spec

DONE, MISTAKE, INTERRUPTED = 0, 2, 130
EXAMPLES = """examples:
  python -m sweeps plan table1                                  what would run, in which packs, for how long
  python -m sweeps run smoke                                    train what is missing; Ctrl-C saves, run again goes on
  python -m sweeps run table1 env=hopper,walker2d seed=0        part of it
  python -m sweeps run table1 launcher=slurm launcher.partition=cpu
  python -m sweeps status table1 --watch
  python -m sweeps logs 3b22a1b1 -f

exit status: 0 all done, 1 something failed or is missing, 2 a mistake in the command, 130 interrupted (saved)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parse(arguments)
    try:
        return int(options.command(options))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return MISTAKE
    except BrokenPipeError:  # whoever reads us, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parsed arguments; overrides may stand before and after options, which argparse alone does not take."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    words = getattr(options, "overrides", getattr(options, "filters", None))
    if rest and (words is None or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if words is not None:
        words += rest
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sweeps",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="From a declared sweep to finished run folders.",
        epilog=f"sweeps: {', '.join(spec.names())} (conf/sweep/*.yaml), or a path that ends in .yaml\n\n{EXAMPLES}",
    )
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text, command in (
        ("plan", "what would run; starts nothing", commands.plan),
        ("run", "train what is missing of a sweep", commands.run),
        ("retry", "train what is missing or failed", commands.retry),
        ("status", "how the runs of a sweep stand", commands.status),
        ("cancel", "save and stop, wherever it runs", commands.cancel),
    ):
        one = names.add_parser(
            name,
            help=text,
            description=f"{name}: {text}.",
            epilog=_launcher_keys() if name in ("plan", "run", "retry") else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(command=command)
        one.add_argument("sweep", help="name of a sweep, or a path that ends in .yaml")
        one.add_argument("overrides", nargs="*", metavar="key=value", help="Hydra overrides, and launcher.key=value")
        one.add_argument("--setting", action="append", default=[], metavar="LABEL", help="only rows like it (* and ?)")
        if name in ("plan", "status"):
            one.add_argument("--json", action="store_true", help="for programs")
        if name == "status":
            one.add_argument("--watch", action="store_true", help="show it every few seconds, until all have ended")
    _add_ls(names)
    _add_logs(names)
    return parser


def _launcher_keys() -> str:
    """What can be said of a launcher: the yamls, which explain each key."""
    yamls = [FOLDER / f"{name}.yaml" for name in LAUNCHERS]
    return "\n".join(f"launcher={path.stem}\n{path.read_text(encoding='utf-8')}" for path in yamls)


def _add_ls(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ls = names.add_parser("ls", help="run folders of a store: filter, choose columns")
    ls.add_argument("filters", nargs="*", metavar="key=value", help="of columns or config keys: state=failed env=Hop*")
    ls.add_argument("--outputs", default="outputs", help="the store (default: %(default)s)")
    ls.add_argument("--columns", default="state,env,setting,seed,step,score,hash", help="default: %(default)s")
    ls.add_argument("--csv", action="store_true", help="comma-separated values")
    ls.set_defaults(command=commands.ls)


def _add_logs(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    logs = names.add_parser("logs", help="what a run wrote down: its log and traceback")
    logs.add_argument("run", help="its hash or part of it, or its folder")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing what is added")
    logs.add_argument("--outputs", default="outputs", help="the store (default: %(default)s)")
    logs.set_defaults(command=commands.logs)


if __name__ == "__main__":
    sys.exit(main())
