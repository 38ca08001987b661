"""How is a drafted mapping written, so that a person sees what was found and what is left to decide?

In: proposals. Out: YAML text that is a mapping already: it loads, and what is missing stands in comments that begin
with ``TODO``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import yaml

from features.events import Column
from features.sources.proposal import Filled, Proposal
from features.sources.sample import Sample

_NO_LIMIT = 1 << 20
_HEAD = """\
# A draft, made from the headers and a sample of the rows. It is no mapping to rely on before a person has read it:
# go through each TODO, and look whether each line means what the canonical column means (features/tables/).
# A table's state begins at valid_from. An export that shows only today must not tell the past what came later: leave a
# column out when it is overwritten after the customer has left.
"""


def draft_text(name: str, files: Sequence[tuple[Sample, Proposal | None]]) -> str:
    """The whole draft."""
    entries = [entry_text(proposal) for _, proposal in files if proposal is not None]
    others = [_unlike(read) for read, proposal in files if proposal is None]
    head = [_HEAD, f"source_system: {_scalar(name)}\n", 'title: "" # TODO a few words for people\n']
    tables = "tables:\n" if entries else "tables: [] # TODO no file resembles a table\n"
    return "".join([*head, *others, "\n", tables, "\n".join(_indented(entry) for entry in entries)])


def entry_text(proposal: Proposal) -> str:
    """One entry of ``tables``, as a YAML list of one."""
    lines = [f"- table: {proposal.table.name} # {proposal.table.grain}"]
    lines.append(f"  file: {_scalar(proposal.sample.source.name)}")
    if proposal.sample.delimiter != ",":
        lines.append(f"  delimiter: {json.dumps(proposal.sample.delimiter)}")
    if proposal.needs_zone:
        lines.append("  timezone: UTC # TODO in which zone were the times without one written?")
    lines.append("  columns:")
    lines += [f"    {_filled(each)}" for each in proposal.filled]
    lines += [f"    # TODO {_missing(column)}" for column in proposal.missing]
    lines += _values([each for each in proposal.filled if each.translation.by_words])
    if proposal.unused:
        lines.append(f"  # not used: {', '.join(proposal.unused)}")
    return "".join(f"{line}\n" for line in lines)


def _unlike(read: Sample) -> str:
    columns = ", ".join(each.name for each in read.columns)
    return f"# TODO {read.source.name}: resembles no table; its columns are {columns}\n"


def _filled(each: Filled) -> str:
    said = f"{each.column.name}: {_scalar(each.translation.expression)}"
    return f"{said} # TODO {each.column.name}: {each.todo}" if each.todo else f"{said} # {each.column.meaning}"


def _missing(column: Column) -> str:
    wanted = f"one of {' '.join(column.choices)}" if column.choices else str(column.kind)
    return f"{column.name}: {column.meaning} ({wanted}); required, and no column resembles it"


def _values(worded: Sequence[Filled]) -> list[str]:
    if not worded:
        return []
    return ["  values:", *(f"    {each.column.name}: {json.dumps(each.values, ensure_ascii=False)}" for each in worded)]


def _scalar(text: str) -> str:
    return str(yaml.safe_dump(text, width=_NO_LIMIT, allow_unicode=True)).removesuffix("\n").removesuffix("\n...")


def _indented(entry: str) -> str:
    return "".join(f"  {line}\n" for line in entry.splitlines())
