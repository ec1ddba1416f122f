"""Shell completion: Hydra's own, without what `ppo` does not take."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout

from ppo.cli.app import hydra_app, run_hydra
from ppo.config.compose import CONF, groups
from ppo.errors import UserError
from ppo.runs.exits import Exit

PROGRAM = "ppo"


def complete(options: argparse.Namespace) -> Exit:
    """Print the shell's code (install=bash, uninstall=bash), or the words that may follow (query=bash)."""
    with hydra_app(options) as app:
        shells = sorted(app.get_shell_to_plugin_map(app.config_loader))
    expected = [f"{command}={shell}" for command in ("install", "uninstall", "query") for shell in shells]
    if len(options.overrides) != 1 or options.overrides[0] not in expected:
        given = " ".join(["--shell-completion", *options.overrides])
        raise UserError(f"{given} is invalid: expected one of {', '.join(expected)}.")
    if options.overrides[0].startswith("query="):
        return _query(options)
    before, sys.argv[0] = sys.argv[0], PROGRAM  # Hydra installs it for the program of this name
    try:
        run_hydra(options, options.overrides, lambda _: None)
    finally:
        sys.argv[0] = before
    if "uninstall=bash" in options.overrides and not os.environ.get("_HYDRA_OLD_COMP"):
        sys.stdout.write(f"complete -r {PROGRAM}\n")  # Hydra leaves it, and the shell would miss the function
    return Exit.DONE


def _query(options: argparse.Namespace) -> Exit:
    """Print the words that may follow; nothing for a line that cannot be parsed, since a shell shows what we print."""
    line = os.environ.get("COMP_LINE", "")
    os.environ["COMP_LINE"] = re.sub(r"(?<=\s)--config[= ]\S+", "", line)  # ours: Hydra's parser does not know it
    found = io.StringIO()
    try:
        with redirect_stdout(found), redirect_stderr(io.StringIO()):
            run_hydra(options, options.overrides, lambda _: None)
    except SystemExit:
        return Exit.DONE
    sys.stdout.write(" ".join(word for word in found.getvalue().split() if _is_ours(word)) + "\n")
    return Exit.DONE


def _is_ours(word: str) -> bool:
    """Whether `ppo` takes a word: Hydra lists every folder and every yaml file of conf/."""
    group, equals, choice = word.lstrip("+~").partition("=")
    head = re.split(r"[/.]", group)[0]
    if equals and group in groups():
        return not choice or choice in groups()[group]
    return head in groups() or head == "hydra" or not (CONF / head).is_dir()
