"""Table 3: hyperparameters of PPO on MuJoCo (appendix A)."""

from __future__ import annotations

from analysis.command import OUT, Call, Command
from analysis.hyperparameters import Appendix, to_table

APPENDIX = Appendix(
    "table3",
    "Table 3: PPO hyperparameters, MuJoCo 1 million timesteps",
    [
        ("Horizon (T)", "algorithm.horizon", "2048"),
        ("Adam stepsize", "algorithm.lr", "3e-4"),
        ("Num. epochs", "algorithm.epochs", "10"),
        ("Minibatch size", "algorithm.minibatch_size", "64"),
        ("Discount (gamma)", "algorithm.gamma", "0.99"),
        ("GAE parameter (lambda)", "algorithm.lam", "0.95"),
    ],
)


def run(call: Call) -> None:
    """Print Table 3."""
    call.output.table(to_table(APPENDIX), "table3")


COMMAND = Command("table3", "hyperparameters of PPO on MuJoCo, ours beside the paper's", None, (OUT,), run)
