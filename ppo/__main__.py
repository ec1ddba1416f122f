"""The command line of one training: `python -m ppo env=hopper surrogate=clip seed=0`, and of several with -m."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch load; `threads` decides what torch uses

import yaml

from ppo.config.compose import CONF, checked, compose, expand, groups, load_mapping
from ppo.config.run import Config, to_mapping
from ppo.errors import UserError
from ppo.multirun import is_hydras, multirun

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the overrides describe; returns the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        configs = _configs(options)
        if options.cfg:
            sys.stdout.write("---\n".join(yaml.safe_dump(to_mapping(c), sort_keys=False) for c in configs))
            return DONE
        return multirun(options.overrides) if options.multirun else _train(configs)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return MISTAKE


def _configs(options: argparse.Namespace) -> list[Config]:
    if options.config is not None:
        if options.multirun:
            raise UserError("--config names one run and -m several: only one of them is allowed.")
        return [checked(*load_mapping(options.config, options.overrides))]
    ours = [o for o in options.overrides if not is_hydras(o)]
    if not options.multirun and ours != options.overrides:
        raise UserError(f"{next(o for o in options.overrides if is_hydras(o))} is for Hydra's multirun: add -m.")
    runs = expand(ours) if options.multirun else [ours]
    configs = [compose(run) for run in runs]
    if len(configs) > 1 and configs[0].execution.run_dir is not None:
        folder = configs[0].execution.run_dir
        raise UserError(f"run_dir={folder} is one folder for {len(configs)} runs: outputs=FOLDER is allowed.")
    return configs


def _train(configs: list[Config]) -> int:
    from ppo.train import Interrupted, train  # torch takes seconds to load: not for --help or a mistake

    try:
        outcomes = train(configs)
    except Interrupted:
        sys.stderr.write("interrupted: saved; the same command goes on from here\n")
        return INTERRUPTED
    for outcome in outcomes:
        if outcome.result is None:
            sys.stdout.write(f"failed: {outcome.error}  {outcome.folder}\n")
        else:
            note = "" if outcome.trained else "  (done before)"
            score = outcome.result["score"]
            shown = "none: no episode was completed" if score is None else f"{score:.2f}"
            sys.stdout.write(f"score {shown}  {outcome.folder}{note}\n")
    return FAILED if any(o.result is None for o in outcomes) else DONE


class _Help(argparse.Action):
    """Prints the manual: the choices of every group, and the yamls, which say what each key means."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        choices = "\n".join(f"  {group}={' | '.join(names)}" for group, names in groups().items())
        text = parser.format_help() + f"\nchoices:\n{choices}\n"
        for name in ("config", "algorithm/ppo", "surrogate/clip", "env/mujoco"):
            text += f"\nkeys of {name}.yaml:\n\n" + _indent((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
        sys.stdout.write(text)
        parser.exit(0)


def _indent(text: str) -> str:
    return "".join(f"  {line}\n" if line else "\n" for line in text.splitlines())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ppo",
        add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a policy, or a pack of policies in lock-step. Prints each run's score and folder.",
        epilog="""examples:
  python -m ppo env=hopper surrogate=clip surrogate.epsilon=0.2 seed=0
  python -m ppo -m env=hopper,walker2d surrogate=clip,none seed=0,1,2 [hydra/launcher=slurm]
  python -m ppo env=gymnasium env.id=CartPole-v1 total_steps=100000
  python -m ppo --config outputs/runs/Hopper-v5/ppo-clip-epsilon=0.2/seed=0-1a2b3c4d/config.yaml run_dir=again

A run that was stopped goes on where it was; one that is done is not trained again.
exit status: 0 all done, 1 a run failed, 2 a mistake in the command, 130 interrupted (saved).""",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="Hydra overrides of the keys below")
    parser.add_argument("-m", "--multirun", action="store_true", help="every combination of values a,b,c")
    parser.add_argument("--config", type=Path, metavar="FILE", help="train the run of this config.yaml")
    parser.add_argument("--cfg", action="store_true", help="print the composed config and train nothing")
    parser.add_argument("-h", "--help", nargs=0, action=_Help, help="this text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
