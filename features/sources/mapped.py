"""How does a described file become rows that look like a canonical table's?

In: the rows of a file and its :class:`TableMapping`. Out: an :class:`Intake` whose relation has canonical columns, one
row per row that the mapping keeps, with the number of the source row and with checks: truth values that say where a
conversion failed or a value is on no list.
"""

from __future__ import annotations

from collections.abc import Mapping

from features.events import TABLES
from features.sources.intake import Intake
from features.sources.looked_up import PLACES, keep_only_in, look_up, take_each
from features.sources.mapping import Scalar, TableMapping
from features.sources.reader import Rows
from features.sources.sql_text import identifier, listed, literal
from features.sources.steps import Steps
from features.warehouse import ROW, Engine

UNMAPPED = "unmapped"
UNMAPPED_LIMIT = 0.02
"""Share of rows with a value on no list. Above it the source has changed its words, and quarantine would hide that."""


def mapped_intake(
    engine: Engine,
    mapping: TableMapping,
    rows: Rows,
    others: Mapping[str, Rows],
    *,
    number: int,
    names: tuple[str, str],
) -> Intake:
    """Apply a mapping to the rows of a file; ``names`` are those of the file and of the source system.

    ``others`` are the rows of the other files, by the names that ``only_in`` and ``look_up`` give them.

    Raises:
        ConfigError: an expression is not allowed, or names a column that the file does not have.
    """
    file, source_system = names
    steps = Steps(engine, mapping, f"SELECT * FROM {identifier(rows.relation)}", list(rows.columns))
    if mapping.file_name is not None:
        steps.add_column("file_name", mapping.file_name, literal(file))
    elements = _bring_together(steps, others, number)
    _choose_rows(steps)
    columns = _map_columns(steps)
    relation = f"_pulse_mapped_{number}"
    engine.name_query(relation, steps.query)
    return Intake(
        number=number,
        file=file,
        rows=rows,
        relation=relation,
        types=engine.columns(f"SELECT {', '.join(identifier(name) for name in columns)} FROM {relation}"),
        source_system=source_system,
        lag=TABLES[mapping.table].lag if mapping.lag is None else mapping.lag,
        zone=mapping.timezone,
        rules=tuple(steps.rules),
        checks=tuple(steps.checks),
        totals=mapping.totals_per_key,
        elements=elements,
        places=1 if elements is None else PLACES,
    )


def _bring_together(steps: Steps, others: Mapping[str, Rows], number: int) -> str | None:
    keep_only_in(steps, others)
    elements = take_each(steps, number)
    _keep_where(steps, "only_where", steps.mapping.only_where)
    for rule in steps.mapping.look_up:
        look_up(steps, rule, others)
    return elements


def _choose_rows(steps: Steps) -> None:
    for name, text in steps.mapping.derive.items():
        value, checks = _value(steps, name, text)
        steps.add_column("derive", name, value, *checks)
    _keep_where(steps, "where", steps.mapping.where)
    _number_rows(steps)
    _keep_first(steps)


def _keep_where(steps: Steps, key: str, text: str | None) -> None:
    if text is None:
        return
    condition, earlier = steps.compiled(key, text), " OR ".join(steps.checks) or "FALSE"
    # A row whose condition cannot be computed, or in which an earlier step failed, is kept, to be refused.
    check = steps.add_check("type", "", f"a conversion in `{key}` failed", condition.failed)
    kept = f"({condition.sql}) OR ({condition.failed}) OR ({earlier})"
    steps.query = f"SELECT *, {check} FROM ({steps.query}) WHERE {kept}"


def _number_rows(steps: Steps) -> None:
    rule = steps.mapping.numbered
    if rule is None:
        return
    for column in (*rule.columns, *rule.order_by):
        steps.require_column("numbered", column, steps.columns)
    order = [f"{identifier(column)} NULLS LAST" for column in rule.order_by]
    steps.add_column("numbered", rule.name, f"ROW_NUMBER() OVER ({_window(list(rule.columns), order)})")


def _keep_first(steps: Steps) -> None:
    rule = steps.mapping.first_per
    if rule is None:
        return
    for column in (*rule.columns, *rule.order_by):
        steps.require_column("first_per", column, steps.columns)
    order = [f"{identifier(column)} NULLS LAST" for column in rule.order_by]
    # A row without a value of its own repeats no other.
    unknown = " OR ".join(f"{identifier(column)} IS NULL" for column in rule.columns)
    steps.query = _first(steps.query, list(rule.columns), order, also=unknown)


def _map_columns(steps: Steps) -> list[str]:
    cells, checks, earlier = [], [], list(steps.checks)
    for name, text in steps.mapping.columns.items():
        value, own = _value(steps, name, text)
        cells.append(f"{value} AS {identifier(name)}")
        checks += own
    for name, constant in steps.mapping.constants.items():
        value = "CAST(NULL AS VARCHAR)" if constant is None else literal(constant)
        cells.append(f"{value} AS {identifier(name)}")
    wanted = " AND ".join(_not_left_out(steps, name) for name in steps.mapping.leave_out) or "TRUE"
    steps.query = f"SELECT {', '.join([ROW, *cells, *earlier, *checks])} FROM ({steps.query}) WHERE {wanted}"
    names = [*steps.mapping.columns, *steps.mapping.constants]
    if steps.mapping.distinct:
        steps.query = _first(steps.query, names, [])
    return names


def _value(steps: Steps, name: str, text: str) -> tuple[str, list[str]]:
    expression = steps.compiled(name, text)
    checks = steps.add_conversions(name, expression)
    words = steps.mapping.values.get(name)
    if words is None:
        return expression.sql, checks
    said = f"CAST({expression.sql} AS VARCHAR)"
    known = [*words, *steps.mapping.leave_out.get(name, ())]
    reason = f"no entry in `values` for {text}"
    checks.append(steps.add_check(UNMAPPED, name, reason, f"{said} NOT IN ({listed(known)})"))
    return _translated(said, words), checks


def _not_left_out(steps: Steps, name: str) -> str:
    said = f"CAST({steps.compiled(name, steps.mapping.columns[name]).sql} AS VARCHAR)"
    return f"COALESCE({said} NOT IN ({listed(steps.mapping.leave_out[name])}), TRUE)"


def _translated(said: str, words: dict[str, Scalar]) -> str:
    return f"CASE {said} {' '.join(f'WHEN {literal(word)} THEN {literal(ours)}' for word, ours in words.items())} END"


def _first(query: str, columns: list[str], order: list[str], *, also: str = "FALSE") -> str:
    ranked = f"SELECT *, ROW_NUMBER() OVER ({_window(columns, order)}) AS _pulse_turn FROM ({query})"
    return f"SELECT * EXCLUDE (_pulse_turn) FROM ({ranked}) WHERE _pulse_turn = 1 OR {also}"


def _window(columns: list[str], order: list[str]) -> str:
    partition = ", ".join(identifier(column) for column in columns)
    return f"PARTITION BY {partition} ORDER BY {', '.join([*order, ROW])}"
