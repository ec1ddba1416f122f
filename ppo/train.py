"""Training runs to the end: the one way in for the command line, sweeps, SLURM and search (law 5)."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ppo.config.identity import pack_key
from ppo.config.run import Config
from ppo.envs.memory import check_memory
from ppo.envs.process import set_handler
from ppo.errors import UserError, invalid
from ppo.learning import compilers
from ppo.learning.compiling import has_compiler, wants_compile
from ppo.runs.checkpoints import NEWEST, PREVIOUS
from ppo.runs.files import fresh_sibling
from ppo.runs.folder import RunFolder
from ppo.runs.member import Member, Outcome
from ppo.runs.states import read_status
from ppo.runs.store import folder_of
from ppo.session import Interrupted, train_pack

__all__ = ["Interrupted", "Outcome", "check", "check_device", "train"]

log = logging.getLogger(__name__)


def train(
    configs: Sequence[Config],
    *,
    folders: Sequence[Path] | None = None,
    stop: Callable[[], bool] = lambda: False,
    marker: Path | None = None,
) -> list[Outcome]:
    """Train runs, packed as far as they can share one, each in its own folder; those already done are left alone.

    `folders`: where each run goes, if that is settled already; `stop` is asked before every iteration whether to save
    and stop, as after Ctrl-C; `marker` is a file that always names the run being worked for. Outcomes come in the order
    of `configs`. Raises UserError before anything starts, or once the others have ended if a folder turns out to be
    unusable; Interrupted once all is saved.
    """
    for env in {config.env for config in configs}:
        env.check()
    check_memory(configs)
    places = [folder_of(config) for config in configs] if folders is None else folders
    paths: list[Path] = []
    members: dict[Path, Member] = {}  # the same run named twice is trained once
    for config, place in zip(configs, places, strict=True):
        member = _prepare(config, place)
        paths.append(member.folder.path)
        members.setdefault(member.folder.path, member)
    with _signals() as stopping:
        for pack in _packs([m for m in members.values() if not m.ended]):
            torch.set_num_threads(pack[0].config.execution.threads)
            train_pack(pack, lambda: stopping() or stop(), marker)
    if refused := next((m.outcome.error for m in members.values() if m.outcome.refused), None):
        raise UserError(refused)
    return [members[path].outcome for path in paths]


def check(config: Config, folder: Path) -> None:
    """UserError if a run cannot be trained in a folder."""
    config.env.check()
    check_memory([config])
    _prepare(config, folder)


def check_device(device: str) -> None:
    """UserError if networks cannot be trained there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise invalid("device", device, "cpu, since torch finds no CUDA here")


def _prepare(config: Config, path: Path) -> Member:
    """A run with its folder, checked but not yet opened."""
    check_device(config.execution.device)
    config.network.check_device(config.execution.device)
    if config.execution.resume is False and path.exists():
        path = fresh_sibling(path)
    folder = RunFolder(path, config)
    folder.check()
    result = folder.result()
    compiled = False if result else _mode(config, path)
    return Member(Outcome(config, path, result=result, trained=result is None), folder, compiled)


def _mode(config: Config, folder: Path) -> bool:
    """Whether a run's updates are compiled: as it was begun, since the mode changes last digits; else as wanted."""
    wanted, begun = wants_compile(config), read_status(folder).get("compiled")
    if not any((folder / name).exists() for name in (NEWEST, PREVIOUS)):
        return wanted
    if not isinstance(begun, bool) or begun == wanted or config.execution.resume == "force":
        return wanted
    if config.execution.compile == "auto" and (not begun or has_compiler()):
        return begun
    mode = "compiled" if begun else "not compiled"
    expected = f"compile={str(begun).lower()}, since {folder} was begun {mode}; resume=force goes on all the same"
    reason = "" if config.execution.compile != "auto" else " and there is no C++ compiler here"
    raise invalid("compile", config.execution.compile, expected + reason)


def _packs(members: Sequence[Member]) -> list[list[Member]]:
    """Members that can share a pack, together."""
    packs: dict[tuple[str, bool], list[Member]] = {}
    for member in members:
        packs.setdefault((pack_key(member.config), member.compiled), []).append(member)
    return list(packs.values())


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """While open, the first SIGINT or SIGTERM is noted for the next safe point; a second one takes effect at once."""
    compilers.allow()
    noted: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            set_handler(number, handler)

    def note(number: int, _frame: object) -> None:
        if noted:
            restore()
            compilers.kill()
            signal.raise_signal(number)
            return
        noted.append(number)
        log.warning("stopping: saving at the end of this iteration (again to stop at once)")

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = set_handler(number, note)
    except ValueError:  # outside the main thread whoever runs us handles signals
        log.debug("signals are not handled outside the main thread")
    try:
        yield lambda: bool(noted)
    finally:
        restore()
