"""Which rows of other files, and which elements of a list, belong to a row?

Steps of a mapping that bring rows together: ``only_in`` (keep those found elsewhere), ``each`` (one row per element of
a JSON list) and ``look_up`` (columns from the one row elsewhere that fits). A look-up never doubles a row and never
chooses among rows that differ.
"""

from __future__ import annotations

from collections.abc import Mapping

from features.sources.mapping import EachOf, LookUp
from features.sources.reader import Rows
from features.sources.sql_text import identifier
from features.sources.steps import Steps
from features.warehouse import ROW

PLACES = 1 << 20
"""Elements that a list may have: a row's place is that of its line times this, plus its element's."""
_LIST = "_pulse_list"
_WANTED, _UNCLEAR, _ORDER = "_pulse_wanted", "_pulse_unclear", "_pulse_order"
_FOUND, _BAD, _MANY = "_pulse_found", "_pulse_bad", "_pulse_many"


def keep_only_in(steps: Steps, others: Mapping[str, Rows]) -> None:
    """Keep the rows whose value is found in another file."""
    rule = steps.mapping.only_in
    if rule is None:
        return
    other = others[rule.file]
    for column, columns in ((rule.of, steps.columns), (rule.column, list(other.columns))):
        steps.require_column("only_in", column, columns)
    found = f"SELECT CAST({identifier(rule.column)} AS VARCHAR) FROM {identifier(other.relation)}"
    steps.query = f"SELECT * FROM ({steps.query}) WHERE CAST({identifier(rule.of)} AS VARCHAR) IN ({found})"


def take_each(steps: Steps, number: int) -> str | None:
    """Make one row per element of a list; the answer is the relation whose rows count as those of the file."""
    rule = steps.mapping.each
    if rule is None:
        return None
    _require_new(steps, rule)
    expression = steps.compiled("each", rule.list)
    text = f"NULLIF(CAST({expression.sql} AS VARCHAR), '')"
    # In two stages, as the engine gives up on a cell that is no JSON when it sees one.
    kind = f"CASE WHEN JSON_VALID({text}) THEN JSON_TYPE({text}) WHEN {text} IS NOT NULL THEN 'BROKEN' END"
    length = f"CASE WHEN ({kind}) = 'ARRAY' THEN JSON_ARRAY_LENGTH({text}) END"
    no_list = f"({expression.failed}) OR ({kind}) NOT IN ('ARRAY', 'NULL') OR ({length}) > {PLACES}"
    check = steps.add_check("type", "", f"{rule.item}: not a JSON list of at most {PLACES:,} elements", no_list)
    elements = f"CASE WHEN ({length}) BETWEEN 1 AND {PLACES} THEN JSON_EXTRACT({text}, '$[*]') END"
    listed = f"SELECT *, {check}, COALESCE({elements}, [NULL]) AS {_LIST} FROM ({steps.query})"
    item, place = identifier(rule.item), identifier(rule.number or "_pulse_element")
    single = (
        f"SELECT * EXCLUDE ({_LIST}), CAST(UNNEST({_LIST}) AS VARCHAR) AS {item}, "
        f"GENERATE_SUBSCRIPTS({_LIST}, 1) AS {place} FROM ({listed})"
    )
    relation = f"_pulse_elements_{number}"
    placed = f"SELECT * REPLACE ({ROW} * {PLACES} + {place} - 1 AS {ROW}) FROM ({single})"
    steps.engine.name_query(relation, placed)
    # A list without elements makes no row; a cell that is no list stays, to be refused.
    steps.query = f"SELECT * FROM {relation} WHERE {item} IS NOT NULL OR {steps.checks[-1]}"
    steps.columns += [rule.item, *([rule.number] if rule.number else [])]
    return relation


def look_up(steps: Steps, rule: LookUp, others: Mapping[str, Rows]) -> None:
    """Take columns from the one row of another file that fits; nulls where the folder lacks an optional file."""
    if rule.optional and rule.file not in others:
        for name in rule.take:
            steps.add_column("look_up", name, "CAST(NULL AS VARCHAR)")
        return
    place = f"look_up in {rule.file}"
    wanted = steps.compiled(place, rule.of)
    source, columns = f"SELECT * FROM {identifier(others[rule.file].relation)}", others[rule.file].columns
    key = steps.compiled_over(source, columns, f"{place}, column", rule.column)
    taken = {name: steps.compiled_over(source, columns, name, text) for name, text in rule.take.items()}
    kept = "TRUE" if rule.where is None else steps.compiled_over(source, columns, f"{place}, where", rule.where).sql
    cells = [f"{value.sql} AS _pulse_taken_{turn}" for turn, value in enumerate(taken.values())]
    failed = " OR ".join(value.failed for value in taken.values())
    order, many = "", "COUNT(DISTINCT ROW({texts})) > 1"
    if rule.first_by is not None:
        order, many = f" ORDER BY {_ORDER} NULLS LAST, {ROW}", "FALSE"
        cells.append(f"{steps.compiled_over(source, columns, f'{place}, first_by', rule.first_by).sql} AS {_ORDER}")
    texts = ", ".join(f"CAST(_pulse_taken_{turn} AS VARCHAR)" for turn in range(len(taken)))
    firsts = ", ".join(f"FIRST(_pulse_taken_{turn}{order}) AS _pulse_taken_{turn}" for turn in range(len(taken)))
    single = (
        f"SELECT {_FOUND}, {firsts}, BOOL_OR({_BAD}) AS {_BAD}, {many.format(texts=texts)} AS {_MANY} FROM ("
        f"SELECT {ROW}, CAST({key.sql} AS VARCHAR) AS {_FOUND}, ({failed}) AS {_BAD}, {', '.join(cells)} "
        f"FROM ({source}) WHERE {kept}) WHERE {_FOUND} IS NOT NULL GROUP BY {_FOUND}"
    )
    _join(steps, rule, single, f"CAST({wanted.sql} AS VARCHAR) AS {_WANTED}, ({wanted.failed}) AS {_UNCLEAR}")


def _join(steps: Steps, rule: LookUp, single: str, wanted: str) -> None:
    where = f"the look-up in {rule.file}"
    checks = [
        steps.add_check("type", "", f"a conversion failed in {where}", f"{_UNCLEAR} OR {_BAD}"),
        steps.add_check("ambiguous", "", f"several rows fit and differ in {where}", _MANY),
    ]
    if rule.required:
        checks.append(steps.add_check("not_found", "", f"no row fits in {where}", f"{_FOUND} IS NULL"))
    cells = []
    for turn, name in enumerate(rule.take):
        if name.lower() in {column.lower() for column in steps.columns}:
            raise steps.refusal("look_up", "a new name", f"{name}, which is a column already")
        cells.append(f"_pulse_taken_{turn} AS {identifier(name)}")
        steps.columns.append(name)
    steps.query = (
        f"SELECT s.* EXCLUDE ({_WANTED}, {_UNCLEAR}), {', '.join([*cells, *checks])} "
        f"FROM (SELECT *, {wanted} FROM ({steps.query})) AS s LEFT JOIN ({single}) ON {_FOUND} = {_WANTED}"
    )


def _require_new(steps: Steps, rule: EachOf) -> None:
    for name in (rule.item, rule.number):
        if name is not None and name.lower() in {column.lower() for column in steps.columns}:
            raise steps.refusal("each", "a new name", f"{name}, which is a column already")
