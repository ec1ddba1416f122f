"""Table 6: mean score of the last 100 games of training on each Atari game, beside published results (appendix B)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from analysis.command import OUT, Call, Command
from analysis.grouping import by_cell
from analysis.store import Runs
from analysis.writers import Table, number, score
from ppo.errors import UserError

PUBLISHED = Path(__file__).resolve().parents[1] / "reference" / "atari.csv"
SUITE = "atari"
FULL = 10_000_000  # agent steps, of four frames each: the budget of every published column
OTHERS = {  # column of atari.csv -> what it is called in the table
    "A2C": "paper A2C",
    "ACER": "paper ACER",
    "PPO": "paper PPO",
    "ppo2": "Baselines PPO2",
    "cleanrl": "CleanRL PPO",
    "page_ppo2": "page PPO2",
    "page_acer": "page ACER",
    "page_a2c": "page A2C",
}
SOURCES = (
    "Published columns: 10M steps. Paper: Schulman et al. 2017, Table 6. Baselines PPO2 and CleanRL PPO (envpool): "
    "57 games by Huang et al., 3 seeds. Page: the seven games of OpenAI Baselines' page of results, last 10 % of "
    "training."
)
MEDIAN = "human-normalised median"
NORMALISED = (
    "Human-normalised: 0 is a random policy, 1 a professional human tester (Mnih et al. 2015, Wang et al. 2016, as "
    "DQN Zoo lists them); each column's median is over the games that it has among these."
)


def run(call: Call) -> None:
    """Print Table 6."""
    runs = atari_runs(call.runs())
    call.output.table(to_table(compute(runs), runs), "table6")


def atari_runs(runs: Runs) -> Runs:
    """The runs of a sweep on Atari games; UserError if there is none."""
    games = runs.frame[runs.frame.suite.eq(SUITE) | runs.frame.env.isin(published().index)]
    if games.empty:
        raise UserError(f"sweep {runs.sweep} has no Atari games: expected --sweep NAME of one that has.")
    return runs._replace(frame=games)


@cache
def published() -> pd.DataFrame:
    """Published scores [game]: random, human, and the columns of `OTHERS`; NaN where there is none."""
    return pd.read_csv(PUBLISHED).set_index("game")


def compute(runs: Runs) -> pd.DataFrame:
    """A row per game and setting: mean score over seeds, runs behind it and runs declared."""
    rows = []
    for (label, env), group in by_cell(runs.frame):
        done = group[(group.state == "done") & group.score.notna()].score.astype(float)
        rows.append({"game": env, "label": label, "score": done.mean(), "done": len(done), "declared": len(group)})
    return pd.DataFrame(rows).sort_values("game", kind="stable", ignore_index=True)


def human_normalised(scores: pd.Series) -> pd.Series:
    """Scores [game] where a random policy is 0 and a human tester is 1; NaN for a game without these."""
    known = published().reindex(scores.index)
    return (scores - known.random) / (known.human - known.random)


def budget(steps: pd.Series) -> str:
    """How long the finished runs were, in words: the title of every table of theirs says it."""
    found = sorted({int(value) for value in steps.dropna()})
    if not found:
        return "no finished runs"
    words = [_millions(value) for value in (found if found[0] == found[-1] else (found[0], found[-1]))]
    shown = " to ".join(dict.fromkeys(words))
    return f"{shown} steps" + ("" if found[0] >= 0.99 * FULL else f", not the paper's {_millions(FULL)}")


def _millions(steps: int) -> str:
    return f"{steps / 1e6:.3g}M" if steps >= 100_000 else f"{steps:,}"


def to_table(frame: pd.DataFrame, runs: Runs) -> Table:
    """A row per game, ours first; last the median over games of what is human-normalised."""
    labels, games = list(frame.label.unique()), list(frame.game.unique())
    others = published().reindex(games).rename(columns=OTHERS)[list(OTHERS.values())].dropna(axis=1, how="all")
    ours = frame.pivot(index="game", columns="label", values="score").reindex(games)[labels]
    cells = frame.set_index(["game", "label"])
    others.columns = [f"{name} (published)" if name in labels else name for name in others.columns]
    data = pd.concat([ours, others], axis=1)
    medians = data.apply(lambda column: human_normalised(column).median())
    rows = [
        [str(game), *(_ours(cells, game, label) for label in labels), *map(score, others.loc[game])] for game in games
    ]
    rows.append([MEDIAN, *map(number, medians)])
    notes = ["Ours: mean over seeds of the mean raw score of the last 100 full games of training.", SOURCES, NORMALISED]
    steps = runs.frame[runs.frame.state == "done"].steps
    title = f"Table 6: mean score of the last 100 games ({runs.sweep}: {budget(steps)})"
    data = pd.concat([data, medians.to_frame(MEDIAN).T]).rename_axis("game").reset_index()
    return Table(title, ["game", *data.columns[1:]], rows, [*notes, *runs.notes], data)


def _ours(cells: pd.DataFrame, game: str, label: str) -> str:
    if (game, label) not in cells.index:
        return "-"
    cell = cells.loc[(game, label)]
    return score(cell.score) + ("" if cell.done == cell.declared else f" ({cell.done:.0f}/{cell.declared:.0f})")


COMMAND = Command("table6", "mean scores on Atari games beside published ones", "table6", (OUT,), run)
