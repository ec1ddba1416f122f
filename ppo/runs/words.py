"""Words around numbers, for whoever prints them."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
