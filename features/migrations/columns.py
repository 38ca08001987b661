"""How is a column of a step written, so that it means the same in SQLite and in PostgreSQL?

A step keeps its own words: it tells what the tables were then, whatever the rooms declare today.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

TEXT: sa.types.TypeEngine[str] = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""Sorted by bytes in both: pages of accounts come in one order wherever they are kept."""


def number(name: str) -> sa.Column[Any]:
    """The key of a log: numbers that rise with each row."""
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=True)


def text(name: str, *, null: bool = False, key: bool = False, to: str | None = None) -> sa.Column[Any]:
    """Text; ``to`` names the ``table.column`` it points to."""
    return _column(name, TEXT, null=null, key=key, to=to)


def whole(name: str, *, null: bool = False, key: bool = False, to: str | None = None) -> sa.Column[Any]:
    """A whole number."""
    return _column(name, sa.Integer(), null=null, key=key, to=to)


def double(name: str, *, null: bool = False) -> sa.Column[Any]:
    """A number of 64 bits."""
    return sa.Column(name, sa.Double, nullable=null)


def blob(name: str, *, null: bool = False) -> sa.Column[Any]:
    """Bytes."""
    return sa.Column(name, sa.LargeBinary, nullable=null)


def truth(name: str, *, null: bool = False) -> sa.Column[Any]:
    """True or false."""
    return sa.Column(name, sa.Boolean, nullable=null)


def _column(name: str, kind: sa.types.TypeEngine[Any], *, null: bool, key: bool, to: str | None) -> sa.Column[Any]:
    points = (sa.ForeignKey(to),) if to else ()
    if key:
        return sa.Column(name, kind, *points, primary_key=True, autoincrement=False)
    return sa.Column(name, kind, *points, nullable=null)
