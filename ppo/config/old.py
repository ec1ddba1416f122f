"""Configs that version 0.1 wrote down: recognised, so that one sentence says how their keys are called now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppo.errors import UserError

CHOICES = {"algorithm=ppo_atari": "experiment=table5", "algorithm=ppo_roboschool": "experiment=table4"}
HEAD = ("log_std", "log_std_final", "policy_scale")  # were keys of the network, and are the algorithm's


def check(values: Mapping[str, Any]) -> None:
    """UserError for a config of version 0.1."""
    algorithm = values.get("algorithm")
    network = algorithm.get("network") if isinstance(algorithm, Mapping) else None
    renamed = []
    if isinstance(network, Mapping):
        keys = [key for key in network if key not in HEAD]
        renamed += [f"algorithm.network.{key} is network.{key} now" for key in keys[:1]]
        renamed += [f"algorithm.network.{key} is algorithm.{key}" for key in HEAD if key in network][:1]
    if "interpolation" in values:
        renamed.append("interpolation=true is algorithm.record=[interpolation]")
    if renamed:
        raise UserError(f"the config belongs to version 0.1: {', '.join(renamed)}; see the yaml files of conf/.")
