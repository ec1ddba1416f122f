"""Words around numbers, for whoever prints them."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def how_saved(unsaved: int) -> str:
    """How a training ends that was asked to stop; `unsaved`: runs that go on from an earlier checkpoint."""
    lost = f"{counted(unsaved, 'run')} could not be saved, so that earlier checkpoints count"
    return f"interrupted: {lost if unsaved else 'everything is saved'}; the same command resumes"
