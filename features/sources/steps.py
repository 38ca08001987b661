"""How does the query of a mapping grow, step by step, and what is remembered on the way?

A step reads the columns that the steps before it left, and may add columns and checks: truth values that say where a
conversion failed, a word is on no list, or a row of another file is missing. Checks refuse rows later; no step drops a
row because something in it failed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from features.errors import ConfigError, UsageError
from features.sources.intake import Rule
from features.sources.mapping import TableMapping
from features.sources.mapping_sql import Expression, compile_expression
from features.sources.sql_text import identifier
from features.warehouse import Engine


@dataclass(slots=True)
class Steps:
    """The query as it grows, the columns it has, and the rules that speak of its checks."""

    engine: Engine
    mapping: TableMapping
    query: str
    columns: list[str]
    rules: list[Rule] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def compiled(self, name: str, text: str) -> Expression:
        """A checked expression over the columns so far that also fits their types."""
        return self.compiled_over(self.query, self.columns, name, text)

    def compiled_over(self, query: str, columns: Collection[str], name: str, text: str) -> Expression:
        """A checked expression over a query's columns that also fits their types.

        Raises:
            ConfigError: it is not allowed, or does not fit.
        """
        where = f"{self.mapping.table}.{name}"
        expression = compile_expression(text, columns, where=where)
        try:
            self.engine.columns(f"SELECT {expression.sql} AS cell, {expression.failed} AS failed FROM ({query})")
        except UsageError as cause:
            raise ConfigError(
                f"the expression of {where} does not fit its columns",
                expected="values of types that go together; cells of text files are text until cast",
                found=cause.found,
                todo="cast the cells that it uses",
            ) from None
        return expression

    def add_check(self, rule: str, column: str, reason: str, when: str) -> str:
        """Remember a check; the answer is SQL that computes it."""
        name = f"_pulse_check_{len(self.checks)}"
        self.checks.append(name)
        self.rules.append(Rule(column, rule, reason, name))
        return f"COALESCE({when}, FALSE) AS {name}"

    def add_conversions(self, column: str, *expressions: Expression) -> list[str]:
        """Remember that conversions inside expressions may fail; the answer is SQL that computes the checks."""
        failed = [expression.failed for expression in expressions if expression.failed != "FALSE"]
        return [self.add_check("type", column, "a conversion failed", " OR ".join(failed))] if failed else []

    def add_column(self, key: str, name: str, cell: str, *checks: str) -> None:
        """Give the rows a new column.

        Raises:
            ConfigError: there is one of that name.
        """
        if name.lower() in {column.lower() for column in self.columns}:
            raise self.refusal(key, "a new name", f"{name}, which is a column already")
        self.query = f"SELECT {', '.join(['*', f'{cell} AS {identifier(name)}', *checks])} FROM ({self.query})"
        self.columns.append(name)

    def require_column(self, key: str, column: str, columns: Collection[str]) -> None:
        """Refuse a name that is no column."""
        if column not in columns:
            raise self.refusal(key, f"one of the columns {', '.join(columns)}", column)

    def refusal(self, key: str, expected: str, found: str) -> ConfigError:
        """What is said of a key of the mapping that cannot be used."""
        return ConfigError(
            f"{key} of {self.mapping.table} cannot be used", expected=expected, found=found, todo="correct the mapping"
        )
