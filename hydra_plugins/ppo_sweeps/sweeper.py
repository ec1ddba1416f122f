"""Hydra's own sweeper over grids, without its check of every job, which takes as long as composing it once more."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import OmegaConf


class GridSweeper(BasicSweeper):
    """All combinations of values."""

    def __init__(self, max_batch_size: Any = None, params: Any = None) -> None:
        """Check the keys, which Hydra does not; UserError for one that is impossible."""
        from ppo.errors import invalid

        if max_batch_size is not None and (type(max_batch_size) is not int or max_batch_size < 1):
            raise invalid("hydra.sweeper.max_batch_size", max_batch_size, "an integer of at least 1 or null")
        if not (params is None or OmegaConf.is_dict(params) or isinstance(params, dict)):
            raise invalid("hydra.sweeper.params", params, "a mapping {key: values} or null")
        super().__init__(max_batch_size, params)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Nothing is left to check: `ppo` has composed and checked every job before it asked Hydra."""
