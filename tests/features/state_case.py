"""A state in each product that can hold one, and what its tables are declared to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa

from features.settings import Home
from features.state_place import STATE_VARIABLE
from tests.features.online_servers import Server, postgresql_server

ROOT = Path(__file__).parents[2]
PRODUCTS = ("sqlite", "postgresql")
_FIRST = 101
"""Beside the rows that a step makes itself."""

_numbers = iter(range(1_000_000))


@contextmanager
def server_of(product: str) -> Iterator[Server | None]:
    """The server behind a product; None for a file."""
    if product == "sqlite":
        yield None
    else:
        with postgresql_server() as server:
            yield server


def new_state(server: Server | None, root: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose state is empty: a file, or a schema of its own in the database of a server."""
    if server is None:
        monkeypatch.delenv(STATE_VARIABLE, raising=False)
    else:
        schema = f"home_{next(_numbers)}"
        with psycopg.connect(server.address, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        monkeypatch.setenv(STATE_VARIABLE, f"{server.address}?options={quote(f'-csearch_path={schema}')}")
    return Home(root=root)


def declared_tables() -> sa.MetaData:
    """Every table that any module of ours declares: whoever writes ``sa.Table(`` is found."""
    found = sa.MetaData()
    for path in sorted(path for room in ("features", "training", "serving") for path in (ROOT / room).rglob("*.py")):
        if "migrations" in path.parts or not re.search(r"\bTable\(\n? *\"", path.read_text()):
            continue
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for thing in vars(module).values():
            if isinstance(thing, sa.MetaData):
                for table in thing.sorted_tables:
                    if table.name not in found.tables:
                        table.to_metadata(found)
    return found


def filled_value(column: sa.Column[object], number: int) -> object:
    """Something that a column can hold, different for each number."""
    if isinstance(column.type, sa.LargeBinary):
        return bytes([number % 256, 0, 255])
    if isinstance(column.type, sa.Boolean):
        return number % 2 == 0
    return number + 0.1 + 0.2 if isinstance(column.type, sa.Double) else number if _is_whole(column) else f"é{number}"


def fill(engine: sa.Engine, tables: sa.MetaData, rows: int) -> None:
    """Put so many rows into each table; row k of a table points to row k of another."""
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            columns = [column for column in table.columns if not column.foreign_keys]
            pointers = {
                column.name: next(iter(column.foreign_keys)).column for column in table.columns if column.foreign_keys
            }
            for number in range(_FIRST, _FIRST + rows):
                row = {column.name: filled_value(column, number) for column in columns}
                row |= {name: filled_value(target, number) for name, target in pointers.items()}
                connection.execute(sa.insert(table).values(row))


def contents(engine: sa.Engine, tables: sa.MetaData) -> dict[str, list[tuple[object, ...]]]:
    """Every row of each table, in the order of its key."""
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in tables.sorted_tables
        }


def _is_whole(column: sa.Column[object]) -> bool:
    return isinstance(column.type, sa.Integer)
