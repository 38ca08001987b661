"""How do a name and a value stand in SQL text so that they can be nothing else?"""

from __future__ import annotations

from collections.abc import Sequence


def identifier(name: str) -> str:
    """A column's or a table's name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | float | bool | None) -> str:
    """A constant: text in quotes, a number or a truth value as it is, null for ``None``."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def listed(values: Sequence[str]) -> str:
    """Text constants, parted by commas."""
    return ", ".join(literal(value) for value in values)
