"""How does long work tell a person how far it is, without knowing who listens?"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives one call per finished part of a stage; ``pulse`` draws bars from it."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` parts of ``stage`` are finished; ``done == total`` ends the stage."""


def silent(stage: str, done: int, total: int) -> None:
    """The listener for tests and for callers that show nothing."""
