"""Which changes does the database itself refuse, whatever program asks for them?

A law is a trigger: this table is never updated, that column is set once. The same law is spoken to SQLite and to
PostgreSQL, and a refusal is an integrity error in both. Laws are laid down by the migrations.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

_SQLITE = (
    "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {event} ON {table}{when} BEGIN SELECT RAISE(ABORT, '{reason}'); END"
)
_POSTGRESQL = (
    "DROP TRIGGER IF EXISTS {name} ON {table}",
    "CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {each}{when} EXECUTE FUNCTION pulse_refuse('{reason}')",
)
_FUNCTION = """
    CREATE OR REPLACE FUNCTION pulse_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$"""
_TRUNCATE = "TRUNCATE"
"""PostgreSQL's way to empty a table without deleting a row; SQLite has none."""


@dataclass(frozen=True, slots=True)
class Law:
    """One refusal. ``event`` is UPDATE, DELETE or ``UPDATE OF column, ...``; ``when`` a condition on ``OLD``."""

    name: str
    table: str
    event: str
    reason: str
    when: str | None = None


def append_only(table: str, what: str) -> tuple[Law, ...]:
    """A row can be added, never changed or deleted; ``what`` names the record in the refusal: "the promotion log"."""
    reason = f"{what} is append-only"
    return tuple(Law(f"{table}_no_{verb.lower()}", table, verb, reason) for verb in ("UPDATE", "DELETE", _TRUNCATE))


def never_deleted(table: str, reason: str) -> tuple[Law, ...]:
    """A row may change, but stays."""
    return tuple(Law(f"{table}_no_{verb.lower()}", table, verb, reason) for verb in ("DELETE", _TRUNCATE))


def lay_down(connection: Connection, *laws: Law) -> None:
    """Make the triggers of these laws where they are missing."""
    if connection.dialect.name == "sqlite":
        for law in laws:
            if law.event != _TRUNCATE:
                connection.exec_driver_sql(_text(_SQLITE, law))
        return
    connection.exec_driver_sql(_FUNCTION.replace("%", "%%"))
    for law in laws:
        for statement in _POSTGRESQL:
            connection.exec_driver_sql(_text(statement, law))


def _text(statement: str, law: Law) -> str:
    when = f" WHEN ({law.when})" if law.when else ""
    each = "STATEMENT" if law.event == _TRUNCATE else "ROW"
    reason = law.reason.replace("'", "''")
    return statement.format(name=law.name, table=law.table, event=law.event, when=when, each=each, reason=reason)
