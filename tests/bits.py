"""What a refactoring must not change: sha256 of the tables of many short runs, written down before and after.

    python -m tests.bits record before.json [GROUP ...]     groups: all, eager, compiled, or names; takes minutes
    python -m tests.bits compare before.json after.json

Bits depend on the machine and on the versions of its libraries, so both files come from one machine.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ppo.config.compose import compose
from ppo.train import Interrupted, Outcome, train

Runs = list[list[str]]

SURROGATES = [
    ["surrogate=clip"],
    ["surrogate=none"],
    ["surrogate=kl_fixed", "surrogate.beta=10"],
    ["surrogate=kl_adaptive"],
    ["surrogate=clip_log"],
    ["surrogate=clip_log", "surrogate.reading=objective"],
    ["surrogate=clip", "surrogate.epsilon=0.1", "algorithm.lr=1e-3"],
    ["surrogate=clip", "algorithm.gamma=0.9", "algorithm.lam=0.5"],
    ["surrogate=kl_fixed", "surrogate.beta=0.3", "algorithm.lr_schedule=linear"],
    ["surrogate=clip", "surrogate.epsilon=0.3", "algorithm.epsilon_schedule=linear"],
    ["surrogate=kl_adaptive", "surrogate.d_targ=0.03"],
]
PPO = ["env=hopper", "algorithm.horizon=512", "algorithm.epochs=3", "total_steps=3072"]
VARIANTS = {  # keys of PPO that the surrogates leave at their usual values
    "extras": ["env=inverted_pendulum", "algorithm.num_actors=2", "algorithm.normalize_adv=minibatch",
               "algorithm.value_clip=0.2", "algorithm.max_grad_norm=0.5", "algorithm.normalize_reward=true",
               "algorithm.time_limit=bootstrap", "algorithm.horizon=256", "algorithm.epochs=3", "total_steps=3072"],
    "shared": ["env=reacher", "network.hidden=[33]", "network.shared=true", "algorithm.log_std=-1",
               "algorithm.minibatch_size=16", "algorithm.horizon=256", "algorithm.epochs=2", "total_steps=2048"],
    "table4": ["env=hopper", "network.hidden=[32,16]", "network.activation=relu", "algorithm.log_std=-0.7",
               "algorithm.log_std_final=-1.6", "algorithm.lr_schedule=kl", "algorithm.lr_kl_target=0.01",
               "algorithm.normalize_obs=false", "algorithm.horizon=512", "algorithm.epochs=3", "total_steps=3072"],
    "discrete": ["env=gymnasium", "env.id=CartPole-v1", *PPO[1:]],
}  # fmt: skip
FRAMES = {  # never compiled
    "atari-ppo": ["experiment=table5", "env=atari", "env.id=breakout", "algorithm.horizon=32",
                  "algorithm.minibatch_size=64", "total_steps=1024"],
    "atari-a2c": ["experiment=a2c_atari", "env=atari", "env.id=qbert", "network=nature_cnn",
                  "network.precision=bfloat16", "algorithm.updates=4", "total_steps=960"],
}  # fmt: skip
OTHERS = {
    "trpo": (["algorithm=trpo", "algorithm.horizon=512", "algorithm.value_epochs=2", "total_steps=2560"],
             [[], ["algorithm.train_log_std=false", "algorithm.kl_slack=0.2"], ["algorithm.max_kl=0.05"]]),
    "vpg": (["algorithm=vpg", "algorithm.batch_steps=500", "algorithm.num_actors=2", "total_steps=3000"],
            [[], ["algorithm.lr=5e-3"], ["algorithm.gamma=0.9", "algorithm.value_lr=0.01"]]),
    "a2c": (["algorithm=a2c", "algorithm.num_actors=4", "algorithm.updates=10", "total_steps=2000"],
            [[], ["algorithm.trust_region=1e-4"], ["algorithm.lr_schedule=constant", "algorithm.c2=0.01"]]),
    "cem": (["algorithm=cem", "algorithm.num_actors=5", "total_steps=2000"],
            [[], ["algorithm.elite_fraction=0.5"], ["algorithm.extra_std=0.5"]]),
    "random": (["algorithm=random", "algorithm.horizon=512", "total_steps=2048"], [[]]),
    "uniform": (["algorithm=random", "algorithm.policy=uniform", "algorithm.horizon=512", "total_steps=2048"], [[]]),
}  # fmt: skip


def pack(size: int, settings: Sequence[Sequence[str]], common: Sequence[str], *, compiled: bool) -> Runs:
    """The settings by turns, each round with another seed."""
    mode = f"compile={str(compiled).lower()}"
    return [[*common, *settings[i % len(settings)], f"seed={i // len(settings)}", mode] for i in range(size)]


def groups() -> dict[str, Runs]:
    """Packs by name: -c is compiled, -r interrupted and resumed; the number is the pack's size."""
    found = {f"ppo-{n}": pack(n, SURROGATES, PPO, compiled=False) for n in (1, 3, 11, 33)}
    found |= {f"ppo-c{n}": pack(n, SURROGATES, PPO, compiled=True) for n in (1, 3, 11)}
    found |= {f"ppo-r{c}": pack(3, SURROGATES, PPO, compiled=bool(c)) for c in ("", "c")}
    for name, common in VARIANTS.items():
        found |= {f"{name}-{n}": pack(n, [[]], common, compiled=False) for n in (1, 3)}
        found[f"{name}-c3"] = pack(3, [[]], common, compiled=True)
    for name, common in FRAMES.items():
        found |= {f"{name}-{n}": pack(n, [[]], common, compiled=False) for n in (1, 3)}
    for name, (common, settings) in OTHERS.items():
        found |= {f"{name}-{n}": pack(n, settings, ["env=hopper", *common], compiled=False) for n in (1, 3, 11)}
        found[f"{name}-r"] = pack(3, settings, ["env=hopper", *common], compiled=False)
        if name in ("trpo", "vpg", "a2c"):
            found[f"{name}-c3"] = pack(3, settings, ["env=hopper", *common], compiled=True)
    return found


