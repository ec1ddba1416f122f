"""Stores written by hand, with numbers that can be checked in the head, and the command line to read them with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analysis.__main__ import main
from analysis.errors import UserError

STEPS = 2000
# 20 episodes of 100 steps, the k-th returning k: 10.5 on average, 19.5 in the last tenth of the steps.
EPISODES = [(100 * k, float(k)) for k in range(1, 21)]
UPDATES = "step,kl,entropy,skipped,steps_per_second\n1000,0.25,4.25,1,50\n2000,0.75,3.5,2,100\n"

Entry = dict[str, Any]


def entry(env: str = "Hopper-v5", seed: int = 0, label: str = "Clip", setting: str = "clip") -> Entry:
    """One line of a sweep's list of runs."""
    name = f"{sum(map(ord, env + setting)):07x}{seed}"
    folder = f"runs/{env}/{setting}/seed={seed}-{name}"
    told = {"label": label, "env": env, "setting": setting, "seed": seed}
    return told | {"hash": name, "folder": folder, "goal": STEPS}


def write_list(store: Path, entries: Sequence[Entry], sweep: str = "mine") -> Path:
    """sweeps/<name>/runs.json."""
    path = store / "sweeps" / sweep / "runs.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"sweep": sweep, "runs": list(entries)}))
    return path


def write_state(store: Path, run: Entry, state: str) -> Path:
    """The folder of a run with nothing but a status."""
    folder = store / run["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status.json").write_text(json.dumps({"state": state, "step": 0, "total_steps": STEPS}))
    return folder


def write_done(
    store: Path, run: Entry, score: float | None = 1.0, episodes: Iterable[tuple[int, float]] = EPISODES, **keys: Any
) -> Path:
    """The folder of a finished run: two iterations of 1000 steps, as `UPDATES` says."""
    folder, held = write_state(store, run, "done"), list(episodes)
    rows = "".join(f"{step},{ret!r},100\n" for step, ret in held)
    (folder / "episodes.csv").write_text("step,return,length\n" + rows)
    (folder / "updates.csv").write_text(UPDATES)
    (folder / "config.yaml").write_text(f"seed: {run['seed']}\nsurrogate:\n  name: {run['setting']}\n")
    result = {key: run[key] for key in ("env", "setting", "seed")} | {"run": run["hash"], "score": score}
    result |= {"episodes": len(held), "steps": STEPS, "seconds": 30.5, "code": "0" * 8, "commit": "c" * 40}
    (folder / "result.json").write_text(json.dumps(result | keys))
    return folder


def write_sweep(store: Path, scores: Sequence[float], sweep: str = "mine", **keys: Any) -> list[Entry]:
    """A sweep of finished runs, one seed for each score."""
    entries = [entry(seed=seed, **keys) for seed in range(len(scores))]
    for run, score in zip(entries, scores, strict=True):
        write_done(store, run, score)
    write_list(store, entries, sweep)
    return entries


def write_randoms(store: Path, env: str = "Hopper-v5", *, untrained: float = 0.0, uniform: float = 0.0) -> None:
    """The sweep `random`: one run for each reading of a random policy."""
    entries = [entry(env, 0, name, f"random-{name}") for name in ("untrained", "uniform")]
    for run, score in zip(entries, (untrained, uniform), strict=True):
        write_done(store, run, score)
    write_list(store, entries, "random")


def complaint(call: Any, *arguments: Any) -> str:
    """The one sentence with which a call refuses its arguments."""
    with pytest.raises(UserError) as error:
        call(*arguments)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


class Told(NamedTuple):
    """What a command ended with."""

    status: int
    out: str
    err: str


class Analysis:
    """`python -m analysis` in a folder of its own, where the store is `outputs`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.store = folder, capsys, folder / "outputs"

    def __call__(self, *words: str) -> Told:
        self.capsys.readouterr()
        return Told(main(words), *self.capsys.readouterr())

    def prints(self, *words: str) -> str:
        """What a command prints that must not fail."""
        told = self(*words)
        assert (told.status, told.err) == (0, "")
        return told.out

    def refuses(self, *words: str) -> str:
        """The one line with which a command ends that must not write anything."""
        before = self.files()
        told = self(*words)
        assert (told.status, told.out) == (2, "")
        assert told.err.count("\n") == 1
        assert told.err.endswith(".\n")
        assert self.files() == before
        return told.err.rstrip("\n")

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}


def cells(out: str, start: str) -> list[str]:
    """The cells of the printed row that starts so."""
    (line,) = [line for line in out.splitlines() if line.startswith(start)]
    return line.removeprefix(start).split()
