"""Nested mappings as dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`; an empty mapping is a value. `path` precedes every key."""
    flat: dict[str, Any] = {}
    _into(flat, values, path)
    return flat


def _into(flat: dict[str, Any], values: Mapping[str, Any], path: str) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            _into(flat, value, f"{path}{key}.")
        else:
            flat[f"{path}{key}"] = value
