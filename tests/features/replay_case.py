"""Rows that were refused, and a person who repairs them in their file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from features.settings import Home
from features.sources.quarantine import quarantine_file
from features.sources.replay import Ways, replay
from features.sources.report import ReplayReport
from features.sources.waiting import Chosen
from tests.features.source_case import NOW

LATER = NOW + timedelta(days=3)
Row = dict[str, Any]


def play(
    home: Home, *, now: datetime = LATER, load: str | None = None, table: str | None = None, **ways: Any
) -> ReplayReport:
    """Replay what was chosen, three days after the load."""
    return replay(home, Chosen(load, table), now=now, ways=Ways(**ways))


def file_of(home: Home, table: str) -> Path:
    """The only file of a table's refused rows."""
    (path,) = (home.quarantine / table).glob("*.jsonl")
    return path


def lines_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().rstrip("\n").split("\n")]


def edit(path: Path, change: Callable[[Row], Row | None]) -> None:
    """Write each row's cells anew as a person does in an editor; ``None`` leaves the cells as they are."""
    rows = [{**row, "cells": change(row["cells"]) or row["cells"]} for row in lines_of(path)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def put(**cells: Any) -> Callable[[Row], Row]:
    """Cells to write over those that are there."""
    return lambda before: {**before, **cells}


def waiting(home: Home, table: str) -> list[tuple[int, str, str]]:
    """Row, column and rule of what waits, over all loads; nothing when no file is there."""
    paths = sorted((home.quarantine / table).glob("*.jsonl"))
    return [(row["row"], row["column"], row["rule"]) for path in paths for row in lines_of(path)]


__all__ = ["LATER", "Row", "edit", "file_of", "lines_of", "play", "put", "quarantine_file", "waiting"]
