"""How does a described file become rows that look like a canonical table's?

In: the rows of a file and its :class:`TableMapping`. Out: an :class:`Intake` whose relation has canonical columns, one
row per row that the mapping keeps, with the number of the source row and with checks: truth values that say where a
conversion failed or a value is on no list.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from features.errors import ConfigError, UsageError
from features.events import TABLES
from features.sources.intake import Intake, Rule
from features.sources.mapping import Scalar, TableMapping
from features.sources.mapping_sql import Expression, compile_expression
from features.sources.reader import Rows
from features.sources.sql_text import identifier, listed, literal
from features.warehouse import ROW, Engine

UNMAPPED = "unmapped"
UNMAPPED_LIMIT = 0.02
"""Share of rows with a value on no list. Above it the source has changed its words, and quarantine would hide that."""


@dataclass(slots=True)
class _Steps:
    """The query as it grows, the columns it has, and the rules that speak of its checks."""

    engine: Engine
    mapping: TableMapping
    query: str
    columns: list[str]
    rules: list[Rule] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def compiled(self, name: str, text: str) -> Expression:
        """A checked expression that also fits the types of the source."""
        where = f"{self.mapping.table}.{name}"
        expression = compile_expression(text, self.columns, where=where)
        try:
            self.engine.columns(f"SELECT {expression.sql} AS cell, {expression.failed} AS failed FROM ({self.query})")
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


def mapped_intake(
    engine: Engine, mapping: TableMapping, rows: Rows, other: Rows | None, *, number: int, names: tuple[str, str]
) -> Intake:
    """Apply a mapping to the rows of a file; ``names`` are those of the file and of the source system.

    ``other`` are the rows of the file of ``only_in``.

    Raises:
        ConfigError: an expression is not allowed, or names a column that the file does not have.
    """
    steps = _Steps(engine, mapping, f"SELECT * FROM {identifier(rows.relation)}", list(rows.columns))
    _keep_only_in(steps, other)
    for name, text in mapping.derive.items():
        _derive(steps, name, text)
    _keep_where(steps)
    _keep_first(steps)
    columns = _map_columns(steps)
    relation = f"_pulse_mapped_{number}"
    engine.name_query(relation, steps.query)
    types = engine.columns(f"SELECT {', '.join(identifier(name) for name in columns)} FROM {relation}")
    table, (file, source_system) = TABLES[mapping.table], names
    return Intake(
        number=number,
        file=file,
        rows=rows,
        relation=relation,
        types=types,
        source_system=source_system,
        lag=table.lag if mapping.lag is None else mapping.lag,
        zone=mapping.timezone,
        rules=tuple(steps.rules),
        checks=tuple(steps.checks),
        totals=mapping.totals_per_key,
    )


def _keep_only_in(steps: _Steps, other: Rows | None) -> None:
    rule = steps.mapping.only_in
    if rule is None or other is None:
        return
    for column, columns in ((rule.of, steps.columns), (rule.column, list(other.columns))):
        _require_column(steps, "only_in", column, columns)
    found = f"SELECT CAST({identifier(rule.column)} AS VARCHAR) FROM {identifier(other.relation)}"
    steps.query = f"SELECT * FROM ({steps.query}) WHERE CAST({identifier(rule.of)} AS VARCHAR) IN ({found})"


def _derive(steps: _Steps, name: str, text: str) -> None:
    if name.lower() in {column.lower() for column in steps.columns}:
        raise _refusal(steps, "derive", "a new name", f"{name}, which is a column of the file")
    value, checks = _value(steps, name, text)
    steps.query = f"SELECT {', '.join(['*', f'{value} AS {identifier(name)}', *checks])} FROM ({steps.query})"
    steps.columns.append(name)


def _keep_where(steps: _Steps) -> None:
    if steps.mapping.where is None:
        return
    condition = steps.compiled("where", steps.mapping.where)
    # A row whose condition cannot be computed is kept, to be refused by its check.
    check = steps.add_check("type", "", "a conversion in `where` failed", condition.failed)
    steps.query = f"SELECT *, {check} FROM ({steps.query}) WHERE ({condition.sql}) OR ({condition.failed})"


def _keep_first(steps: _Steps) -> None:
    rule = steps.mapping.first_per
    if rule is None:
        return
    for column in (*rule.columns, *rule.order_by):
        _require_column(steps, "first_per", column, steps.columns)
    order = [f"{identifier(column)} NULLS LAST" for column in rule.order_by]
    steps.query = _first(steps.query, [identifier(column) for column in rule.columns], order)


def _map_columns(steps: _Steps) -> list[str]:
    cells, checks, earlier = [], [], list(steps.checks)
    for name, text in steps.mapping.columns.items():
        value, own = _value(steps, name, text)
        cells.append(f"{value} AS {identifier(name)}")
        checks += own
    for name, constant in steps.mapping.constants.items():
        value = "CAST(NULL AS VARCHAR)" if constant is None else literal(constant)
        cells.append(f"{value} AS {identifier(name)}")
    steps.query = f"SELECT {', '.join([ROW, *cells, *earlier, *checks])} FROM ({steps.query})"
    names = [*steps.mapping.columns, *steps.mapping.constants]
    if steps.mapping.distinct:
        steps.query = _first(steps.query, [identifier(name) for name in names], [])
    return names


def _value(steps: _Steps, name: str, text: str) -> tuple[str, list[str]]:
    expression = steps.compiled(name, text)
    checks = []
    if expression.failed != "FALSE":
        checks.append(steps.add_check("type", name, "a conversion failed", expression.failed))
    words = steps.mapping.values.get(name)
    if words is None:
        return expression.sql, checks
    said = f"CAST({expression.sql} AS VARCHAR)"
    checks.append(steps.add_check(UNMAPPED, name, "no entry in `values`", f"{said} NOT IN ({listed(list(words))})"))
    return _translated(said, words), checks


def _translated(said: str, words: dict[str, Scalar]) -> str:
    return f"CASE {said} {' '.join(f'WHEN {literal(word)} THEN {literal(ours)}' for word, ours in words.items())} END"


def _first(query: str, partition: list[str], order: list[str]) -> str:
    window = f"PARTITION BY {', '.join(partition)} ORDER BY {', '.join([*order, ROW])}"
    ranked = f"SELECT *, ROW_NUMBER() OVER ({window}) AS _pulse_turn FROM ({query})"
    return f"SELECT * EXCLUDE (_pulse_turn) FROM ({ranked}) WHERE _pulse_turn = 1"


def _require_column(steps: _Steps, key: str, column: str, columns: list[str]) -> None:
    if column not in columns:
        raise _refusal(steps, key, f"one of the columns {', '.join(columns)}", column)


def _refusal(steps: _Steps, key: str, expected: str, found: str) -> ConfigError:
    return ConfigError(
        f"{key} of {steps.mapping.table} cannot be used", expected=expected, found=found, todo="correct the mapping"
    )
