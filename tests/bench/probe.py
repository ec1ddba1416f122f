"""Timers put around the parts of our trainer from outside, so that the trainer itself has no code for measuring."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ppo.pack import Pack

LEARNING = ("estimate_advantages", "update")  # by a learner; the second includes the next
FITTING = "value_fit"  # of the learners that have one
ACTING = ("noise", "refresh")  # by an actor, besides acting


class Timed:
    """A callable with a clock; everything else of it is as it was."""

    def __init__(self, function: Any) -> None:
        self.function, self.seconds = function, 0.0
        self.first_end: float | None = None  # time.monotonic() at the end of the first call

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        result = self.function(*arguments, **named)
        self.seconds += time.perf_counter() - start
        if self.first_end is None:
            self.first_end = time.monotonic()
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)


class Probe:
    """Where the time of a pack's iterations goes, in seconds by part. Costs about 2 us per lock-step."""

    def __init__(self, pack: Pack) -> None:
        env: Any = pack.env
        learner: Any = pack.learner
        collector: Any = pack.collector
        self.clocks: dict[str, Timed] = {}
        self._wrap(env, "_advance", "physics")
        self._wrap(env, "_start", "resets")
        self._wrap(env, "step")
        for name in LEARNING:
            self._wrap(learner, name)
        self._wrap(learner, FITTING)
        for name in ACTING:
            self._wrap(learner.actor, name)
        self.clocks["network"], self.clocks["filter"] = Timed(None), Timed(pack.obs_filter)
        collector.collect = self._collect(collector.collect, learner)
        self._wrap(collector, "collect")

    def _wrap(self, owner: Any, attribute: str, name: str | None = None) -> None:
        """Put a clock around a callable that `owner` has; one it has not takes no time."""
        clock = self.clocks[name or attribute] = Timed(getattr(owner, attribute, None))
        if clock.function is not None:
            setattr(owner, attribute, clock)

    def _collect(self, collect: Callable[..., Any], learner: Any) -> Callable[..., Any]:
        """`collect` with clocks around the two callables it is given."""
        network, obs_filter = self.clocks["network"], self.clocks["filter"]

        def clocked(_actor: Any, _filter: Any, *arguments: Any, **named: Any) -> Any:
            network.function = learner.actor
            return collect(network, obs_filter, *arguments, **named)

        return clocked

    def reset(self) -> None:
        """Set all clocks to zero."""
        for clock in self.clocks.values():
            clock.seconds = 0.0

    def parts(self, wall: float) -> dict[str, float]:
        """Seconds by part, adding up to `wall`: the time of the iterations since `reset`."""
        s = {name: clock.seconds for name, clock in self.clocks.items()}
        return {
            "physics": s["physics"],
            "resets": s["resets"],
            "env_rest": s["step"] - s["physics"] - s["resets"],  # observations, rewards, terminations
            "network": s["network"],
            "filter": s["filter"],
            "noise": s["noise"],
            "collect_rest": s["collect"] - s["step"] - s["network"] - s["filter"] - s["noise"],  # bookkeeping
            "advantages": s["estimate_advantages"],
            "update": s["update"] - s["refresh"] - s["value_fit"],
            "value_fit": s["value_fit"],
            "refresh": s["refresh"],  # giving the actor its new parameters
            "records": wall - s["collect"] - s["estimate_advantages"] - s["update"],  # episodes, run folders, progress
        }
