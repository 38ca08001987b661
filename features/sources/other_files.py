"""What do the files say that a mapping only looks into?

They are read once per table, whichever parts look into them; several files under one name (a pattern) are one relation,
so that a year of daily exports costs one reading and not one for each day.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from features.sources.cells import ALL_NULL
from features.sources.plan import Part, TableWork
from features.sources.reader import Rows, Source, blaming, read
from features.sources.sql_text import identifier
from features.warehouse import Engine

Others = Mapping[tuple[tuple[Source, ...], str], Rows]


def read_others(engine: Engine, work: TableWork, scratch: Path) -> Others:
    """The rows of every file or pattern that the parts of a table look into.

    Raises:
        DataContractError: a file cannot be read.
    """
    wanted = dict.fromkeys((sources, part.delimiter) for part in work.parts for sources in part.others.values())
    return {
        (sources, delimiter): _read(engine, work, sources, (delimiter, f"_pulse_other_{number}"), scratch)
        for number, (sources, delimiter) in enumerate(wanted)
    }


def others_of(part: Part, others: Others) -> dict[str, Rows]:
    """The rows that one part looks into, by the names that its mapping gives them."""
    return {name: others[sources, part.delimiter] for name, sources in part.others.items()}


def _read(engine: Engine, work: TableWork, sources: tuple[Source, ...], how: tuple[str, str], scratch: Path) -> Rows:
    delimiter, relation = how
    each = []
    for number, source in enumerate(sources):
        with blaming(work.table, source.name):
            each.append(read(engine, source, f"{relation}_{number}", scratch, delimiter=delimiter))
    if len(each) == 1:
        return each[0]
    columns: dict[str, str] = {}
    for rows in each:
        columns |= {name: kind for name, kind in rows.columns.items() if columns.get(name, ALL_NULL) == ALL_NULL}
    together = scratch / f"{relation}.parquet"
    with blaming(work.table, sources[0].name):
        union = " UNION ALL BY NAME ".join(f"SELECT * FROM {identifier(rows.relation)}" for rows in each)
        engine.write(union, together, codec="lz4")
    engine.name(relation, [together])
    return Rows(relation, columns)
