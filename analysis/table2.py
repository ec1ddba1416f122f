"""Table 2: games won per algorithm, by two metrics, each averaged over trials (section 6.4)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.errors import UserError
from analysis.store import Runs
from analysis.writers import Table

METRICS = {  # column of a run -> the paper's words
    "mean_return": "(1) mean episode reward over all of training",
    "score": "(2) mean episode reward over last 100 episodes",
}
PUBLISHED = Path(__file__).parent / "reference" / "table2.csv"
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
    """Published scores [games, algorithms] of a csv with columns game,ALGORITHM,...; UserError naming a bad row."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}.") from None
    if list(frame.columns[:1]) != ["game"] or len(frame.columns) < 3:
        raise UserError(f"{path} has columns {','.join(frame.columns)}: game,ALGORITHM,ALGORITHM,... are needed.")
    scores = frame.set_index("game").apply(pd.to_numeric, errors="coerce")
    if (bad := scores.isna().any(axis=1)).any():
        line = int(bad.to_numpy().argmax()) + 2
        game = scores.index[line - 2]
        raise UserError(f"{path}, line {line} ({game}), cannot be read: a number per algorithm is needed.")
    return scores


def from_runs(runs: Runs) -> dict[str, pd.DataFrame]:
    """Scores [games, algorithms] by metric, averaged over trials; only games that every algorithm has played."""
    done = runs.frame[runs.frame.state == "done"]
    tables = {name: done.groupby(["env", "label"])[name].mean().unstack() for name in METRICS}
    return {name: scores.dropna() for name, scores in tables.items()}


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
