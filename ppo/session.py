"""A pack and its run folders: resumed, trained to the end, written down after every iteration (laws 2 and 4)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ppo.config.identity import run_hash, setting_name
from ppo.config.run import Config
from ppo.console import Progress
from ppo.learning.compiling import wants_compile
from ppo.pack import Iteration, Pack
from ppo.runs.folder import UPDATE_COLUMNS, RunFolder
from ppo.runs.marker import make_marker
from ppo.runs.provenance import code_diff, provenance

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """Training was asked to stop; everything is saved."""


@dataclass
class Outcome:
    """How one run ended."""

    config: Config
    folder: Path
    result: dict[str, Any] | None = None  # of a run that is done
    error: str | None = None  # of a run that failed
    trained: bool = True  # False: it was done before


@dataclass
class Member:
    """A run on its way through a pack."""

    outcome: Outcome
    folder: RunFolder
    seconds: float = 0.0  # trained before this process
    started: float = field(default_factory=time.time)  # when its pack did

    @property
    def config(self) -> Config:
        """The run."""
        return self.outcome.config

    @property
    def ended(self) -> bool:
        """Whether the run is done or has failed."""
        return self.outcome.result is not None or self.outcome.error is not None

    @property
    def total_seconds(self) -> float:
        """Wall time in training, this process and earlier ones."""
        return self.seconds + time.time() - self.started


def train_pack(members: Sequence[Member], stopping: Callable[[], bool], marker: Path | None = None) -> None:
    """Train a pack to the end of every member; what happens to each is in its folder and its outcome.

    `stopping` is asked before every iteration; `marker` is a file that names the run being worked for.
    Raises Interrupted once all is saved, Busy if a folder has another writer.
    """
    opened: list[Member] = []
    try:
        for member in members:
            member.folder.open()
            opened.append(member)
        Session(members, marker).run(stopping)
    except Interrupted:
        raise
    except Exception as error:
        if len(opened) < len(members):
            raise
        log.exception("a pack of %d runs failed", len(members))
        for member in members:
            if not member.ended:
                _fail(member, error, 0)
    finally:
        for member in opened:
            member.folder.close()


class Session:
    """A pack of runs in training, lane i being member i."""

    def __init__(self, members: Sequence[Member], marker: Path | None = None) -> None:
        self.members = members
        runs = [run_hash(m.config) for m in members]
        self.provenance = provenance() | {"pack": runs}  # now: the code may be changed while we train
        for member in members:
            member.started = time.time()
            member.folder.keep_diff(code_diff())
        torch.compiler.reset()  # torch.compile gives up on a function compiled for too many packs in one process
        self.pack = Pack([m.config for m in members])
        self.marker = self.pack.env.marker = make_marker(marker, runs)
        for lane in self.pack.lanes:
            with self._marked(lane):
                self._resume(lane)
        self.progress = Progress(_title(members), self.pack)
        self.saved = time.time()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Iterate until every lane has ended."""
        pack = self.pack
        every = self.members[0].config.execution.checkpoint_seconds
        try:
            while pack.lanes:
                if stopping():
                    self._pause()
                started = time.time()
                before = pack.steps.copy()
                iteration = pack.iterate()
                speeds = (pack.steps - before) / (time.time() - started)
                for lane in pack.lanes:
                    with self._marked(lane):
                        self._record(lane, iteration, float(speeds[lane]))
                self.progress.show()
                if time.time() - self.saved >= every:
                    self._save()
        finally:
            self.progress.close()

    @contextmanager
    def _marked(self, lane: int) -> Iterator[None]:
        """While open, whoever finds us killed is told that we were working for this lane."""
        self.marker[0] = lane + 1
        yield
        self.marker[0] = 0

    def _resume(self, lane: int) -> None:
        """Put a lane where its checkpoint says, or at its start."""
        member = self.members[lane]
        state = member.folder.load_checkpoint()
        member.folder.start_records(state["sizes"] if state else {})
        step = state["pack"]["step"] if state else 0
        member.folder.note(f"starts at step {step} in a pack of {len(self.members)}")
        if state is None:
            return
        self.pack.set_state(lane, state["pack"])
        member.seconds = state["seconds"]
        if state["compiled"] != wants_compile(member.config):
            self._warn(lane, "goes on with another compile mode: last digits may change")
        if not self.pack.env.restores_exactly:
            self._warn(lane, f"{member.config.env.id} cannot be saved: the resumed run starts new episodes")
        if step >= self.pack.goals[lane]:  # stopped between the last checkpoint and the result
            self._finish(lane)

    def _warn(self, lane: int, text: str) -> None:
        folder = self.members[lane].folder
        folder.note(text)
        log.warning("%s: %s", folder.path, text)

    def _record(self, lane: int, iteration: Iteration, speed: float) -> None:
        """Write down an iteration of one lane; finish it if that was its last, fail it if it cannot go on."""
        pack, member, step = self.pack, self.members[lane], int(self.pack.steps[lane])
        try:
            if lane in pack.env.failures:
                raise pack.env.failures[lane]
            if lane in iteration.broken:
                raise FloatingPointError(f"a reward or observation is not finite at step {iteration.broken[lane]}")
            number = int(pack.iterations[lane])
            row: dict[str, Any] = dict.fromkeys(UPDATE_COLUMNS, math.nan) | iteration.row(lane)
            row |= {"iteration": number, "step": step, "score": pack.score(lane), "steps_per_second": speed}
            row["episodes"] = int(pack.num_episodes[lane])
            line = pack.learner.interpolation
            if line is not None and number == 1 and member.config.execution.interpolation:
                member.folder.keep_interpolation(line[lane])
            member.folder.append(iteration.episodes[lane], row)
            member.folder.beat(step)
            if step >= pack.goals[lane]:
                self._finish(lane)
        except Exception as error:  # what one run's own simulator or folder raises must not stop its mates
            self._fail(lane, error)

    def _finish(self, lane: int) -> None:
        """Save a lane for the last time and write its result."""
        pack, member = self.pack, self.members[lane]
        config = member.config
        result = {
            "score": pack.score(lane),
            "episodes": int(pack.num_episodes[lane]),
            "steps": int(pack.steps[lane]),
            "seconds": round(member.total_seconds, 1),
            "pack_size": pack.size,
            "compiled": wants_compile(config),
            "env": config.env.id,
            "setting": setting_name(config),
            "seed": config.seed,
            "run": run_hash(config),
        }
        self._checkpoint(lane)
        member.folder.finish(result | self.provenance)
        member.outcome.result = member.folder.result
        pack.retire(lane)

    def _fail(self, lane: int, error: Exception) -> None:
        step = int(self.pack.steps[lane])
        log.error("%s failed at step %d: %s", self.members[lane].folder.path, step, error)
        _fail(self.members[lane], error, step)
        self.pack.retire(lane)

    def _checkpoint(self, lane: int) -> None:
        member = self.members[lane]
        state = {"pack": self.pack.get_state(lane), "seconds": member.total_seconds}
        member.folder.save_checkpoint(state | {"compiled": wants_compile(member.config)})

    def _save(self) -> None:
        """Checkpoint every lane still in training; one that cannot be written fails alone."""
        for lane in self.pack.lanes:
            try:
                self._checkpoint(lane)
            except OSError as error:
                self._fail(lane, error)
        self.saved = time.time()

    def _pause(self) -> None:
        """Save everything and raise Interrupted."""
        self._save()
        for lane in self.pack.lanes:
            self.members[lane].folder.pause(int(self.pack.steps[lane]))
        raise Interrupted


def _fail(member: Member, error: Exception, step: int) -> None:
    member.outcome.error = f"{type(error).__name__}: {error}"
    member.folder.fail(error, step)


def _title(members: Sequence[Member]) -> str:
    names = sorted({setting_name(m.config) for m in members})
    what = names[0] if len(names) == 1 else f"{len(names)} settings"
    return f"{members[0].config.env.id} {what} x{len(members)}"
