"""The algorithms of the PPO paper (Schulman et al. 2017): one training, written for one run and mapped over a pack."""

import os
from typing import Any

# Without this, MKL may round a product differently by where in memory its operands lie, and so by a run's lane in its
# pack (law 1). Read once, at the first product; costs nothing that we could measure.
os.environ.setdefault("MKL_CBWR", "AUTO")


def __getattr__(name: str) -> Any:
    """What takes time to find, looked up only when asked for: `load`, and `__version__` from pyproject.toml."""
    if name == "load":
        from ppo.policy import load

        return load
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ppo-sweeps")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"
