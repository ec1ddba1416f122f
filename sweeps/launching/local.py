"""The local launcher: packs in a pool of fresh processes, one core and one thread each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ppo.errors import UserError
from ppo.runs.folder import RunFolder
from ppo.runs.marker import marked_run
from ppo.runs.states import State, standing
from sweeps.home import Home, PackFile
from sweeps.launching.blame import Blame
from sweeps.launching.worker import BUSY, DONE, DRIVER, FAILED, INTERRUPTED, MISTAKE, ONE_THREAD
from sweeps.planning.packing import Pace, Pack, make_pack
from sweeps.planning.plan import Plan
from sweeps.planning.runs import Run
from sweeps.showing.view import Summary, View
from sweeps.showing.watch import Watch, pack_title

WORKER = (sys.executable, "-m", "sweeps.launching.worker")
POLL_SECONDS = 0.25
SHOW_SECONDS = 2.0
MOST_WAITS = 20


class WorkerDied(Exception):
    """A run's process died; told in its folder as the reason of its failure."""


@dataclass
class Flight:
    """A pack in training."""

    runs: list[Run]
    file: PackFile
    process: subprocess.Popen[bytes]
    watch: Watch


class Pool:
    """Trains packs until all have ended, in as many processes as there are workers."""

    def __init__(self, home: Home, view: View, plan: Plan) -> None:
        self.home, self.view, self.workers, self.pace = home, view, plan.workers, Pace(plan.speeds)
        self.ended = {run.hash: plan.state(run) for run in plan.of(State.DONE)}
        self.total = len(plan.runs)
        self.queue: deque[Pack] = deque()
        self.flights: list[Flight] = []
        self.blame = Blame()
        self.waits: Counter[str] = Counter()  # run hash -> times that it had another writer
        self.blocked: dict[str, str] = {}  # run hash -> why it could not be trained here
        self.wishes: list[str] = []  # to stop, not yet heard
        self.stops = 0  # wishes that were heard
        self._shown = 0.0

    def run(self, packs: Sequence[Pack]) -> bool:
        """Train packs to the end; False if asked to stop, once everything is saved."""
        self.queue.extend(packs)
        with self._signals():
            try:
                while self.flights or (self.queue and not self.stops):
                    self._start()
                    self._land()
                    self._listen()
                    self._show()
                    time.sleep(POLL_SECONDS)
            except BaseException:
                self._signal(signal.SIGKILL)
                raise
        return not self.stops

    # -- starting and landing ------------------------------------------------------------------------------------

    def _start(self) -> None:
        while self.queue and len(self.flights) < self.workers and not self.stops:
            pack = self.queue.popleft()
            file = self.home.write_pack([run.config for run in pack.runs])
            self.flights.append(Flight(pack.runs, file, _launch(file), Watch(pack.runs, pack.seconds)))
            self.view.event(f"started  {pack_title(pack.runs)} x{len(pack.runs)}")

    def _land(self) -> None:
        for flight in [f for f in self.flights if f.process.poll() is not None]:
            self.flights.remove(flight)
            left = [run for run in flight.runs if not self._note_end(run)]
            status = flight.process.returncode
            if left:
                self._after(flight, left, status)
            else:
                self.view.event(f"ended    {flight.watch.title} x{len(flight.runs)}")
                flight.file.marker.unlink(missing_ok=True)

    def _after(self, flight: Flight, left: list[Run], status: int) -> None:
        """Runs are left: their process was stopped, refused them, or died."""
        if status == INTERRUPTED:
            if not self.stops:  # somebody else told it to stop: the sweep goes on
                self._requeue([left])
        elif status == BUSY:
            self._wait_for(left, _last_line(flight.file))
        elif status == MISTAKE:
            self._block(left, _last_line(flight.file))
        elif status in (DONE, FAILED) or status > 0:
            self._fail(left, f"its process ended with status {status}: {_last_line(flight.file)}")
        elif not self.stops:
            self._judge(flight, left, -status)

    def _wait_for(self, runs: Sequence[Run], writer: str) -> None:
        """Leave runs, one of which has another writer, to the next plan, which waits for it; not for ever."""
        self.waits.update(run.hash for run in runs)
        if max(self.waits[run.hash] for run in runs) > MOST_WAITS:
            self._block(runs, writer)
        else:
            self.view.event(f"waits    {pack_title(runs)} x{len(runs)}: {writer}")

    def _judge(self, flight: Flight, left: list[Run], number: int) -> None:
        name = signal.Signals(number).name
        marked = marked_run(flight.file.marker)
        verdict = self.blame.judge(left, marked, number)
        self.view.event(f"died     {flight.watch.title} x{len(left)}, of {name}, working for {marked or 'all'}")
        self._fail(verdict.failed, f"its process died of {name} while working for this run, again and again")
        self._requeue(verdict.packs)

    def _requeue(self, groups: Sequence[list[Run]]) -> None:
        self.queue.extendleft(make_pack(group, self.pace) for group in reversed(groups))

    def _fail(self, runs: Sequence[Run], reason: str) -> None:
        for run in runs:
            folder = RunFolder(run.folder, run.config)
            try:
                folder.check()
                folder.open()
                folder.fail(WorkerDied(reason), standing(run.folder).step)
                self._note_end(run)
            except UserError as error:
                self._block([run], str(error))

    def _block(self, runs: Sequence[Run], reason: str) -> None:
        self.blocked |= {run.hash: reason for run in runs}
        self.view.event(f"refused  {pack_title(runs)} x{len(runs)}: {reason}")

    def _note_end(self, run: Run) -> bool:
        """Whether a run has ended; a failure is told as soon as it is seen."""
        seen = standing(run.folder)
        if seen.state not in (State.DONE, State.FAILED):
            return False
        self.ended[run.hash] = seen.state
        if seen.state == State.FAILED:
            self.view.event(f"failed   {run.folder} at step {seen.step}: {seen.status.get('error')}")
        return True

    # -- stopping ------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Pass on a wish to stop: the first saves, the second kills."""
        if self.home.cancel_request.exists():
            self.home.cancel_request.unlink(missing_ok=True)
            self.wishes.append("asked to cancel")
        for wish in list(self.wishes):
            self.wishes.remove(wish)
            self._stop(wish)

    def _stop(self, why: str) -> None:
        self.stops += 1
        if self.stops == 1:
            self.view.event(f"{why}: saving {len(self.flights)} packs (again to kill them)")
            self._signal(signal.SIGINT)
        else:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for process in [flight.process for flight in self.flights if flight.process.poll() is None]:
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)  # its compiler too
            else:
                process.send_signal(number)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """While open, Ctrl-C and SIGTERM are a wish to stop."""
        before: dict[signal.Signals, Any] = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda n, _: self.wishes.append(signal.Signals(n).name))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # -- showing -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        if time.monotonic() - self._shown < SHOW_SECONDS:
            return
        self._shown = time.monotonic()
        lines = [flight.watch.look() for flight in self.flights]
        running, waiting = [line.left for line in lines], sum(p.seconds for p in self.queue)
        left = max([*running, (sum(running) + waiting) / self.workers])
        done, failed = (list(self.ended.values()).count(state) for state in (State.DONE, State.FAILED))
        done, failed = done + sum(line.done for line in lines), failed + sum(line.failed for line in lines)
        self.view.show(Summary(self.home.name, self.total, done, failed, len(self.queue), left), lines)


def _launch(file: PackFile) -> subprocess.Popen[bytes]:
    """A worker in a session of its own, so that a Ctrl-C in our terminal reaches it only through us."""
    command = [*WORKER, str(file.path)]
    with file.log.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | ONE_THREAD | {DRIVER: str(os.getpid())},
            start_new_session=True,
        )


def _last_line(file: PackFile) -> str:
    """The last line that a worker printed."""
    try:
        lines = file.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else f"see {file.log}"