def digests(outcome: Outcome) -> dict[str, str]:
    """Of a run's episodes, and of every column of its updates but the speed, which is the machine's."""
    if outcome.error is not None:
        return {"error": outcome.error}
    found = {"episodes": _digest((outcome.folder / "episodes.csv").read_bytes())}
    with (outcome.folder / "updates.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name != "steps_per_second"]
    return found | {name: _digest("\n".join(row[name] for row in rows).encode()) for name in columns}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def record(path: Path, names: Sequence[str]) -> None:
    """Train groups and write down what they come to, after each of them."""
    known = groups()
    sets: dict[str, Callable[[str], bool]] = {
        "all": lambda _: True, "eager": lambda n: "-c" not in n, "compiled": lambda n: "-c" in n,
    }  # fmt: skip
    chosen = [n for n in known if any(sets.get(name, name.__eq__)(n) for name in names or ["all"])]
    found: dict[str, dict[str, str]] = {}
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            configs = [compose([*run, f"outputs={folder}"]) for run in known[name]]
            if "-r" in name:
                asked = iter(range(1000))
                try:
                    train(configs, stop=lambda asked=asked: next(asked) >= 2)
                except Interrupted:
                    print(f"{name}: interrupted")
            found |= {f"{name}/{i}": digests(outcome) for i, outcome in enumerate(train(configs))}
        print(f"{name}: {len(configs)} runs", flush=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def compare(before: Path, after: Path) -> int:
    """Print what differs between the runs and columns that both files have; returns the exit status."""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (before, after))
    both = [run for run in old if run in new]
    differing = {run: [k for k in old[run] if k in new[run] and old[run][k] != new[run][k]] for run in both}
    for run, columns in differing.items():
        if columns:
            print(f"{run}: {', '.join(columns)}")
    count = sum(map(bool, differing.values()))
    print(f"{len(both)} runs compared, {count} differ")
    return int(count > 0 or not both)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", path, *names]:
            record(Path(path), names)
        case ["compare", before, after]:
            sys.exit(compare(Path(before), Path(after)))
        case _:
            sys.exit(__doc__)
