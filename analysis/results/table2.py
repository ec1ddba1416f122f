"""Table 2: games won per algorithm, by two metrics, each averaged over trials (section 6.4)."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd

from analysis.errors import UserError
from analysis.results.table1 import check_configs
from analysis.store import Runs, read_record
from analysis.writers import Table

METRICS = {  # column of a run -> the paper's words
    "mean_return": "(1) mean episode reward over all of training",
    "score": "(2) mean episode reward over last 100 episodes",
}
PUBLISHED = Path(__file__).resolve().parents[1] / "reference" / "table2.csv"
TIE = "Tie"


def count_wins(scores: pd.DataFrame) -> pd.Series:
    """Games won per algorithm, and ties, of scores [games, algorithms]; a tie is one of unrounded means."""
    best = scores.max(axis=1)
    winners = scores.eq(best, axis=0)
    alone = winners.sum(axis=1) == 1
    wins = winners[alone].sum().astype(int)
    wins[TIE] = int((~alone).sum())
    return wins


def from_csv(path: Path) -> pd.DataFrame:
    """Published scores [games, algorithms] of a csv with columns game,ALGORITHM,...; UserError naming a bad line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, skipinitialspace=True)
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}.") from None
    if not lines:
        raise UserError(f"{path} cannot be read: it is empty.")
    header = lines[0][1]
    if header[:1] != ["game"] or len(set(header)) < 3 or len(set(header)) < len(header) or TIE in header:
        raise UserError(f"{path} has columns {','.join(header)}: game,ALGORITHM,ALGORITHM,... are needed.")
    scores: dict[str, list[float]] = {}
    for number, (game, *cells) in lines[1:]:
        values = [_number(cell) for cell in cells]
        if len(values) != len(header) - 1 or not all(map(math.isfinite, values)):
            raise UserError(f"{path}, line {number} ({game}), cannot be read: a number per algorithm is needed.")
        if game in scores:
            raise UserError(f"{path}, line {number} ({game}), names a game again: once is needed.")
        scores[game] = values
    if not scores:
        raise UserError(f"{path} has no game: lines of game,number,number,... are needed.")
    return pd.DataFrame.from_dict(scores, orient="index", columns=header[1:])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def from_runs(runs: Runs) -> dict[str, pd.DataFrame]:
    """Scores [games, algorithms] by metric, averaged over trials; only games that every algorithm has played."""
    check_configs(runs)
    done = runs.frame[runs.frame.state == "done"]
    unread = done.mean_return.isna()  # of run folders: it is in their episodes, not in their results
    done = done.assign(mean_return=done.mean_return.astype(float))
    done.loc[unread, "mean_return"] = [read_record(path).mean_return for path in done.path[unread]]
    tables = {name: done.groupby(["env", "label"])[name].agg(_mean).unstack() for name in METRICS}
    if len({label for scores in tables.values() for label in scores.columns}) < 2:
        raise UserError(f"sweep {runs.sweep} has no two algorithms with finished runs: there is nothing to win.")
    return {name: scores.dropna() for name, scores in tables.items()}


def _mean(values: pd.Series) -> float:
    """A mean that does not depend on the order of its values: else a tie may be missed."""
    return math.fsum(values) / len(values)


def to_table(by_metric: dict[str, pd.DataFrame], notes: list[str]) -> Table:
    """Table 2, with the paper's counts below ours."""
    counts = {METRICS[name]: count_wins(scores) for name, scores in by_metric.items()}
    data = pd.DataFrame(counts).T.rename_axis("metric").reset_index()
    header = list(data.columns)
    rows = [[str(cell) for cell in row] for row in data.itertuples(index=False)]
    games = max(len(scores) for scores in by_metric.values())
    paper = pd.read_csv(PUBLISHED)
    told = "; ".join(f"{row.metric} {row.counts}" for row in paper.itertuples())
    return Table(f"Table 2: games won, of {games}", header, rows, [f"Paper, of 49: {told}.", *notes], data)
