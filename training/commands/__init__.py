"""What can a person ask of the training room on the command line?

One file per group of commands; each offers ``add_to(app)``. Heavy modules are imported inside the commands, so that
``pulse --help`` is quick.
"""

from __future__ import annotations

from types import ModuleType

import typer

from training.commands import acting, experiments, governing, life, modelling, proving, watching, weighing

_GROUPS: tuple[ModuleType, ...] = (modelling, life, governing, weighing, proving, watching, experiments, acting)


def add_training_commands(app: typer.Typer) -> None:
    """Give a program the training room's commands."""
    for group in _GROUPS:
        group.add_to(app)
