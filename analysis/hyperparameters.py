"""Tables 3 to 5: hyperparameters, read from `conf/`, so that what is printed is what is run (appendix A)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.errors import UserError
from analysis.writers import Table

CONF = Path(__file__).resolve().parent.parent / "conf"
TABLES = {  # table -> file, title, and the paper's rows: words, key, the paper's value
    "table3": (
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
}


def compute(name: str) -> pd.DataFrame:
    """One row per hyperparameter: the paper's words, our key, our value and the paper's; all other keys below."""
    if name not in TABLES:
        raise UserError(f"{name} is not possible yet: conf/ has no configuration for it; allowed: {', '.join(TABLES)}.")
    file, _, paper = TABLES[name]
    content = yaml.safe_load((CONF / file).read_text(encoding="utf-8"))
    values = dict(_leaves(content, ""))
    rows = [(words, key, _shown(values[key]), theirs) for words, key, theirs in paper]
    known = {key for _, key, _ in paper} | {"name"}
    rows += [("", key, _shown(value), "") for key, value in values.items() if key not in known]
    return pd.DataFrame(rows, columns=["hyperparameter", "key", "value", "paper"])


def to_table(name: str) -> Table:
    """The table, with the keys that the paper does not print last."""
    frame = compute(name)
    notes = [f"Read from conf/{TABLES[name][0]}. Rows without words: what the paper leaves open or later codes added."]
    rows = [[str(c) for c in row] for row in frame.itertuples(index=False)]
    return Table(TABLES[name][1], list(frame.columns), rows, notes, frame)


def _leaves(values: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in values.items():
        leaves += _leaves(value, f"{path}{key}.") if isinstance(value, dict) else [(f"{path}{key}", value)]
    return leaves


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)
