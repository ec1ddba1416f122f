"""A small finished sweep of four runs, written without training, and what the commands say of it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from analysis.__main__ import main as analysis
from ppo.config.run import to_mapping
from sweeps.__main__ import main as sweeps
from sweeps.home import Home
from sweeps.planning.runs import Run, sweep_runs
from sweeps.planning.spec import load
from tests.attack._limit import limited
from tests.sealed import write_sealed
from tests.sweeps.small import TINY

SECONDS = 30  # after which a command counts as one that hangs
UPDATES = "step,kl,entropy,skipped,steps_per_second\n128,0.25,4.25,0,50\n256,0.75,3.5,0,100\n"
SETTINGS = {"Clip": ["surrogate=clip"], "None": ["surrogate=none"]}
SWEEP = {"grid": {"env": ["hopper"], "seed": [0, 1]}, "settings": SETTINGS}


class Sample(NamedTuple):
    """A store and the sweep file of its runs."""

    store: Path
    file: Path
    runs: list[Run]

    def copied(self, store: Path) -> Sample:
        """The same in a copy of the store."""
        moved = [run._replace(folder=store / run.folder.relative_to(self.store)) for run in self.runs]
        return Sample(store, self.file, moved)


class Said(NamedTuple):
    """What a command came to."""

    status: int | str  # its exit status, or what it raised
    out: str
    err: str


def write_sample(folder: Path) -> Sample:
    """Two settings with two seeds each, done; also published, with packs, a job, a dead driver and a catalogue."""
    store, file = folder / "store", folder / "tiny.yaml"
    file.write_text(json.dumps(SWEEP), encoding="utf-8")
    runs = sweep_runs(load(str(file)), [*TINY, f"outputs={store}"])
    for number, run in enumerate(runs):
        _write_done(run, 10.0 * number)
    home = Home(store, load(str(file)).name)
    (home.path / "packs").mkdir(parents=True)
    home.write_runs([run.row for run in runs])
    home.write_pack(runs)
    home.add_jobs({"1": [runs[0].hash]})
    (home.path / "driver.json").write_text(json.dumps({"pid": 2**22 + 1, "host": "x", "started": 1.0, "command": []}))
    sample = Sample(store, file, runs)
    run_command("status", sample)  # writes the catalogue
    run_command("publish", sample)
    return sample


def _write_done(run: Run, score: float) -> None:
    run.folder.mkdir(parents=True)
    text = yaml.safe_dump(to_mapping(run.config), sort_keys=False)
    (run.folder / "config.yaml").write_text(f"# Run {run.hash}. To train it again: ...\n{text}")
    rows = "".join(f"{20 * i},{score + i % 2 - 0.5},20\n" for i in range(1, 13))
    (run.folder / "episodes.csv").write_text("step,return,length\n" + rows)
    (run.folder / "updates.csv").write_text(UPDATES)
    (run.folder / "log.txt").write_text("attempt 1\n")
    status = {"state": "done", "attempts": 1, "host": "x", "pid": 1, "step": 256, "total_steps": 256, "heartbeat": 1.0}
    (run.folder / "status.json").write_text(json.dumps(status | {"error": None, "slurm": None, "compiled": False}))
    row = run.row
    result: dict[str, Any] = {key: getattr(row, key) for key in ("run", "env", "setting", "setting_hash", "seed")}
    result |= {"suite": "mujoco", "algorithm": "ppo", "surrogate": None, "score": score, "episodes": 12, "steps": 256}
    result |= {"seconds": 5.0, "compiled": False, "code": {"core": "0" * 8}}
    write_sealed(run.folder, result | {"resumes": [], "skipped": 0, "versions": {}, "pack_size": 1, "commit": None})


COMMANDS = {
    "status": ("status", "FILE", "TINY", "--json"),
    "status for a person": ("status", "FILE", "TINY"),
    "plan": ("plan", "FILE", "TINY", "--json"),
    "plan for a person": ("plan", "FILE", "TINY"),
    "ls": ("ls", "--json", "--columns", "run,state,score,env,seed,algorithm.lr"),
    "ls for a person": ("ls",),
    "logs": ("logs", "RUN"),
    "verify": ("verify",),
    "cancel": ("cancel", "FILE", "TINY"),
    "table1": ("table1", "--by-task", "--json", "--sweep", "FILE"),
    "scores": ("scores", "--json", "--sweep", "FILE"),
    "publish": ("publish", "FILE", "--out", "OUT"),
}


def run_command(name: str, sample: Sample) -> Said:
    """Run one of `COMMANDS` in this process; what it raises, and that it hangs, is told in place of its status."""
    stands_for = {"FILE": [str(sample.file)], "TINY": TINY, "RUN": [sample.runs[0].hash],
                  "OUT": [str(sample.store / "published")]}  # fmt: skip
    words = [word for one in COMMANDS[name] for word in stands_for.get(one, [one])] + [f"outputs={sample.store}"]
    out, err = io.StringIO(), io.StringIO()
    main = analysis if COMMANDS[name][0] in ("table1", "scores", "publish") else sweeps
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), limited(SECONDS):
        try:
            status: int | str = int(main(words))
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException as error:
            status = f"{type(error).__name__}: {error}"[:200]
    return Said(status, out.getvalue(), err.getvalue())
