"""The kinds of things that can be chosen, each with its registry; the decorators are `@algorithm("ppo")` and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppo.config.registry import Registry

if TYPE_CHECKING:
    from ppo.algorithms.base import Algorithm
    from ppo.envs.base import Suite
    from ppo.learning.surrogates.base import Surrogate
    from ppo.networks.base import Body

algorithm: Registry[Algorithm] = Registry("algorithm", "ppo.algorithms", "schema")
surrogate: Registry[Surrogate] = Registry("surrogate", "ppo.learning.surrogates")
network: Registry[Body] = Registry("network", "ppo.networks.bodies")
suite: Registry[Suite] = Registry("suite", "ppo.envs", "schema", label="suite")

GROUPS: dict[str, Registry[Any]] = {"env": suite, "network": network, "algorithm": algorithm, "surrogate": surrogate}
