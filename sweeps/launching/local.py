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

from ppo.envs.watchdog import KILL
from ppo.errors import UserError
from ppo.runs.exits import Exit
from ppo.runs.files import DISK_FULL, is_full, open_to_append
from ppo.runs.folder import RunFolder
from ppo.runs.marker import marked_run
from ppo.runs.states import ENDED, State, standing
from ppo.runs.words import counted
from sweeps.home import Home, PackFile
from sweeps.launching import start
from sweeps.launching.blame import Blame, words
from sweeps.launching.worker import DRIVER, ONE_THREAD
from sweeps.planning.packing import Pace, PlannedPack, make_pack
from sweeps.planning.plan import Plan
from sweeps.planning.runs import Run
from sweeps.showing.view import Summary, View
from sweeps.showing.watch import Watch, pack_title

WORKER = (sys.executable, "-P", start.__file__)
POLL_SECONDS = 0.25
SHOW_SECONDS = 2.0
MOST_WAITS = 20  # for another writer of a run


class WorkerDied(Exception):
    """A run's process died: the reason of its failure, as its folder records it."""


@dataclass
class ActivePack:
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
        self.queue: deque[PlannedPack] = deque()
        self.active: list[ActivePack] = []
        self.blame = Blame()
        self.waits: Counter[str] = Counter()  # run hash -> times that it had another writer
        self.blocked: dict[str, str] = {}  # run hash -> why it could not be trained here
        self.stop_requests: list[str] = []  # not yet handled
        self.stops_handled = 0
        self._shown = 0.0

    def run(self, packs: Sequence[PlannedPack]) -> bool:
        """Train packs to the end; False if asked to stop, once everything is saved."""
        self.queue.extend(packs)
        with self._signals():
            try:
                while self.active or (self.queue and not self.stops_handled):
                    self._start()
                    self._collect_ended()
                    self._handle_stop_requests()
                    self._show()
                    self.home.beat()
                    time.sleep(POLL_SECONDS)
            except BaseException:
                self._signal(signal.SIGKILL)
                raise
        return not self.stops_handled

    # -- starting and ending -------------------------------------------------------------------------------------

    def _start(self) -> None:
        while self.queue and len(self.active) < self.workers and not self.stops_handled:
            pack = self.queue.popleft()
            try:
                file = self.home.write_pack(pack.runs)
                process = _launch(file)
            except OSError as error:
                if self.active and not is_full(error):  # no process or file is left: until one of ours has ended
                    self.queue.appendleft(pack)
                    break
                reason = DISK_FULL if is_full(error) else f"no process can be started for it: {error.strerror}"
                self._block(pack.runs, reason)
                continue
            self.active.append(ActivePack(pack.runs, file, process, Watch(pack.runs, pack.seconds)))
            self.view.event(f"started  {pack_title(pack.runs)} x{len(pack.runs)}")

    def _collect_ended(self) -> None:
        for active in [a for a in self.active if a.process.poll() is not None]:
            self.active.remove(active)
            left = [run for run in active.runs if not self._note_end(run)]
            status = active.process.returncode
            if left:
                self._after(active, left, status)
            else:
                self.view.event(f"ended    {active.watch.title} x{len(active.runs)}")
                active.file.marker.unlink(missing_ok=True)

    def _after(self, active: ActivePack, left: list[Run], status: int) -> None:
        """Deal with the unfinished runs of a process that was stopped, refused them, or died."""
        if marked_run(active.file.marker) is not None:  # whatever its status is, it comes from an environment's code
            self._judge(active, left, status)
        elif status == Exit.INTERRUPTED:
            if not self.stops_handled:  # somebody else stopped it: the sweep goes on
                self._requeue([left])
        elif status == Exit.BUSY:
            self._wait_for(left, _last_line(active.file))
        elif status == Exit.FULL:
            self._block(left, DISK_FULL)
        elif status == Exit.MISTAKE:
            self._block(left, _last_line(active.file))
        else:
            self._judge(active, left, status)

    def _wait_for(self, runs: Sequence[Run], writer: str) -> None:
        """Leave runs, one of which has another writer, to the next plan, which waits for it, up to a limit."""
        self.waits.update(run.hash for run in runs)
        if max(self.waits[run.hash] for run in runs) > MOST_WAITS:
            self._block(runs, writer)
        else:
            self.view.event(f"waits    {pack_title(runs)} x{len(runs)}: {writer}")

    def _judge(self, active: ActivePack, left: list[Run], status: int) -> None:
        """Find out which run a process has died of, by starting its runs again; nothing once we are stopping."""
        if self.stops_handled:
            return
        marked = marked_run(active.file.marker)
        verdict = self.blame.judge(left, marked, max(-status, 0))
        self.view.event(f"died     {active.watch.title} x{len(left)}, {words(status)}, working for {marked or 'all'}")
        self._fail(verdict.failed, _reason(active.file, status))
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
            except OSError as error:
                self._block([run], DISK_FULL if is_full(error) else f"{run.folder}: {error.strerror}")

    def _block(self, runs: Sequence[Run], reason: str) -> None:
        self.blocked |= {run.hash: reason for run in runs}
        self.view.event(f"refused  {pack_title(runs)} x{len(runs)}: {reason}")

    def _note_end(self, run: Run) -> bool:
        """Whether a run has ended; a failure is reported at once."""
        found = standing(run.folder)
        if found.state not in ENDED:
            return False
        self.ended[run.hash] = found.state
        if found.state != State.DONE:
            which = f"{run.row.env}  {run.label}  seed {run.row.seed}"
            self.view.event(f"{found.state:<8} {which} at step {found.step}: {found.error}  ({run.folder})")
        return True

    # -- stopping ------------------------------------------------------------------------------------------------

    def _handle_stop_requests(self) -> None:
        """Pass requests to stop on to the workers: the first saves, the second kills."""
        if self.home.cancel_request.exists():
            self.home.cancel_request.unlink(missing_ok=True)
            self.stop_requests.append("asked to cancel")
        while self.stop_requests:
            self._stop(self.stop_requests.pop(0))

    def _stop(self, why: str) -> None:
        self.stops_handled += 1
        if self.stops_handled == 1:
            self.view.event(f"{why}: saving {counted(len(self.active), 'pack')} (again to kill them)")
            self._signal(signal.SIGINT)
        else:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for process in [active.process for active in self.active if active.process.poll() is None]:
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)  # its compiler too
            else:
                process.send_signal(number)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """While open, Ctrl-C and SIGTERM are requests to stop."""
        before: dict[signal.Signals, Any] = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda n, _: self.stop_requests.append(signal.Signals(n).name))
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
        lines = [active.watch.look() for active in self.active]
        running, waiting = [line.left for line in lines], sum(p.seconds for p in self.queue)
        left = max([*running, (sum(running) + waiting) / self.workers])
        done = list(self.ended.values()).count(State.DONE)
        failed = len(self.ended) - done + sum(line.failed for line in lines)
        done += sum(line.done for line in lines)
        self.view.show(Summary(self.home.name, self.total, done, failed, len(self.queue), left), lines)


def _launch(file: PackFile) -> subprocess.Popen[bytes]:
    """A worker in a session of its own, so that a Ctrl-C in our terminal reaches it only through us."""
    command = [*WORKER, str(file.path)]
    with open_to_append(file.log) as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | ONE_THREAD | {DRIVER: str(os.getpid())},
            start_new_session=True,
        )


def _reason(file: PackFile, status: int) -> str:
    """Why the run that a process died of, again and again, has failed."""
    if -status == KILL:
        return "a step of its environment took more than step_seconds and could not be interrupted"
    if status < 0:
        return f"its process died {words(status)} while working for this run, again and again"
    return f"its process ended {words(status)} while working for this run, again and again: {_last_line(file)}"


def _last_line(file: PackFile) -> str:
    """The last line that a worker printed."""
    try:
        lines = file.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else f"see {file.log}"
