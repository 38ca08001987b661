"""What is a picture in a report?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """One plot, ready to be shown.

    ``title`` states the finding and stands in the picture, too; ``caption`` says how to read it; ``alt`` tells the
    numbers to whoever cannot see it.
    """

    name: str
    title: str
    caption: str
    alt: str
    png: bytes
