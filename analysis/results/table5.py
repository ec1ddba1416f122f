"""Table 5: hyperparameters of PPO on Atari (appendix A)."""

from __future__ import annotations

from analysis.command import OUT, Call, Command
from analysis.hyperparameters import Appendix, to_table

APPENDIX = Appendix(
    "table5",
    "Table 5: PPO hyperparameters, Atari",
    [
        ("Horizon (T)", "algorithm.horizon", "128"),
        ("Adam stepsize", "algorithm.lr, algorithm.lr_schedule", "2.5e-4 x alpha"),
        ("Num. epochs", "algorithm.epochs", "3"),
        ("Minibatch size", "algorithm.minibatch_size", "32 x 8"),
        ("Discount (gamma)", "algorithm.gamma", "0.99"),
        ("GAE parameter (lambda)", "algorithm.lam", "0.95"),
        ("Number of actors", "algorithm.num_actors", "8"),
        ("Clipping parameter epsilon", "surrogate.epsilon, algorithm.epsilon_schedule", "0.1 x alpha"),
        ("VF coeff. c1 (9)", "algorithm.c1", "1"),
        ("Entropy coeff. c2 (9)", "algorithm.c2", "0.01"),
    ],
    (
        "alpha is annealed linearly from 1 to 0 over the course of learning, which is total_steps.",
        "The network is not part of the experiment: env=atari chooses the one that section 6.4 names, a3c_cnn.",
    ),
)


def run(call: Call) -> None:
    """Print Table 5."""
    call.output.table(to_table(APPENDIX), "table5")


COMMAND = Command("table5", "hyperparameters of PPO on Atari, ours beside the paper's", None, (OUT,), run)
