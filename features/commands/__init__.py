"""What can a person ask of the data room on the command line, beside the main job in ``pulse.py``?

One file per group of commands; each offers ``add_to(app)``. Heavy modules are imported inside the commands, so that
``pulse --help`` is quick.
"""

from __future__ import annotations

from types import ModuleType

import typer

from features.commands import (
    audit_record,
    auditing,
    building,
    campaigns,
    identity,
    mapping,
    pushing,
    quarantine,
    safekeeping,
    simulation,
    sources,
)

_GROUPS: tuple[ModuleType, ...] = (
    auditing,
    building,
    simulation,
    campaigns,
    quarantine,
    sources,
    mapping,
    pushing,
    identity,
    safekeeping,
    audit_record,
)


def add_data_commands(app: typer.Typer) -> None:
    """Give a program the data room's commands."""
    for group in _GROUPS:
        group.add_to(app)
