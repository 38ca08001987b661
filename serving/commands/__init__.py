"""What can a person ask of the serving room on the command line, beside the main job in ``pulse.py``?

One file per group of commands; each offers ``add_to(app)``. Heavy modules are imported inside the commands, so that
``pulse --help`` is quick.
"""

from __future__ import annotations

from types import ModuleType

import typer

from serving.commands import challengers, keys, scoring, users

_GROUPS: tuple[ModuleType, ...] = (keys, users, scoring, challengers)


def add_serving_commands(app: typer.Typer) -> None:
    """Give a program the serving room's commands."""
    for group in _GROUPS:
        group.add_to(app)
