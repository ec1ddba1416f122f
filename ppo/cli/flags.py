"""The flags of `ppo`: those of Hydra's own parser in our words, and `--config FILE`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser

from ppo import __version__
from ppo.errors import UserError, did_you_mean

HELP = {
    "overrides": "values of the keys below; +KEY=VALUE adds a key, ++KEY=VALUE sets or adds it, ~KEY removes it",
    "--help": "this text, for what is chosen: `ppo algorithm=trpo --help` lists the keys of trpo",
    "--hydra-help": "the keys of Hydra itself (hydra.KEY=VALUE)",
    "--version": "print our version and Hydra's",
    "--cfg": "print a config and train nothing. job: the run as it would be trained; hydra, all: as Hydra composes it",
    "--resolve": "of --cfg hydra and all: resolve interpolations (a job's always are)",
    "--package": "of --cfg: only this part, such as algorithm",
    "--run": "train one run (the default)",
    "--multirun": "train every combination of values a,b,c, in packs",
    "--shell-completion": "install=bash | uninstall=bash (or zsh, fish): eval \"$(ppo -sc install=bash)\"",
    "--config-path": argparse.SUPPRESS,
    "--config-name": "another root config than config.yaml, from --config-dir",
    "--config-dir": "a folder with more choices: FOLDER/algorithm/mine.yaml is algorithm=mine",
    "--experimental-rerun": argparse.SUPPRESS,
    "--info": "print how Hydra composes the config: all | config | defaults | defaults-tree | plugins | searchpath",
    "--config": "train the run of this config.yaml",
}
METAVARS = {
    "overrides": "KEY=VALUE",
    "--cfg": "WHAT",
    "--package": "KEY",
    "--config-name": "NAME",
    "--config-dir": "FOLDER",
    "--info": "WHAT",
}
ACTIONS = {"cfg": "--cfg", "info": "--info", "shell_completion": "--shell-completion", "hydra_help": "--hydra-help"}
EXAMPLES = """examples:
  ppo env=hopper surrogate=clip surrogate.epsilon=0.2 seed=0
  ppo -m env=hopper,walker2d surrogate=clip,none seed=0,1,2
  ppo -m env=hopper seed=0,1,2 hydra/launcher=slurm hydra.launcher.partition=cpu
  ppo env=gymnasium env.id=CartPole-v1 total_steps=100000
  ppo env=gymnasium env.id=my_module:Mine-v0
  ppo --config outputs/runs/Hopper-v5/ppo-clip-epsilon-0.2/seed-0-0123456789ab/config.yaml run_dir=again

A run that was stopped resumes where it was; one that is done is not trained again.
exit status: 0 all done, 1 a run failed, 2 a mistake in the command, 130 interrupted (saved)."""


def _mistake(message: str) -> NoReturn:
    raise UserError(f"{message}; `ppo --help` lists all flags.")


def make_parser() -> argparse.ArgumentParser:
    """Hydra's parser with our words."""
    parser = get_args_parser()
    parser.error = _mistake  # type: ignore[method-assign]
    parser.prog, parser.usage = "ppo", "ppo [flags] [KEY=VALUE ...]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "Train a policy, or many in packs. Prints the score and folder of each run."
    parser.epilog = EXAMPLES
    parser.add_argument("--config", type=Path, metavar="FILE")
    for action in parser._actions:
        name = action.option_strings[0] if action.option_strings else action.dest
        action.help = HELP[name]
        action.metavar = METAVARS.get(name, action.metavar)
        if name == "--version":
            action.version = f"ppo-sweeps {__version__}, Hydra {hydra.__version__}"  # type: ignore[attr-defined]
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options and overrides of a command; overrides may come before and after flags. Raises UserError."""
    parser = make_parser()
    options, rest = parser.parse_known_intermixed_args(arguments)
    if rest:
        known = [flag for action in parser._actions for flag in action.option_strings]
        raise UserError(f"unknown flag {rest[0]}: `ppo --help` lists all flags.{did_you_mean(rest[0], known)}")
    _check(options)
    return options


def _check(options: argparse.Namespace) -> None:
    """UserError for flags that contradict each other, and for those that have no effect."""
    asked = [flag for name, flag in ACTIONS.items() if getattr(options, name)]
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} are invalid together: expected one of them.")
    if options.multirun and (options.run or (asked and options.cfg != "job")):
        raise UserError(f"--multirun and {'--run' if options.run else asked[0]} are invalid together: expected one.")
    if not options.cfg and (options.resolve or options.package):
        raise UserError(f"{'--resolve' if options.resolve else '--package'} has no effect without --cfg.")
    if options.config_path is not None:
        expected = "--config-dir FOLDER with more choices, or --config-name NAME, since conf/ defines the keys"
        raise UserError(f"--config-path {options.config_path} is invalid: expected {expected}.")
    if options.experimental_rerun is not None:
        raise UserError("--experimental-rerun is invalid: expected --config FILE, which trains a run again.")
    if options.config is not None:
        _check_alone(options, asked)


def _check_alone(options: argparse.Namespace, asked: Sequence[str]) -> None:
    """UserError for what has no effect beside --config FILE, a complete run."""
    others = {"--multirun": options.multirun, "--config-name": options.config_name, "--config-dir": options.config_dir}
    given = [flag for flag, value in others.items() if value] + (list(asked) if options.cfg != "job" else [])
    if given:
        raise UserError(f"--config and {given[0]} are invalid together: --config FILE is one complete run.")
