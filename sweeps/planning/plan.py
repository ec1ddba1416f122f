"""What would be trained, before anything starts: every run composed and looked up, packs, hours, disk."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ppo.config.run import Config
from ppo.data import Space
from ppo.envs.memory import check_memory
from ppo.runs.provenance import code_hashes
from ppo.runs.results import RESULT
from ppo.runs.states import TO_RETRY, TO_TRAIN, Standing, State, standing
from sweeps.launching.launchers import Launcher, Slurm
from sweeps.launching.scheduler import Scheduler
from sweeps.planning.packing import Pace, PlannedPack, cut, make_pack, makespan
from sweeps.planning.runs import Run
from sweeps.planning.speeds import Speeds, speeds

TABLE_BYTES = 240_000  # by `du`, of the tables of a finished run of 1M steps
SAVED_BYTES = 28  # of a weight: with Adam's two moments in each of two checkpoints, and once in the policy
SPACES = {"vectors": Space((11,), np.dtype(np.float64)), "frames": Space((84, 84, 4), np.dtype(np.uint8))}  # usual ones
OTHER_BYTES = 60_000  # of a run: simulators in the checkpoints, small files


class Plan(NamedTuple):
    """A sweep's runs, their standings, and packs of those to be trained."""

    name: str
    runs: list[Run]
    standings: dict[str, Standing]  # by run hash
    packs: list[PlannedPack]
    workers: int
    speeds: Speeds

    def state(self, run: Run) -> State:
        """The state of a run."""
        return self.standings[run.hash].state

    def of(self, *states: State) -> list[Run]:
        """The runs in some states."""
        return [run for run in self.runs if self.state(run) in states]

    @property
    def other_code(self) -> list[Run]:
        """Finished runs that a different version of the code that they use has trained."""
        return [r for r in self.of(State.DONE) if is_other_code(r.config, self.standings[r.hash].result)]

    @property
    def begun_by_other_code(self) -> list[Run]:
        """Interrupted runs that a different version of the code that they use has begun."""
        begun = [(run, self.standings[run.hash].status) for run in self.of(State.PLANNED, State.LOST, State.UNKNOWN)]
        return [run for run, status in begun if status.get("code") and is_other_code(run.config, status)]

    @property
    def seconds(self) -> float:
        """Estimated wall time."""
        return makespan(self.packs, self.workers)

    @property
    def counts(self) -> Counter[State]:
        """Runs by state."""
        return Counter(self.state(run) for run in self.runs)


def is_other_code(config: Config, result: Mapping[str, Any]) -> bool:
    """Whether any part of the code that a run uses differs from that of its result."""
    recorded = result.get("code")
    if not isinstance(recorded, Mapping):
        return True
    return any(recorded.get(part) != code for part, code in code_hashes(config).items())


def check_fit(runs: Sequence[Run], launcher: Launcher) -> None:
    """UserError if a run that has no result yet needs more memory than there is where it would be trained."""
    available = round(launcher.memory_gb * 1e9) if isinstance(launcher, Slurm) else None
    check_memory([run.config for run in runs if not (run.folder / RESULT).exists()], available)


def make_plan(
    name: str,
    runs: Sequence[Run],
    launcher: Launcher,
    scheduler: Scheduler,
    *,
    retry: bool = False,
    leave: Container[str] = (),
) -> Plan:
    """Look at every run's folder and cut what is to be trained into packs; starts nothing.

    `retry`: train failed and damaged runs too, and silent ones on machines that cannot be asked; `leave`: which not to.
    """
    standings = {run.hash: scheduler.refine(run.hash, standing(run.folder)) for run in runs}
    known_speeds = speeds((run.config, s.result) for run in runs if (s := standings[run.hash]).result)
    states = (*TO_TRAIN, *TO_RETRY) if retry else TO_TRAIN
    todo = [run for run in runs if standings[run.hash].state in states and run.hash not in leave]
    most = None if launcher.pack_size == "auto" else int(launcher.pack_size)
    taken = {run.hash: standings[run.hash].step for run in todo}
    pace = Pace(known_speeds, taken)
    # Nobody watches a job. A run whose process has died twice may be what kills it: its mates go on without it.
    alone = [run for run in todo if isinstance(launcher, Slurm) and _died_twice(standings[run.hash])]
    packs = cut([run for run in todo if run not in alone], workers=launcher.most_workers, most=most, pace=pace)
    packs += [make_pack([run], pace) for run in alone]
    return Plan(name, list(runs), standings, packs, launcher.most_workers, known_speeds)


def _died_twice(found: Standing) -> bool:
    return found.state == State.LOST and (found.status.get("attempts") or 0) >= 2


def to_json(plan: Plan, outputs: Path) -> dict[str, Any]:
    """The plan for programs; times in seconds, sizes in bytes."""
    return {
        "sweep": plan.name,
        "outputs": str(outputs),
        "counts": {str(state): count for state, count in sorted(plan.counts.items())},
        "other_code": [run.hash for run in plan.other_code],
        "begun_by_other_code": [run.hash for run in plan.begun_by_other_code],
        "runs": [run.row.to_json() | facts(plan.standings[run.hash]) for run in plan.runs],
        "packs": [{"runs": [r.hash for r in p.runs], "seconds": round(p.seconds, 1)} for p in plan.packs],
        "workers": plan.workers,
        "estimate": {"seconds": round(plan.seconds, 1), "source": plan.speeds.source},
        "disk": {"needed": disk_needed(plan), "free": disk_free(outputs)},
    }


def facts(standing: Standing) -> dict[str, Any]:
    """What a run has come to so far, for programs."""
    score = standing.result.get("score")
    return {"state": str(standing.state), "step": standing.step, "score": score, "error": standing.error}


def disk_needed(plan: Plan) -> int:
    """Bytes that the runs to be trained will take, roughly."""
    return sum(_bytes(run.config) for pack in plan.packs for run in pack.runs)


def _bytes(config: Config) -> int:
    network = config.network
    weights = network.weights(SPACES[network.takes or "vectors"]) * (1 if network.shared else 2)
    return round(OTHER_BYTES + SAVED_BYTES * weights + TABLE_BYTES * config.total_steps / 1e6)


def disk_free(outputs: Path) -> int:
    """Bytes free where the store is, or would be."""
    folder = outputs.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
