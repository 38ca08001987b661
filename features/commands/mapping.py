"""How does a person begin a mapping of files that no mapping of ours reads?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console import Answer, Clock, command
from features.errors import UsageError

group = typer.Typer(no_args_is_help=True, help="Describe files of another layout.")


@group.callback()
def _group() -> None:
    # With a callback a group of one command keeps the command's name.
    """Describe files of another layout."""


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="mapping")


@command(group)
def init(
    clock: Clock,
    *,
    folder: Annotated[Path, typer.Argument(help="Folder with the CSV, JSONL or Parquet files.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="YAML file to write; it must not exist yet.")],
) -> Answer:
    """Draft a commented mapping from headers and sample rows; TODO marks what a person must decide."""
    from features.sources.draft import draft_mapping

    if out.exists():
        raise UsageError(
            "the file exists already", expected="a new file", found=str(out), todo="choose another name, or remove it"
        )
    draft = draft_mapping(folder, name=out.stem, now=clock())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(draft.text)
    return Answer(draft.lines(out), draft.document())
