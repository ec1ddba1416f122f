"""A pack and its run folders: resumed, trained to the end, recorded after every iteration (laws 2 and 4)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ppo import policy
from ppo.config.identity import run_hash, setting_hash
from ppo.config.naming import setting_name
from ppo.console import Progress
from ppo.envs.watchdog import watching
from ppo.pack import Iteration, Pack
from ppo.runs import checkpoints
from ppo.runs.files import is_passing
from ppo.runs.marker import make_marker
from ppo.runs.member import Member, fail, open_all
from ppo.runs.provenance import code_diff, differences, numerical, provenance
from ppo.runs.states import standing
from ppo.runs.words import how_saved

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """Training was asked to stop; everything is saved, or its text says what is not."""


def train_pack(members: Sequence[Member], stopping: Callable[[], bool], marker: Path | None = None) -> None:
    """Train a pack to the end of every member; what happens to each is in its folder and its outcome.

    `stopping` is asked before every iteration; `marker` is a file that names the run being worked for.
    Raises Interrupted once all is saved, Busy if a folder has another writer.
    """
    try:
        opened = open_all(members)
        if opened:
            _train(opened, stopping, marker)
    finally:
        for member in members:
            member.folder.close()


def _train(members: Sequence[Member], stopping: Callable[[], bool], marker: Path | None) -> None:
    try:
        with watching([member.config.execution.step_seconds for member in members]):
            Session(members, marker).run(stopping)
    except Interrupted:
        raise
    except Exception as error:
        log.exception("a pack of %d runs failed", len(members))
        for member in members:
            if not member.ended:
                fail(member, error, member.folder.step)


class Session:
    """A pack of runs in training, lane i being member i."""

    def __init__(self, members: Sequence[Member], marker: Path | None = None) -> None:
        self.members = members
        runs = [run_hash(m.config) for m in members]
        # Provenance now, since the code may be changed while we train.
        self.provenance = [
            provenance(m.config, _capability(m.config.execution.device)) | {"pack": runs} for m in members
        ]
        for member in members:
            member.started = time.monotonic()
        torch.compiler.reset()  # torch.compile gives up on a function compiled for too many packs in one process
        self.marker = make_marker(marker, runs)
        self.pack = Pack([m.config for m in members], self.marker, compiled=members[0].compiled)
        for lane in self.pack.lanes:
            with self._marked(lane):
                self._resume(lane)
        self.progress = Progress(_title(members), self.pack)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Iterate until every lane has ended."""
        pack = self.pack
        try:
            while pack.lanes:
                if stopping():
                    self._pause()
                started = time.monotonic()
                before = pack.steps.copy()
                iteration = pack.iterate()
                speeds = (pack.steps - before) / (time.monotonic() - started)
                for lane in pack.lanes:
                    with self._marked(lane):
                        self._record(lane, iteration, float(speeds[lane]))
                self.progress.show()
                self._save(due=True)
        finally:
            self.progress.close()
            self.pack.close()

    @contextmanager
    def _marked(self, lane: int) -> Iterator[None]:
        """While open, the marker says that this process works for this lane, should it be killed."""
        self.marker[0] = lane + 1
        yield
        self.marker[0] = 0

    def _resume(self, lane: int) -> None:
        """Put a lane where its checkpoint says, or at its start; fail it if that cannot be done."""
        try:
            self._restore(lane)
        except Exception as error:  # what one run's own checkpoint or folder raises must not stop its mates
            self._fail(lane, error)

    def _restore(self, lane: int) -> None:
        member = self.members[lane]
        member.folder.keep_diff(code_diff())
        state = member.folder.restore()
        if state is None:
            self._note_start(lane, 0)
            member.resumes += [_resumed(0, True, member.folder.damage)] if member.folder.damage else []
            return
        try:
            self._go_on(lane, state)
        except Exception as error:  # it is whole, and cannot be used all the same: the next attempt uses another one
            if isinstance(error, OSError) or is_passing(error):
                raise
            raise ValueError(checkpoints.reject(member.folder.path, error)) from error
        if self.pack.steps[lane] >= self.pack.goals[lane]:  # stopped between the last checkpoint and the result
            self._finish(lane)

    def _note_start(self, lane: int, step: int) -> None:
        mode = "compiled" if self.members[lane].compiled else "not compiled"
        self.members[lane].folder.note(f"starts at step {step} in a pack of {len(self.members)}, {mode}")

    def _go_on(self, lane: int, state: Mapping[str, Any]) -> None:
        """Put a lane where its checkpoint says, and tell what is different from when that was written."""
        member, step = self.members[lane], state["pack"]["step"]
        self._note_start(lane, step)
        self.pack.set_state(lane, state["pack"])
        member.seconds, member.mixed = state["seconds"], state["mixed"]
        member.skipped = state["skipped"]
        differing = differences(state["provenance"], self.provenance[lane])
        if differing:
            member.folder.warn(f"resumed on other terms, so that numbers may differ: {'; '.join(differing)}")
        if state["compiled"] != member.compiled:
            member.mixed = True
            differing.append(f"compiled was {state['compiled']}, is {member.compiled}")
            member.folder.warn("resumed in another compile mode: last digits may change")
        if replayed := getattr(self.pack.env, "replayed", {}).get(lane):
            member.folder.note(f"replayed {replayed} steps of the episodes that were running")
        why = self.pack.env.inexact.get(lane)
        if why is not None:
            differing.append(why)
            member.folder.warn(f"resumed, not exactly: {why}")
        member.resumes = [*state["resumes"], _resumed(step, why is None, member.folder.damage + differing)]

    def _tell(self, lane: int) -> None:
        """Note what a lane's environments have changed in this process, and what they have printed."""
        folder = self.members[lane].folder
        if (foreign := self.pack.foreign) is not None:
            for text in foreign.take_notes(lane):
                folder.warn(text)
            if printed := foreign.take_output(lane):
                folder.note(f"the environment printed:\n{printed}")

    def _record(self, lane: int, iteration: Iteration, speed: float) -> None:
        """Record an iteration of one lane; finish it if that was its last, fail it if it cannot go on."""
        pack, member, step = self.pack, self.members[lane], int(self.pack.steps[lane])
        try:
            self._tell(lane)
            if lane in iteration.failures:
                raise iteration.failures[lane]
            row: dict[str, Any] = iteration.row(lane) | {"iteration": int(pack.iterations[lane]), "step": step}
            row |= {"score": pack.score(lane), "steps_per_second": speed, "episodes": int(pack.num_episodes[lane])}
            for name, table in iteration.artefacts[lane].items():
                member.folder.keep_artefact(name, table.columns, table.rows)
            member.folder.append(iteration.episodes[lane], row)
            member.skipped += _whole(row.get("skipped", 0.0))
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
            "env": config.env.id,
            "suite": config.env.suite,
            "algorithm": config.algorithm.name,
            "surrogate": None if config.surrogate is None else config.surrogate.name,
            "setting": setting_name(config),
            "setting_hash": setting_hash(config),
            "seed": config.seed,
            "score": pack.score(lane),
            "episodes": int(pack.num_episodes[lane]),
            "steps": int(pack.steps[lane]),
            "seconds": round(member.total_seconds, 1),
            "pack_size": pack.size,
            "compiled": member.compiled,
            "resumes": member.resumes,
            "skipped": member.skipped,
        }
        if member.mixed:
            result["mixed_modes"] = True
        self._checkpoint(lane)
        facts = {key: self.provenance[lane][key] for key in ("versions", "commit")}
        pack.policy(lane, run=run_hash(config), steps=result["steps"], **facts).save(member.folder.path / policy.NAME)
        member.folder.include(policy.NAME)
        member.folder.finish(result | self.provenance[lane])
        member.outcome.result = member.folder.result()
        if member.outcome.result is None:  # somebody else writes in the folder
            member.outcome.error = f"its result does not fit: {standing(member.folder.path).damage}"
            log.error("%s: %s", member.folder.path, member.outcome.error)
        pack.retire(lane)

    def _fail(self, lane: int, error: Exception) -> None:
        step = int(self.pack.steps[lane])
        fail(self.members[lane], error, step)
        self.pack.retire(lane)

    def _checkpoint(self, lane: int) -> None:
        member = self.members[lane]
        state = {"pack": self.pack.get_state(lane), "seconds": member.total_seconds, "compiled": member.compiled}
        state |= {"mixed": member.mixed, "skipped": member.skipped, "resumes": member.resumes}
        state |= {"provenance": numerical(self.provenance[lane])}
        member.folder.save_checkpoint(state)
        member.saved = time.monotonic()

    def _save(self, *, due: bool) -> None:
        """Checkpoint every lane in training, or those that are due; one that cannot be written fails alone."""
        for lane in self.pack.lanes:
            member = self.members[lane]
            if due and time.monotonic() - member.saved < member.config.execution.checkpoint_seconds:
                continue
            try:
                self._checkpoint(lane)
            except Exception as error:  # its environment's state may be read from what somebody else's code has made
                self._fail(lane, error)

    def _pause(self) -> None:
        """Save what can be saved and raise Interrupted."""
        training = self.pack.lanes
        self._save(due=False)
        for lane in self.pack.lanes:
            try:
                self.members[lane].folder.pause(int(self.pack.steps[lane]))
            except OSError as error:
                self._fail(lane, error)
        outcomes = [member.outcome for member in self.members]
        raise Interrupted(how_saved(sum(o.paused or (i in training and bool(o.error)) for i, o in enumerate(outcomes))))


def _whole(value: float) -> int:
    """A count that was averaged in float32 and multiplied again."""
    return round(value) if math.isfinite(value) else 0  # NaN: the algorithm does not count it


def _resumed(step: int, exact: bool, differences: Sequence[str]) -> dict[str, Any]:
    """How a run was resumed, for its result."""
    return {"step": step, "exact": exact, "differences": list(differences)}


def _capability(device: str) -> str:
    """The instructions that torch's kernels use: on a CPU a level such as AVX2, which ATEN_CPU_CAPABILITY lowers."""
    return torch.cuda.get_device_name() if device == "cuda" else torch.backends.cpu.get_cpu_capability()


def _title(members: Sequence[Member]) -> str:
    names = sorted({setting_name(m.config) for m in members})
    what = names[0] if len(names) == 1 else f"{len(names)} settings"
    return f"{members[0].config.env.id} {what} x{len(members)}"
