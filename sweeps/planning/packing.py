"""Cutting packs: runs with one pack key together, sized so that every worker stays busy, longest first."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ppo.config.identity import pack_key
from sweeps.planning.runs import Run
from sweeps.planning.speeds import Speeds

LARGEST = 33  # runs; measured: beyond this a pack gains nothing more per step


class PlannedPack(NamedTuple):
    """Runs to be trained together, and an estimate of how long that takes."""

    runs: list[Run]
    seconds: float


class Pace(NamedTuple):
    """What an estimate is made of."""

    speeds: Speeds
    taken: Mapping[str, int] = {}  # run hash -> environment steps that a checkpoint already has


def cut(runs: Sequence[Run], *, workers: int, most: int | None, pace: Pace) -> list[PlannedPack]:
    """Packs of `most` runs at most (None: as large as keeps all workers busy), longest first."""
    groups: dict[str, list[Run]] = defaultdict(list)
    keys: dict[tuple[object, ...], str] = {}  # runs of a setting on a task differ in their seeds only: one key
    for run in runs:
        same = (run.row.setting_hash, run.config.env, run.config.execution)
        if same not in keys:
            keys[same] = pack_key(run.config)
        groups[keys[same]].append(run)
    packs = [pack for group in groups.values() for pack in _even(group, most or _largest(group[0]), pace)]
    if most is None:
        packs = _split_while_it_helps(packs, workers, pace)
    return sorted(packs, key=lambda p: p.seconds, reverse=True)


def _largest(run: Run) -> int:
    """Runs of a pack at most; where a CPU calls lane after lane a pack gains nothing, and a death costs more runs."""
    config = run.config
    return 1 if config.network.mapped == "loop" and config.execution.device == "cpu" else LARGEST


def makespan(packs: Sequence[PlannedPack], workers: int) -> float:
    """Seconds until the last worker is done, if each takes the longest pack that is left."""
    ends = [0.0] * max(workers, 1)
    for pack in sorted(packs, key=lambda p: p.seconds, reverse=True):
        heapq.heappush(ends, heapq.heappop(ends) + pack.seconds)
    return max(ends)


def make_pack(runs: Sequence[Run], pace: Pace) -> PlannedPack:
    """A pack with its estimate: the time of the run with the most steps left."""
    steps = max(r.row.goal - pace.taken.get(r.hash, 0) for r in runs)
    return PlannedPack(list(runs), pace.speeds.seconds(runs[0].config, len(runs), steps))


def _even(runs: Sequence[Run], most: int, pace: Pace) -> list[PlannedPack]:
    """As few packs as `most` allows, of even sizes."""
    count = math.ceil(len(runs) / most)
    edges = [round(i * len(runs) / count) for i in range(count + 1)]
    return [make_pack(runs[a:b], pace) for a, b in itertools.pairwise(edges)]


def _split_while_it_helps(packs: list[PlannedPack], workers: int, pace: Pace) -> list[PlannedPack]:
    """Halve the longest packs for as long as the sweep ends earlier by at least a hundredth."""
    best = makespan(packs, workers)
    while True:
        whole = max((p for p in packs if len(p.runs) > 1), key=lambda p: p.seconds, default=None)
        if whole is None:
            return packs
        halved = [p for p in packs if p is not whole] + _even(whole.runs, math.ceil(len(whole.runs) / 2), pace)
        # One more cut may be needed before anything is gained: two packs on two workers, three tasks on two.
        further = [p for pack in packs for p in _even(pack.runs, math.ceil(len(pack.runs) / 2), pace)]
        options = [(makespan(option, workers), i, option) for i, option in enumerate((halved, further))]
        seconds, _, chosen = min(options)
        if seconds > 0.99 * best:
            return packs
        best, packs = seconds, chosen
