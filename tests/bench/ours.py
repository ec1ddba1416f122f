"""A pack of ours to be measured: `python -m tests.bench.ours TASK ALGORITHM SIZE OUTPUTS`, started by program.py.

It does what `ppo -m ...` does: composes its runs, opens their folders, trains and records them.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from ppo.config.compose import compose
from ppo.config.run import Config

TABLE_1 = [
    ["surrogate=none"],
    *(["surrogate=clip", f"surrogate.epsilon={v}"] for v in (0.1, 0.2, 0.3)),
    *(["surrogate=kl_adaptive", f"surrogate.d_targ={v}"] for v in (0.003, 0.01, 0.03)),
    *(["surrogate=kl_fixed", f"surrogate.beta={v}"] for v in (0.3, 1, 3, 10)),
]
DEFAULTS: list[list[str]] = [[]]  # of PPO: clipping with epsilon = 0.2


def configs(task: str, algorithm: str, size: int, outputs: str) -> list[Config]:
    """A pack of one setting, seeds from 0; 33 runs of PPO are every setting of Table 1 with three seeds."""
    execution = [f"env={task}", "compile=true", f"outputs={outputs}", "checkpoint_seconds=1e9"]
    settings = TABLE_1 if (algorithm, size) == ("ppo", 33) else DEFAULTS
    seeds = range(size // len(settings))
    return [
        compose([*execution, f"algorithm={algorithm}", *setting, f"seed={seed}"])
        for setting in settings
        for seed in seeds
    ]


class Measured:
    """A session with clocks around its parts, advancing as its gate says."""

    def __init__(self, runs: list[Config]) -> None:
        from ppo.runs.folder import RunFolder
        from ppo.runs.member import Member, Outcome
        from ppo.runs.store import folder_of
        from ppo.session import Session
        from tests.bench.gate import Gate
        from tests.bench.probe import Probe

        self.gate = Gate(lambda: 0)
        paths = [folder_of(config) for config in runs]
        folders = [RunFolder(path, config) for path, config in zip(paths, runs, strict=True)]
        for folder in folders:
            folder.check()
            folder.open(compiled=True)
        outcomes = [Outcome(config, path) for path, config in zip(paths, runs, strict=True)]
        self.session = Session([Member(o, f, compiled=True) for o, f in zip(outcomes, folders, strict=True)])
        pack: Any = self.session.pack
        self.gate.taken = lambda: int(pack.steps.sum())
        self.pack, self.probe = pack, Probe(pack)
        self.iterate, self.collect = pack.iterate, pack.collector.collect
        pack.iterate, pack.collector.collect = self._iterate, self._collect
        self.rollouts: list[Any] = []  # of the first iteration of a measurement
        self.catching = False
        self.replay: Any = None
        self.gate.on_start, self.gate.on_end = self._start, self._end

    def run(self) -> None:
        """Train until the gate says stop; the last reply is what saving everything took."""
        from ppo.session import Interrupted

        try:
            self.session.run(self.gate)
        except Interrupted:
            self.gate.reply(checkpoint=time.perf_counter() - self.gate.last)

    def _iterate(self) -> Any:
        iteration = self.iterate()
        self.catching = False
        return iteration

    def _collect(self, *arguments: Any, **named: Any) -> Any:
        rollout = self.collect(*arguments, **named)
        if self.catching:
            self.rollouts.append(rollout)
        return rollout

    def _start(self, replay: bool) -> None:
        from tests.bench.bare import Replay

        self.rollouts, self.catching = [], replay
        self.replay = Replay(self.pack) if replay else None
        self.probe.reset()

    def _end(self) -> dict[str, Any]:
        clocks = self.probe.clocks
        firsts = {"first_step": clocks["step"].first_end, "first_update": clocks["update"].first_end}
        if self.replay is None:
            return firsts
        parts = self.probe.parts(sum(self.gate.seconds))
        return {"parts": parts, "bare": self.replay.run(self.rollouts)._asdict()}


def main(task: str, algorithm: str, size: str, outputs: str) -> None:
    """Compose, build, train."""
    runs = configs(task, algorithm, int(size), outputs)
    import torch  # after composing, as the command line does

    torch.set_num_threads(1)
    Measured(runs).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
