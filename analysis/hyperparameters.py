"""Hyperparameters: those of the paper's appendix A beside ours, and those of the runs that are shown."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from analysis.grouping import by_label
from analysis.store import Runs
from analysis.writers import Table
from ppo.config.flatten import flatten
from ppo.config.run import EXECUTION_KEYS
from ppo.errors import shown
from ppo.runs.states import State

SHOWN = ("algorithm", "network", "surrogate", "total_steps")  # parts of a config that a table of the paper describes
NOT_OF_A_SETTING = {"env.suite", "env.id", "seed"}
ABSENT = "-"


class Appendix(NamedTuple):
    """A table of the paper's appendix A."""

    experiment: str  # in conf/experiment/
    title: str
    rows: list[tuple[str, str, str]]  # the paper's words, our keys, the paper's value
    notes: tuple[str, ...] = ()


# -- the paper's -------------------------------------------------------------------------------------------------------


def compute(appendix: Appendix) -> pd.DataFrame:
    """One row per hyperparameter: the paper's words, our keys, our values and the paper's; then all other keys."""
    from ppo.config.compose import compose  # Hydra: no other table needs it
    from ppo.config.run import to_mapping

    mapping = to_mapping(compose([f"experiment={appendix.experiment}"]))
    values = {key: shown(value) for key, value in flatten({k: mapping[k] for k in SHOWN if k in mapping}).items()}
    rows = [(words, keys, ", ".join(values.pop(k) for k in keys.split(", ")), p) for words, keys, p in appendix.rows]
    rows += [("", key, value, "") for key, value in values.items()]
    return pd.DataFrame(rows, columns=["hyperparameter", "key", "value", "paper"])


def to_table(appendix: Appendix) -> Table:
    """The table; keys that the paper does not print come last."""
    frame, name = compute(appendix), appendix.experiment
    notes = [
        f"From conf/experiment/{name}.yaml, as composed: ppo experiment={name} trains with these values.",
        "Rows without a name: what the paper leaves open or later codes added.",
        *appendix.notes,
    ]
    rows = [[str(cell) for cell in row] for row in frame.itertuples(index=False)]
    return Table(appendix.title, list(frame.columns), rows, notes, frame)


# -- of runs -----------------------------------------------------------------------------------------------------------


def of_runs(runs: Runs) -> list[Table]:
    """The hyperparameters of some runs: those that all settings share, then those in which settings differ."""
    frame = by_setting(runs)
    same = frame.columns[frame.nunique() == 1]
    shared = pd.DataFrame({"key": same, "value": [frame[key].iloc[0] for key in same]})
    varying = frame.drop(columns=same)
    tables = [Table("Hyperparameters of all settings", ["key", "value"], shared.to_numpy().tolist(), [], shared)]
    if len(varying.columns):
        wide = varying.T if len(varying.columns) > len(varying) else varying
        corner = "setting" if wide is varying else "key"
        data = wide.rename_axis(corner).reset_index()
        header, rows = [str(name) for name in data.columns], data.to_numpy().tolist()
        tables.append(Table("Hyperparameters in which settings differ", header, rows, [], data))
    return tables


def by_setting(runs: Runs) -> pd.DataFrame:
    """One row per setting with a finished run [label, key]: what is shown of its values."""
    skipped = NOT_OF_A_SETTING.union(EXECUTION_KEYS)
    configs = {}
    for label, part in by_label(runs.frame[runs.frame.state == State.DONE]):
        values = flatten(runs.read(part.run.iloc[0]).config)
        configs[label] = {key: shown(value) for key, value in values.items() if key not in skipped}
    return pd.DataFrame.from_dict(configs, orient="index").fillna(ABSENT)
