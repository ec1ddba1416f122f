"""Stores written by hand, with numbers that can be checked in the head, and the command line to read them with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from analysis.__main__ import main
from analysis.store import Runs, load_sweep
from ppo.errors import UserError
from ppo.runs.row import RunRow
from tests.sealed import write_sealed

STEPS = 2000
# 20 episodes of 100 steps, the k-th returning k: 10.5 on average, 19.5 in the last tenth of the steps.
EPISODES = [(100 * k, float(k)) for k in range(1, 21)]
UPDATES = "step,kl,entropy,skipped,steps_per_second\n1000,0.25,4.25,1,50\n2000,0.75,3.5,2,100\n"


def digest(*words: object) -> str:
    """64 hex digits that depend on some words."""
    return hashlib.sha256(repr(words).encode()).hexdigest()


def entry(env: str = "Hopper-v5", seed: int = 0, label: str = "Clip", setting: str = "clip") -> RunRow:
    """One line of a sweep's list of runs."""
    run = digest(env, setting, seed)
    folder = f"runs/{env}/{setting.replace(' ', '-')}/seed-{seed}-{run[:12]}"
    return RunRow(label, env, setting, digest(setting), seed, run, folder, STEPS)


def write_list(store: Path, entries: Sequence[RunRow], sweep: str = "mine") -> Path:
    """sweeps/<name>/runs.json."""
    path = store / "sweeps" / sweep / "runs.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"sweep": sweep, "runs": [run.to_json() for run in entries]}))
    return path


def write_state(store: Path, run: RunRow, state: str) -> Path:
    """The folder of a run with nothing but a status."""
    folder = store / run.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status.json").write_text(json.dumps({"state": state, "step": 0, "total_steps": STEPS}))
    return folder


def config_of(run: RunRow, algorithm: str = "ppo", suite: str = "mujoco", **keys: Any) -> dict[str, Any]:
    """What its config.yaml says."""
    env = {"suite": suite, "id": run.env, "time_limit": None}
    values = {"env": env, "algorithm": {"name": algorithm, "lr": 0.0003, **keys}, "network": {"hidden": [64, 64]}}
    return values | {"seed": run.seed, "total_steps": STEPS, "outputs": "outputs", "run_dir": None}


def write_done(
    store: Path,
    run: RunRow,
    score: float | None = 1.0,
    episodes: Iterable[tuple[int, float]] = EPISODES,
    config: dict[str, Any] | None = None,
    **keys: Any,
) -> Path:
    """The folder of a finished run: two iterations of 1000 steps, as `UPDATES` says."""
    folder, finished, config = write_state(store, run, "done"), list(episodes), config or config_of(run)
    rows = "".join(f"{step},{ret!r},100\n" for step, ret in finished)
    (folder / "episodes.csv").write_text("step,return,length\n" + rows)
    (folder / "updates.csv").write_text(UPDATES)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = {key: getattr(run, key) for key in ("run", "env", "setting", "setting_hash", "seed")} | {"score": score}
    result |= {"suite": config["env"]["suite"], "algorithm": config["algorithm"]["name"], "surrogate": None}
    result |= {"episodes": len(finished), "steps": STEPS, "seconds": 30.5, "pack_size": 1, "compiled": False}
    result |= {"code": {"core": "0" * 8}, "commit": "c" * 40}
    write_sealed(folder, result | keys)
    return folder


def write_sweep(store: Path, scores: Sequence[float], sweep: str = "mine", **keys: Any) -> list[RunRow]:
    """A sweep of finished runs, one seed for each score."""
    entries = [entry(seed=seed, **keys) for seed in range(len(scores))]
    for run, score in zip(entries, scores, strict=True):
        write_done(store, run, score)
    write_list(store, entries, sweep)
    return entries


def write_randoms(
    store: Path, env: str = "Hopper-v5", *, untrained: float = 0.0, uniform: float = 0.0, sweep: str | None = "random"
) -> None:
    """One run for each reading of a random policy, and the sweep that lists them."""
    entries = [entry(env, 0, name, f"random {name}") for name in ("untrained", "uniform")]
    for run, score, policy in zip(entries, (untrained, uniform), ("untrained", "uniform"), strict=True):
        write_done(store, run, score, config=config_of(run, "random", policy=policy))
    if sweep is not None:
        write_list(store, entries, sweep)


def load(store: Path, sweep: str = "mine") -> Runs:
    """A sweep that a store must have."""
    runs = load_sweep(sweep, store)
    assert runs is not None
    return runs


def complaint(call: Any, *arguments: Any) -> str:
    """The one sentence with which a call refuses its arguments."""
    with pytest.raises(UserError) as error:
        call(*arguments)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


class Answer(NamedTuple):
    """What a command ended with."""

    status: int
    out: str
    err: str


class Analysis:
    """`ppo-analysis` in a folder of its own, where the store is `outputs`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.store = folder, capsys, folder / "outputs"

    def __call__(self, *words: str) -> Answer:
        self.capsys.readouterr()
        return Answer(main(words), *self.capsys.readouterr())

    def prints(self, *words: str) -> str:
        """What a command prints that must not fail."""
        answer = self(*words)
        assert (answer.status, answer.err) == (0, "")
        return answer.out

    def refuses(self, *words: str) -> str:
        """The one line with which a command ends that must not write anything."""
        before = self.files()
        answer = self(*words)
        assert (answer.status, answer.out) == (2, "")
        assert answer.err.count("\n") == 1
        assert answer.err.endswith((".\n", "?\n"))
        assert self.files() == before
        return answer.err.rstrip("\n")

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}


def cells(out: str, start: str) -> list[str]:
    """The cells of the printed row that starts so."""
    (line,) = [line for line in out.splitlines() if line.startswith(start)]
    return line.removeprefix(start).split()
