"""Table 4: hyperparameters of PPO on Roboschool (appendix A)."""

from __future__ import annotations

from analysis.command import OUT, Call, Command
from analysis.hyperparameters import Appendix, to_table

APPENDIX = Appendix(
    "table4",
    "Table 4: PPO hyperparameters, Roboschool",
    [
        ("Horizon (T)", "algorithm.horizon", "512"),
        (
            "Adam stepsize",
            "algorithm.lr, algorithm.lr_schedule, algorithm.lr_kl_target",
            "* (by the KL divergence)",
        ),
        ("Num. epochs", "algorithm.epochs", "15"),
        ("Minibatch size", "algorithm.minibatch_size", "4096"),
        ("Discount (gamma)", "algorithm.gamma", "0.99"),
        ("GAE parameter (lambda)", "algorithm.lam", "0.95"),
        ("Number of actors", "algorithm.num_actors", "32 (locomotion), 128 (flagrun)"),
        (
            "Log stdev. of action distribution",
            "algorithm.log_std, algorithm.log_std_final",
            "LinearAnneal(-0.7, -1.6)",
        ),
    ],
    (
        "*: adjusted based on the target value of the KL divergence; the paper prints neither the target nor the rule.",
        "For flagrun, add algorithm.num_actors=128.",
        "There is no task of Roboschool yet: these hyperparameters can be used on any task with a flat observation.",
    ),
)


def run(call: Call) -> None:
    """Print Table 4."""
    call.output.table(to_table(APPENDIX), "table4")


COMMAND = Command("table4", "hyperparameters of PPO on Roboschool, ours beside the paper's", None, (OUT,), run)
