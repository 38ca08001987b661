"""How does a writer of our state wait for the one before it?"""

from __future__ import annotations

from sqlalchemy import Connection

_WRITER = 6_021_940_778_301
"""The number of the lock that PostgreSQL's writers take: any, but the same for all."""


def take_turn(connection: Connection) -> None:
    """Be the only writer from here to the end of the transaction; waits at most 5 s (readers never wait)."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_WRITER,))
