"""Tables 3 to 5: hyperparameters, read from `conf/`, so that what is printed is what is run (appendix A)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
import yaml

from analysis.errors import UserError
from analysis.writers import Table

CONF = Path(__file__).resolve().parents[2] / "conf"
SURROGATE = "surrogate/clip.yaml"


class Printed(NamedTuple):
    """A table of the paper's appendix A, and where its values are."""

    file: str  # in conf/
    title: str
    rows: list[tuple[str, str, str]]  # the paper's words, our keys, the paper's value
    notes: tuple[str, ...] = ()
    given: Mapping[str, str] = MappingProxyType({})  # what `file` cannot say and the command line must


NOT_YET = "conf/ has {} yet: what can be run are these hyperparameters on any task with a flat Box observation."
TABLES = {
    "table3": Printed(
        "algorithm/ppo.yaml",
        "Table 3: PPO hyperparameters, MuJoCo 1 million timesteps",
        [
            ("Horizon (T)", "horizon", "2048"),
            ("Adam stepsize", "lr", "3e-4"),
            ("Num. epochs", "epochs", "10"),
            ("Minibatch size", "minibatch_size", "64"),
            ("Discount (gamma)", "gamma", "0.99"),
            ("GAE parameter (lambda)", "lam", "0.95"),
        ],
    ),
    "table4": Printed(
        "algorithm/ppo_roboschool.yaml",
        "Table 4: PPO hyperparameters, Roboschool",
        [
            ("Horizon (T)", "horizon", "512"),
            ("Adam stepsize", "lr, lr_schedule, lr_kl_target", "* (by the KL divergence)"),
            ("Num. epochs", "epochs", "15"),
            ("Minibatch size", "minibatch_size", "4096"),
            ("Discount (gamma)", "gamma", "0.99"),
            ("GAE parameter (lambda)", "lam", "0.95"),
            ("Number of actors", "num_actors", "32 (locomotion), 128 (flagrun)"),
            (
                "Log stdev. of action distribution",
                "network.log_std, network.log_std_final",
                "LinearAnneal(-0.7, -1.6)",
            ),
        ],
        (
            "*: adjusted based on the target value of the KL divergence, which the paper does not print, nor the rule.",
            "Run them with: python -m ppo algorithm=ppo_roboschool; for flagrun algorithm.num_actors=128 too.",
            NOT_YET.format("no task of Roboschool"),
        ),
    ),
    "table5": Printed(
        "algorithm/ppo_atari.yaml",
        "Table 5: PPO hyperparameters, Atari",
        [
            ("Horizon (T)", "horizon", "128"),
            ("Adam stepsize", "lr, lr_schedule", "2.5e-4 x alpha"),
            ("Num. epochs", "epochs", "3"),
            ("Minibatch size", "minibatch_size", "32 x 8"),
            ("Discount (gamma)", "gamma", "0.99"),
            ("GAE parameter (lambda)", "lam", "0.95"),
            ("Number of actors", "num_actors", "8"),
            ("Clipping parameter epsilon", "surrogate.epsilon, epsilon_schedule", "0.1 x alpha"),
            ("VF coeff. c1 (9)", "c1", "1"),
            ("Entropy coeff. c2 (9)", "c2", "0.01"),
        ],
        (
            "alpha is linearly annealed from 1 to 0 over the course of learning, which is total_steps.",
            "Run them with: python -m ppo algorithm=ppo_atari surrogate=clip surrogate.epsilon=0.1",
            NOT_YET.format("neither an Atari game nor a network for images"),
        ),
        {"surrogate.epsilon": "0.1"},
    ),
}


def compute(name: str) -> pd.DataFrame:
    """One row per hyperparameter: the paper's words, our keys, our values and the paper's; all other keys below."""
    table = _table(name)
    values = _values(_parts(table.file))
    own = [key for key in values if key != "name"]
    values |= {key: f"{value} if given (else {_ungiven(key)})" for key, value in table.given.items()}
    rows = [(words, keys, ", ".join(values[key] for key in _split(keys)), paper) for words, keys, paper in table.rows]
    known = {key for _, keys, _ in table.rows for key in _split(keys)}
    rows += [("", key, values[key], "") for key in own if key not in known]
    return pd.DataFrame(rows, columns=["hyperparameter", "key", "value", "paper"])


def to_table(name: str) -> Table:
    """The table, with the keys that the paper does not print last."""
    frame, table = compute(name), _table(name)
    files = " over ".join(f"conf/{file}" for file, _ in reversed(_parts(table.file)))
    notes = [f"Read from {files}. Rows without words: what the paper leaves open or later codes added."]
    notes += [f"{k}={v} must be given: conf/{SURROGATE} says {_ungiven(k)}." for k, v in table.given.items()]
    rows = [[str(c) for c in row] for row in frame.itertuples(index=False)]
    return Table(table.title, list(frame.columns), rows, [*notes, *table.notes], frame)


def _table(name: str) -> Printed:
    if name not in TABLES:
        raise UserError(f"{name} is not possible yet: conf/ has no configuration for it; allowed: {', '.join(TABLES)}.")
    return TABLES[name]


def _ungiven(key: str) -> str:
    """The value of a key of the surrogate that the command line does not give."""
    return _values(_parts(SURROGATE))[key.removeprefix("surrogate.")]


def _split(keys: str) -> list[str]:
    return keys.split(", ")


def _parts(file: str) -> list[tuple[str, dict[str, Any]]]:
    """A file of `conf/` and those that its `defaults` name, each over the ones before it, as Hydra composes them.

    Scalars are texts, as they are spelled there.
    """
    content = yaml.load((CONF / file).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    names = content.pop("defaults", [])
    parts: list[tuple[str, dict[str, Any]]] = []
    for name in names if "_self_" in names else [*names, "_self_"]:
        parts += [(file, content)] if name == "_self_" else _parts(str(Path(file).with_name(f"{name}.yaml")))
    return parts


def _values(parts: list[tuple[str, dict[str, Any]]]) -> dict[str, str]:
    """Dotted keys and what is shown of their values."""
    return {key: _shown(value) for key, value in _leaves(reduce(_merged, (content for _, content in parts)), "")}


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _merged(below[key], value) if both else value
    return merged


def _leaves(values: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in values.items():
        leaves += _leaves(value, f"{path}{key}.") if isinstance(value, dict) else [(f"{path}{key}", value)]
    return leaves


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return {"null": "none", "true": "yes", "false": "no"}.get(value, value)
