"""The command line of analysis: from run folders and published records to tables and figures."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

PPO = find_spec("ppo")  # looked at before it is imported: the working directory may have a ppo.py of the user's
if PPO is None or Path(PPO.origin or "").resolve() != Path(__file__).resolve().parents[1] / "ppo" / "__init__.py":
    where = PPO.origin if PPO else "nowhere"
    sys.stderr.write(f"python -m analysis would import ppo from {where}, which is not ours: use ppo-analysis.\n")
    sys.exit(2)

from analysis.command import Call, commands
from analysis.output import Output
from ppo.errors import UserError, invalid
from ppo.runs.arguments import Parser
from ppo.runs.exits import Exit, exit_status
from ppo.runs.sweep_names import named

EXAMPLES = """examples:
  ppo-analysis table1                            normalised scores beside the paper's
  ppo-analysis table1 --by-task --out tables     raw scores too, and md, tex, html and csv files
  ppo-analysis table1 --sweep smoke outputs=demo the same of another sweep, in another store
  ppo-analysis table1 --sweep mine.yaml          the same of your own sweep file
  ppo-analysis figure3                           learning curves as pdf, svg and png
  ppo-analysis table2 --csv scores.csv           games won, of published scores (game,ALGORITHM,...)
  ppo-analysis report                            everything about a sweep as one HTML file
  ppo-analysis publish table1                    one compact file, for a repository

A sweep is looked up in outputs=FOLDER (default: outputs), then among the published ones.
exit status: 0 done, 2 a mistake or nothing to show."""
STORE = "outputs=FOLDER, the store, comes first in the lookup (default: outputs), then what is published."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    os.environ["MPLBACKEND"] = "agg"  # nothing is shown in a window
    return exit_status(lambda: _run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> Exit:
    stores = [word.removeprefix("outputs=") for word in arguments if word.startswith("outputs=")]
    parser, words = _parser(), [word for word in arguments if not word.startswith("outputs=")]
    parser.check_first(words)
    options, unknown = parser.parse_known_args(words)
    if unknown and "=" in unknown[0] and not unknown[0].startswith("-"):
        raise UserError(f"{unknown[0]} is invalid: expected outputs=FOLDER.")
    if unknown:
        options.parser.refuse(unknown)
    usual, asked = options.command.sweep, str(getattr(options, "sweep", ""))
    other = named(asked) if usual and asked != usual else ""  # two sweeps do not overwrite each other's files
    output = Output(getattr(options, "out", None), as_json=options.json, sweep=other)
    try:
        options.command.run(Call(options, _store(stores[-1] if stores else None), output))
        output.close()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"{error.filename or 'the output'} cannot be written: {error.strerror}.") from None
    return Exit.DONE


def _store(named: str | None) -> Path:
    """The store; UserError if one was named that is not there."""
    from ppo.runs.store import default_store, store_path  # loads Hydra, which --help does not need

    path = store_path(default_store() if named is None else named)
    if named is not None and not (named and path.is_dir()):
        raise invalid("outputs", named, "an existing folder")
    return path


def _parser() -> Parser:
    parser = Parser(
        prog="ppo-analysis",
        description="From run folders to the paper's tables and figures.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLES,
    )
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands():
        description = f"{command.help[0].upper()}{command.help[1:]}."
        one = names.add_parser(command.name, help=command.help, description=description, epilog=STORE)
        one.set_defaults(command=command, parser=one)
        if command.sweep is not None:
            text = "its name, or the path of its file (default: %(default)s)"
            one.add_argument("--sweep", default=command.sweep, help=text)
        for argument in command.arguments:
            one.add_argument(argument.name, **argument.options)
        one.add_argument("--json", action="store_true", help="print one JSON document")
        one.usage = one.format_usage().removeprefix("usage: ").rstrip() + " [outputs=FOLDER]"
    return parser


if __name__ == "__main__":
    sys.exit(main())
