"""What makes a run that run: its hash, its setting's name, and with whom it may share a pack (DESIGN: laws 1, 3)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from ppo.config.algorithms import Network
from ppo.config.run import EXECUTION_KEYS, Config, to_mapping

# Keys that may differ inside a pack: they become tensors of shape [pack].
COEFFICIENTS = (
    "gamma", "lam", "lr", "lr_schedule", "lr_kl_target", "epsilon_schedule", "adam_epsilon", "c1", "c2",  # PPO
    "max_kl", "kl_slack", "damping", "train_log_std", "value_lr", "kl_target",  # TRPO, VPG
    "rms_decay", "rms_epsilon", "trust_region", "average_decay",  # A2C
    "elite_fraction", "initial_variance", "extra_std", "extra_until",  # CEM
)  # fmt: skip


def essence(config: Config) -> dict[str, Any]:
    """The resolved config minus execution keys, and minus keys that were added later and are at their default."""
    values = {k: v for k, v in to_mapping(config).items() if k not in EXECUTION_KEYS}
    algorithm = _without_defaults(values["algorithm"], type(config.algorithm))
    return values | {"algorithm": algorithm | {"network": _without_defaults(algorithm["network"], Network)}}


def run_hash(config: Config) -> str:
    """Eight hex digits of a run's essence; spelling and order of keys do not matter."""
    return _digest(essence(config))[:8]


def setting_name(config: Config) -> str:
    """A readable name of a run's setting: algorithm, surrogate and its coefficients."""
    if config.surrogate is None:
        return "-".join(filter(None, [config.algorithm.name, getattr(config.algorithm, "policy", "")]))
    surrogate = to_mapping(config)["surrogate"]
    name = surrogate.pop("name")
    return "-".join([config.algorithm.name, name, *(f"{k}={_short(v)}" for k, v in surrogate.items())])


def run_folder(config: Config) -> Path:
    """Where a run's folder is: `run_dir`, or <outputs>/runs/<env>/<setting>/seed=<k>-<8 hex>."""
    if config.execution.run_dir is not None:
        return Path(config.execution.run_dir)
    env = config.env.id.replace("/", "-")
    store = Path(config.execution.outputs) / "runs"
    return store / env / setting_name(config) / f"seed={config.seed}-{run_hash(config)}"


def pack_key(config: Config) -> str:
    """Runs with the same key can be trained in one pack: same task, network, shapes and loop counts."""
    values = essence(config)
    del values["seed"]
    values.pop("surrogate", None)
    algorithm = {k: v for k, v in values["algorithm"].items() if k not in COEFFICIENTS}
    algorithm["name"] = type(config.algorithm).__name__  # trpo_2017 differs from trpo in a coefficient only
    for key in ("max_grad_norm", "value_clip"):  # whether a bound exists shapes the graph, its size does not
        if key in algorithm:
            algorithm[key] = algorithm[key] is not None
    values["algorithm"] = algorithm
    execution = config.execution
    values["execution"] = [execution.device, execution.threads, execution.compile]
    return _digest(values)


def _without_defaults(values: dict[str, Any], schema: type[Any]) -> dict[str, Any]:
    """`values` without those at which a key of the schema has a default."""
    defaults = {field.name: field.default for field in fields(schema)}
    return {key: value for key, value in values.items() if value != defaults[key]}


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
