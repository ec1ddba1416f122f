"""Registries: what can be chosen, by the name that its yaml gives.

A choice is a frozen dataclass without Python defaults, torch-free, registered under its name by a decorator. Modules of
a registry's home package are imported when a name is first looked up, so nothing lists them; other people's modules
register theirs by being imported, under a name with their own prefix (`my_lab/soft_clip`).
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from ppo.config import schema
from ppo.errors import UserError, invalid, unknown

T = TypeVar("T")
C = TypeVar("C", bound=type[Any])

OURS, FOREIGN = re.compile(r"[\w-]+", re.ASCII), re.compile(r"[\w-]+(/[\w-]+)+", re.ASCII)
MOST_BUILT = 16384  # choices kept


class Registry(Generic[T]):
    """The choices of one kind."""

    def __init__(self, kind: str, home: str, part: str = "", label: str = "name") -> None:
        """`home`: the package whose modules register our own choices; `part`: which module of each sub-package does.

        `label`: the key of a yaml that names the choice.
        """
        self.kind, self.label, self._home, self._part = kind, label, home, part
        self._choices: dict[str, type[T]] = {}
        self._built: dict[str, T] = {}  # by the mapping's repr: the runs of a sweep say the same few things
        self._loaded = False

    def __call__(self, name: str) -> Callable[[C], C]:
        """A decorator that registers a frozen dataclass under `name`; UserError if it cannot be a choice."""

        def register(cls: C) -> C:
            self._check(name, cls)
            cls.name = name
            self._choices[name] = cls
            self._built.clear()
            return cls

        return register

    def _check(self, name: str, cls: type[Any]) -> None:
        """UserError unless a class can be a choice of this name."""
        where = f"{cls.__module__}.{cls.__qualname__}"
        subject = f"{self.kind} {name} ({where}) is invalid"
        known = self._choices.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            first = f"{known.__module__}.{known.__qualname__}"
            raise UserError(f"{self.kind} {name} is registered twice: by {first} and by {where}.")
        if (other := vars(cls).get("name")) not in (None, name):
            raise UserError(f"{subject}: expected a class of its own, but this one is {self.kind} {other} already.")
        ours = cls.__module__.startswith(f"{self._home}.")
        if not (OURS if ours else FOREIGN).fullmatch(name):
            expected = "letters, digits, _ and -" if ours else "a name with your package before it, such as my_lab/x"
            raise UserError(f"{subject}: expected {expected}.")
        if not is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise UserError(f"{subject}: expected a frozen dataclass.")
        if given := list(schema.defaults(cls)):
            raise UserError(
                f"{subject}: expected no Python default of {given[0]}, since values live in yaml; "
                "a key added after runs were published takes Added(neutral=...)."
            )

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._choices)

    def find(self, name: str, key: str) -> type[T]:
        """The choice of this name; UserError naming `key` if there is none."""
        self._load()
        if name not in self._choices:
            raise unknown(key, name, self._choices)
        return self._choices[name]

    def build(self, values: Any, group: str) -> T:
        """The choice that a mapping describes: its key `label` names it, the others are its fields."""
        key = repr(values)
        if key not in self._built:
            if len(self._built) >= MOST_BUILT:
                self._built.clear()
            self._built[key] = self._build(values, group)
        return self._built[key]

    def _build(self, values: Any, group: str) -> T:
        if not isinstance(values, Mapping):
            raise invalid(group, values, f"a mapping of keys with a {self.label}")
        if self.label not in values:
            raise UserError(f"{group}.{self.label} is missing: expected one of {', '.join(self.names())}.")
        rest = {key: value for key, value in values.items() if key != self.label}
        return schema.build(self.find(str(values[self.label]), f"{group}.{self.label}"), rest, f"{group}.")

    def _load(self) -> None:
        """Import the modules of our own choices, once."""
        if self._loaded:
            return
        self._loaded = True
        home = import_module(self._home)
        for module in pkgutil.iter_modules(home.__path__, f"{self._home}."):
            if module.ispkg == bool(self._part):
                import_module(f"{module.name}.{self._part}" if self._part else module.name)
