"""A store of many small finished runs, made in seconds: for what must not take long when there are thousands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from ppo.runs.results import CONFIG, EPISODES, RESULT, UPDATES, seal
from ppo.runs.row import RunRow
from tests.sealed import described

STEPS = 2048
FILES = {
    CONFIG: "# Run\n" + "".join(f"key_{i}: {i / 7}\n" for i in range(60)),
    EPISODES: "step,return,length\n" + "".join(f"{20 * i},{i / 3!r},20\n" for i in range(1, 101)),
    UPDATES: "step,kl,entropy,skipped,steps_per_second\n" + "".join(f"{64 * i},0.01,1.5,0,900\n" for i in range(1, 33)),
}


def rows(count: int) -> Iterator[RunRow]:
    """Runs of ten tasks, ten settings and as many seeds as are needed."""
    for i in range(count):
        env, number, seed = f"Task{i % 10}-v5", i // 10 % 10, i // 100
        setting, run = f"ppo clip epsilon=0.{number}", hashlib.sha256(str(i).encode()).hexdigest()
        folder = f"runs/{env}/ppo-clip-epsilon-0.{number}/seed-{seed}-{run[:12]}"
        yield RunRow(setting, env, setting, f"{number:064x}", seed, run, folder, STEPS)


def write_store(store: Path, count: int, sweep: str = "large") -> list[RunRow]:
    """Write the folders of finished runs, and the sweep that lists them."""
    runs = list(rows(count))
    (store / "one").mkdir(parents=True)
    for name, content in FILES.items():
        (store / "one" / name).write_text(content)
    common = described(store / "one") | {"episodes": 100, "steps": STEPS, "score": 12.5, "seconds": 3.5}
    common |= {"versions": {"torch": "2.13", "numpy": "2.4"}, "pack": ["0" * 64] * 8, "code": {"core": "0" * 8}}
    status = json.dumps({"state": "done", "attempts": 1, "step": STEPS, "total_steps": STEPS, "heartbeat": 1.0})
    for row in runs:
        folder = store / row.folder
        folder.mkdir(parents=True)
        which = {key: getattr(row, key) for key in ("run", "env", "setting", "setting_hash", "seed")}
        for name, content in (*FILES.items(), ("status.json", status), (RESULT, json.dumps(seal(which | common)))):
            (folder / name).write_text(content)
    (store / "sweeps" / sweep).mkdir(parents=True)
    listed = json.dumps({"sweep": sweep, "runs": [row.to_json() for row in runs]})
    (store / "sweeps" / sweep / "runs.json").write_text(listed)
    return runs
