"""Registries: what can be chosen, by the name that its yaml gives.

A choice is a frozen dataclass without Python defaults, torch-free, registered under its name by a decorator. Modules of
a registry's home package are imported when a name is first looked up, so nothing lists them; other people's modules
register theirs by being imported, under a name with their own prefix (`my_lab/soft_clip`).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from ppo.config import schema
from ppo.errors import UserError, invalid, unknown

T = TypeVar("T")
C = TypeVar("C", bound=type[Any])


class Registry(Generic[T]):
    """The choices of one kind."""

    def __init__(self, kind: str, home: str, part: str = "") -> None:
        """`home`: the package whose modules register our own choices; `part`: which module of each sub-package does."""
        self.kind, self._home, self._part = kind, home, part
        self._choices: dict[str, type[T]] = {}
        self._loaded = False

    def __call__(self, name: str) -> Callable[[C], C]:
        """A decorator that registers a frozen dataclass under `name`; UserError if it cannot be a choice."""

        def register(cls: C) -> C:
            where = f"{cls.__module__}.{cls.__qualname__}"
            known = self._choices.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                raise UserError(f"{self.kind} {name} is registered twice: by {known.__module__} and by {where}.")
            if not is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
                raise UserError(f"{self.kind} {name} ({where}) is invalid: expected a frozen dataclass.")
            if given := list(schema.defaults(cls)):
                raise UserError(
                    f"{self.kind} {name} ({where}) is invalid: field {given[0]} has a Python default, and values live "
                    "in yaml; a key added after runs were published takes Added(neutral=...)."
                )
            cls.name = name  # type: ignore[attr-defined]
            self._choices[name] = cls  # type: ignore[assignment]
            return cls

        return register

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

    def build(self, values: Any, group: str, label: str = "name") -> T:
        """The choice that a mapping describes: its key `label` names it, the others are its fields."""
        if not isinstance(values, Mapping):
            raise invalid(group, values, f"a mapping of keys with a {label}")
        if label not in values:
            raise UserError(f"{group}.{label} is missing: expected one of {', '.join(self.names())}.")
        rest = {key: value for key, value in values.items() if key != label}
        return schema.build(self.find(str(values[label]), f"{group}.{label}"), rest, f"{group}.")

    def _load(self) -> None:
        """Import the modules of our own choices, once."""
        if self._loaded:
            return
        self._loaded = True
        home = import_module(self._home)
        for module in pkgutil.iter_modules(home.__path__, f"{self._home}."):
            if module.ispkg == bool(self._part):
                import_module(f"{module.name}.{self._part}" if self._part else module.name)
