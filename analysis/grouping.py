"""Law 9: the one place where runs become rows and cells. A group is of one setting, and on a task of one suite."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.core.groupby import DataFrameGroupBy

from ppo.config.identity import short
from ppo.errors import UserError


def by_label(frame: pd.DataFrame) -> DataFrameGroupBy[Any, Any]:
    """Runs by label, in their order: the rows of a table. UserError if a label is of several settings."""
    _check(frame, "setting_hash", ["label"])
    return frame.groupby("label", sort=False)


def by_cell(frame: pd.DataFrame) -> DataFrameGroupBy[Any, Any]:
    """Runs by label and task, in their order: the cells of a table. UserError if one is of several settings or suites.

    What one cell has are seeds: everything else about its runs is the same.
    """
    _check(frame, "setting_hash", ["label"])
    _check(frame, "suite", ["label", "env"])
    return frame.groupby(["label", "env"], sort=False)


def _check(frame: pd.DataFrame, what: str, keys: list[str]) -> None:
    several = frame.groupby(keys, sort=False)[what].nunique()
    if (several > 1).any():
        where = several.index[several > 1][0]
        named = where if isinstance(where, str) else " on ".join(map(str, where))
        raise UserError(f"{named} has runs of several values of {what}: they are not averaged.")


def distinct(frame: pd.DataFrame) -> pd.DataFrame:
    """Runs whose labels are each of one setting, and on each task of one suite: what differs is appended."""
    settings = frame.groupby("label", sort=False).setting_hash.nunique()
    several = frame.label.isin(settings[settings > 1].index)
    names = frame[several].groupby(["label", "setting"], sort=False).setting_hash.nunique()
    labels = frame.label.copy()
    for i, row in frame[several].iterrows():
        alike = names[row.label, row.setting] > 1  # two settings of one name
        labels[i] = f"{row.label}, {row.setting}" + (f" ({short(row.setting_hash)})" if alike else "")
    suites = frame.groupby(["label", "env"], sort=False).suite.transform("nunique")
    for i in frame.index[suites > 1]:
        labels[i] += f", suite={frame.suite[i]}"
    made = frame.assign(label=labels)
    return made if labels.equals(frame.label) else distinct(made)  # somebody's own label may be what was appended
