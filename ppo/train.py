"""Training runs to the end: the one way in for the command line, sweeps, SLURM and search (DESIGN: law 5)."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ppo import envs
from ppo.config.algorithms import WHOLE_EPISODES
from ppo.config.identity import pack_key, run_folder
from ppo.config.run import Config
from ppo.errors import UserError
from ppo.runs.folder import RunFolder, fresh_sibling
from ppo.session import Interrupted, Member, Outcome, train_pack

__all__ = ["Interrupted", "Outcome", "check_device", "train"]

log = logging.getLogger(__name__)


def train(
    configs: Sequence[Config], *, stop: Callable[[], bool] = lambda: False, marker: Path | None = None
) -> list[Outcome]:
    """Train runs, packed as far as they can share one, each in its own folder; those already done are left alone.

    `stop` is asked before every iteration whether to save and stop, as after Ctrl-C; `marker` is a file that always
    names the run being worked for (`ppo.runs.marker`). Outcomes come in the order of `configs`. Raises UserError before
    anything starts, Interrupted once all is saved.
    """
    paths: list[Path] = []
    members: dict[Path, Member] = {}  # the same run named twice is trained once
    for config in configs:
        member = _prepare(config)
        paths.append(member.folder.path)
        members.setdefault(member.folder.path, member)
    with _signals() as stopping:
        for pack in _packs([m for m in members.values() if not m.ended]):
            torch.set_num_threads(pack[0].config.execution.threads)
            train_pack(pack, lambda: stopping() or stop(), marker)
    return [members[path].outcome for path in paths]


def check_device(device: str) -> None:
    """UserError if networks cannot be trained there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda is not possible: torch finds no CUDA here; allowed is cpu.")


def _prepare(config: Config) -> Member:
    """A run with its folder, checked but not yet opened."""
    check_device(config.execution.device)
    envs.check(config.env.suite, config.env.id)
    if isinstance(config.algorithm, WHOLE_EPISODES):
        envs.episode_limit(config.env.suite, config.env.id, config.env.time_limit)
    path = run_folder(config)
    if not config.execution.resume and path.exists():
        path = fresh_sibling(path)
    folder = RunFolder(path, config)
    folder.check()
    result = folder.result
    return Member(Outcome(config, path, result=result, trained=result is None), folder)


def _packs(members: Sequence[Member]) -> list[list[Member]]:
    """Members that can share a pack, together."""
    packs: dict[str, list[Member]] = {}
    for member in members:
        packs.setdefault(pack_key(member.config), []).append(member)
    return list(packs.values())


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """While open, the first SIGINT or SIGTERM is noted for the next safe point; a second one takes effect at once."""
    noted: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: object) -> None:
        noted.append(number)
        log.warning("stopping: saving at the end of this iteration (again to stop at once)")
        restore()

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:  # outside the main thread whoever runs us handles signals
        log.debug("signals are not handled outside the main thread")
    try:
        yield lambda: bool(noted)
    finally:
        restore()
