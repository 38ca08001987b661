"""How do tables that an older version of us made by itself become tables of a step, with nothing lost?"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection, MetaData


def take_over(connection: Connection, tables: MetaData) -> None:
    """Make the tables, columns and indices that are missing; what is there stays as it is.

    A column that came after a row was written is null in it, so a table that is there gets nullable columns only.
    """
    older = set(sa.inspect(connection).get_table_names())
    tables.create_all(connection)
    found = sa.inspect(connection)
    for table in [one for one in tables.sorted_tables if one.name in older]:
        held = {column["name"] for column in found.get_columns(table.name)}
        for column in table.columns:
            if column.name not in held:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")
        there = {index["name"] for index in found.get_indexes(table.name)}
        for index in table.indexes:
            if index.name not in there:
                index.create(connection)
