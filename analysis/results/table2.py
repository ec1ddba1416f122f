"""Table 2: games won per algorithm, by two metrics, each averaged over trials (section 6.4)."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd

from analysis.command import OUT, Argument, Call, Command
from analysis.grouping import by_cell
from analysis.results.table6 import budget
from analysis.store import Runs
from analysis.writers import Table
from ppo.errors import UserError

METRICS = {  # column of a run -> the paper's words
    "mean_return": "(1) mean episode reward over all of training",
    "score": "(2) mean episode reward over last 100 episodes",
}
PUBLISHED = Path(__file__).resolve().parents[1] / "reference" / "table2.csv"
TIE = "Tie"


def run(call: Call) -> None:
    """Print Table 2, of runs or of a file of scores."""
    if path := call.options.csv:
        scores, notes, source = {"score": from_csv(path)}, [f"Scores of {path}, one metric."], ""
    else:
        runs = _runs(call)
        scores, notes, source = from_runs(runs), list(runs.notes), f" ({runs.sweep}: {budget(runs.done.steps)})"
    call.output.table(to_table(scores, notes, source), "table2")


def _runs(call: Call) -> Runs:
    try:
        return call.runs()
    except UserError:
        if call.options.sweep != COMMAND.sweep:
            raise
        raise UserError("there are no scores to count wins of: expected --sweep NAME or --csv FILE.") from None


def count_wins(scores: pd.DataFrame) -> pd.Series:
    """Games won per algorithm, and ties, of scores [games, algorithms]; means tie if they are equal unrounded."""
    best = scores.max(axis=1)
    winners = scores.eq(best, axis=0)
    alone = winners.sum(axis=1) == 1
    wins = winners[alone].sum().astype(int)
    wins[TIE] = int((~alone).sum())
    return wins


def from_csv(path: Path) -> pd.DataFrame:
    """Published scores [games, algorithms] of a csv with columns game,ALGORITHM,...; UserError naming a bad line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
            lines = [(number, row) for number, row in rows if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}.") from None
    if not lines:
        raise UserError(f"{path} cannot be read: it is empty.")
    header = lines[0][1]
    if header[:1] != ["game"] or len(set(header)) < 3 or len(set(header)) < len(header) or TIE in header:
        raise UserError(f"{path} has columns {','.join(header)}: expected game,ALGORITHM,ALGORITHM,...")
    scores: dict[str, list[float]] = {}
    for number, (game, *cells) in lines[1:]:
        values = [_number(cell) for cell in cells]
        if len(values) != len(header) - 1 or not all(map(math.isfinite, values)):
            raise UserError(f"{path}, line {number} ({game}), is invalid: expected a number per algorithm.")
        if game in scores:
            raise UserError(f"{path}, line {number}, is invalid: duplicate game {game}.")
        scores[game] = values
    if not scores:
        raise UserError(f"{path} has no game: expected lines of game,number,number,...")
    return pd.DataFrame.from_dict(scores, orient="index", columns=header[1:])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def from_runs(runs: Runs) -> dict[str, pd.DataFrame]:
    """Scores [games, algorithms] by metric, averaged over trials; only games that every algorithm has played."""
    done = runs.done.assign(mean_return=[record.mean_return for record in runs.records()])
    tables = {name: by_cell(done)[name].agg(_mean).unstack("label") for name in METRICS}
    if len({label for scores in tables.values() for label in scores.columns}) < 2:
        raise UserError(f"sweep {runs.sweep} has no two algorithms with finished runs: there is nothing to compare.")
    return {name: scores.dropna() for name, scores in tables.items()}


def _mean(values: pd.Series) -> float:
    """A mean that does not depend on the order of its values: otherwise ties may be missed."""
    return math.fsum(values) / len(values)


def to_table(by_metric: dict[str, pd.DataFrame], notes: list[str], source: str = "") -> Table:
    """Table 2, with the paper's counts below ours; `source`: the sweep and its budget, for the title."""
    counts = {METRICS[name]: count_wins(scores) for name, scores in by_metric.items()}
    data = pd.DataFrame(counts).T.rename_axis("metric").reset_index()
    header = list(data.columns)
    rows = [[str(cell) for cell in row] for row in data.itertuples(index=False)]
    games = max(len(scores) for scores in by_metric.values())
    paper = pd.read_csv(PUBLISHED)
    counted = "; ".join(f"{row.metric} {row.counts}" for row in paper.itertuples())
    return Table(f"Table 2: games won, of {games}{source}", header, rows, [f"Paper, of 49: {counted}.", *notes], data)


COMMAND = Command(
    "table2",
    "games won per algorithm",
    "table2",
    (
        Argument("--csv", {"type": Path, "help": "scores per game instead of runs: game,ALGORITHM,..."}),
        OUT,
    ),
    run,
)
