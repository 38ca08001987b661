"""What do the columns of an unknown file look like, judged by a sample of its rows?

In: a file from outside. Out: a :class:`Sample`: the first rows, and per column the :class:`Form` that all its filled
cells share. Nothing is guessed from names here; a column without a filled cell is ``EMPTY``.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from features.sources.reader import Source, read
from features.sources.sql_text import identifier
from features.warehouse import Engine

SAMPLED_ROWS = 1000
"""Enough to see every common word, few enough to try a draft at once."""
READABLE = ("csv", "jsonl", "parquet")
_SHOWN_WORDS = 20
"""More distinct words than this are names, not a list of states."""
_DELIMITERS = ",;\t|"
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d+)?")
_ZONED = re.compile(_MOMENT.pattern + r"( ?(Z|UTC)|[+-]\d{2}(:?\d{2})?)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SPELLINGS = tuple(
    f"{day}{clock}"
    for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y")
    for clock in ("", " %H:%M", " %H:%M:%S")
)
_FLAGS = {"true", "false", "t", "f", "yes", "no", "y", "n"}
_SECONDS = range(10**9, 2 * 10**9)  # 2001 to 2033
_THOUSAND = 1000


class Form(StrEnum):
    """What all filled cells of a column are."""

    EMPTY = "empty"
    FLAG = "true or false"
    SECONDS = "seconds since 1970"
    MILLISECONDS = "milliseconds since 1970"
    INTEGER = "whole numbers"
    NUMBER = "numbers"
    DAY = "days"
    MOMENT = "moments with a zone"
    NAIVE = "moments without a zone"
    SPELT = "dates in another spelling"
    JSON = "JSON"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Observed:
    """One column of a sample. ``words`` are its distinct cells, none when there are too many to be a list.

    ``spellings`` are the formats that fit every cell of a ``SPELT`` column; more than one means that nobody can tell.
    ``is_text`` says that expressions meet the cells as text.
    """

    name: str
    form: Form
    filled: int
    words: tuple[str, ...] = ()
    largest: float | None = None
    spellings: tuple[str, ...] = ()
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a file and what its columns look like."""

    source: Source
    delimiter: str
    rows: pa.Table
    columns: tuple[Observed, ...]


def sample(engine: Engine, source: Source, relation: str, scratch: Path) -> Sample:
    """Read the first rows of a file.

    Raises:
        DataContractError: the file cannot be read.
    """
    delimiter = _delimiter_of(source) if source.format == "csv" else ","
    found = read(engine, source, relation, scratch, delimiter=delimiter)
    chosen = ", ".join(identifier(name) for name in found.columns)
    rows = engine.fetch(f"SELECT {chosen} FROM {identifier(found.relation)} LIMIT {SAMPLED_ROWS}")
    return Sample(source, delimiter, rows, tuple(_observed(name, rows.column(name)) for name in found.columns))


def _delimiter_of(source: Source) -> str:
    opened = gzip.open if source.path.suffix == ".gz" else open
    with opened(source.path, "rt", encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline()
    split = {delimiter: len(next(csv.reader([header], delimiter=delimiter), [])) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda delimiter: split[delimiter])


def _observed(name: str, cells: pa.ChunkedArray) -> Observed:
    kind, filled = cells.type, [cell for cell in cells.to_pylist() if cell is not None and cell != ""]
    if not pa.types.is_string(kind):
        return Observed(name, _typed_form(kind, filled), len(filled), _words(filled), is_text=False)
    spellings = _spellings_of(filled)
    form = Form.SPELT if spellings else _text_form(filled)
    numeric = form in {Form.INTEGER, Form.NUMBER}
    largest = max(map(float, filled)) if numeric and filled else None
    return Observed(name, form, len(filled), _words(filled), largest, spellings)


def _typed_form(kind: pa.DataType, filled: Sequence[object]) -> Form:
    if not filled:
        return Form.EMPTY
    if pa.types.is_timestamp(kind):
        return Form.NAIVE if kind.tz is None else Form.MOMENT
    if pa.types.is_integer(kind):
        return _text_form([str(cell) for cell in filled])
    plain = {pa.types.is_boolean: Form.FLAG, pa.types.is_date: Form.DAY}
    numbers = {pa.types.is_floating: Form.NUMBER, pa.types.is_decimal: Form.NUMBER}
    return next((form for fits, form in {**plain, **numbers}.items() if fits(kind)), Form.JSON)


def _text_form(filled: Sequence[str]) -> Form:
    if not filled:
        return Form.EMPTY
    patterns = ((_ZONED, Form.MOMENT), (_MOMENT, Form.NAIVE), (_DAY, Form.DAY))
    for pattern, form in patterns:
        if all(pattern.fullmatch(cell) for cell in filled):
            return form
    if all(_INTEGER.fullmatch(cell) for cell in filled):
        return _integer_form([int(cell) for cell in filled])
    if all(_NUMBER.fullmatch(cell) for cell in filled):
        return Form.NUMBER
    if {cell.lower() for cell in filled} <= _FLAGS:
        return Form.FLAG
    return Form.JSON if all(cell[0] in "{[" for cell in filled) else Form.TEXT


def _integer_form(numbers: Sequence[int]) -> Form:
    if all(number in _SECONDS for number in numbers):
        return Form.SECONDS
    if all(number // _THOUSAND in _SECONDS for number in numbers):
        return Form.MILLISECONDS
    return Form.INTEGER


def _spellings_of(filled: Sequence[str]) -> tuple[str, ...]:
    return tuple(spelling for spelling in _SPELLINGS if filled and all(_is_spelt(cell, spelling) for cell in filled))


def _is_spelt(cell: str, spelling: str) -> bool:
    try:
        datetime.strptime(cell, spelling)  # noqa: DTZ007 - only the form matters
    except ValueError:
        return False
    return True


def _words(filled: Sequence[object]) -> tuple[str, ...]:
    words = sorted({str(cell) for cell in filled})
    return tuple(words) if len(words) <= _SHOWN_WORDS else ()
