"""From the words of a command to what it does."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress

from ppo.cli.app import check_hydras, is_hydras, run_hydra, search_config_dir
from ppo.cli.composing import as_shown, compose_run, runs_of
from ppo.cli.flags import parse
from ppo.config.run import Config, to_mapping
from ppo.console import log_to_stderr
from ppo.runs.exits import Exit


def run(arguments: Sequence[str] | None) -> Exit:
    """Do what the command says; returns the exit status. Raises UserError before anything starts."""
    options = parse(arguments)
    search_config_dir(options)
    if options.help:
        from ppo.cli.manual import manual

        sys.stdout.write(manual(options))
        return Exit.DONE
    if options.shell_completion:
        from ppo.cli.completion import complete

        return complete(options)
    if options.hydra_help or options.info or options.cfg in ("hydra", "all"):
        return _ask_hydra(options)
    if options.cfg:
        shown = [as_shown(to_mapping(config), options.package) for config in _configs(options)]
        sys.stdout.write("---\n".join(shown))
        return Exit.DONE
    log_to_stderr()
    if options.multirun or "hydra.mode=MULTIRUN" in options.overrides:
        from ppo.cli.multirun import multirun

        options.multirun = True
        return multirun(options)
    configs = _configs(options)
    from ppo.cli.training import train_and_print  # torch takes seconds to load: not for --help or a mistake

    outcomes = train_and_print(configs)
    return Exit.FAILED if any(outcome.result is None for outcome in outcomes) else Exit.DONE


def _configs(options: argparse.Namespace) -> list[Config]:
    return [compose_run(options, overrides) for overrides in runs_of(options)]


def _ask_hydra(options: argparse.Namespace) -> Exit:
    """Let Hydra print what it was asked for."""
    check_hydras([o for o in options.overrides if is_hydras(o)])
    if not options.hydra_help:
        ours = argparse.Namespace(**vars(options) | {"overrides": [o for o in options.overrides if not is_hydras(o)]})
        _configs(ours)  # our sentences for a mistake
    printed = io.StringIO()  # nothing of it where Hydra refuses the rest
    with redirect_stdout(printed), suppress(SystemExit):  # it exits after its help; its errors are ours
        run_hydra(options, options.overrides, lambda _: None)
    sys.stdout.write(printed.getvalue())
    return Exit.DONE
