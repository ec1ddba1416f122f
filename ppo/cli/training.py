"""Training in this process, and what is printed of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ppo.config.run import Config
from ppo.console import score_line
from ppo.train import Interrupted, Outcome, train


def train_and_print(configs: Sequence[Config]) -> list[Outcome]:
    """Train runs and print each one's score and folder; KeyboardInterrupt once what can be is saved."""
    try:
        outcomes = train(configs)
    except Interrupted as interrupted:
        raise KeyboardInterrupt(str(interrupted)) from None
    for outcome in outcomes:
        sys.stdout.write(f"{_line(outcome)}\n")
    return outcomes


def _line(outcome: Outcome) -> str:
    if outcome.result is None:
        return f"{'paused' if outcome.paused else 'failed'}: {outcome.error}  {outcome.folder}"
    before = "" if outcome.trained else "  (done before)"
    return f"{score_line(outcome.result['score'])}  {outcome.folder}{before}"
