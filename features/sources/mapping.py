"""How does a file describe another layout, so that it becomes canonical tables without code?

A mapping is YAML: per canonical table the file to read, an expression per column and the few things that tables of the
world need (value maps, look-ups in other files, filters, one row per key). It is data: expressions are checked by
``mapping_sql`` and can only compute a value from the cells of their row. Unknown keys are refused.
"""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigError
from features.events import TABLES
from features.sources.intake import declared
from features.sources.totals import can_be_added

Scalar = str | int | float | bool | None
_PLAIN_SPAN = re.compile(r"(\d+) (minute|hour|day|week)s?")


def _span(value: object) -> object:
    if isinstance(value, str) and (match := _PLAIN_SPAN.fullmatch(value)):
        return timedelta(**{f"{match[2]}s": int(match[1])})
    return value


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no IANA zone of that name")
    return name


Span = Annotated[timedelta, BeforeValidator(_span)]
Zone = Annotated[str, AfterValidator(_zone)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OnlyIn(_Part):
    """Keep the rows whose value is found in another file (or in the same one)."""

    file: str = Field(description="the other file of the folder")
    column: str = Field(description="its column")
    of: str = Field(description="the column here that is looked up there; both are compared as text")


class EachOf(_Part):
    """One row per element of a JSON list; a row whose list is empty or missing makes none."""

    list: str = Field(description="expression that gives the list as JSON text")
    item: str = Field(description="new column: the element as JSON text")
    number: str | None = Field(default=None, description="new column: the element's place, from 1")


class LookUp(_Part):
    """Take columns from the row of another file that fits; none, or several that differ without order, is refused."""

    file: str = Field(description="the other file of the folder (or the same one), or a pattern with *")
    column: str = Field(description="expression over the other file: the key that is looked for, compared as text")
    of: str = Field(description="expression over this file and what was looked up before: whose row is wanted")
    take: dict[str, str] = Field(min_length=1, description="new column here: expression over the other file")
    where: str | None = Field(default=None, description="look only among the other file's rows for which this holds")
    first_by: str | None = Field(default=None, description="of several rows take the first by this (text in ISO form)")
    required: bool = Field(default=True, description="refuse a row with a key that is not found; false = take null")
    optional: bool = Field(default=False, description="the folder may lack the file: every row takes null")

    @model_validator(mode="after")
    def _takes_null_without_its_file(self) -> Self:
        if self.optional and self.required:
            raise ValueError("a look-up in an optional file needs required: false")
        return self


class Numbered(_Part):
    """Number the rows that share some columns, from 1, where the source has no number of its own."""

    name: str = Field(description="new column with the number")
    columns: tuple[str, ...] = Field(min_length=1, description="rows that share these are numbered together")
    order_by: tuple[str, ...] = Field(min_length=1, description="in this order; the file's order breaks ties")


class FirstPer(_Part):
    """Keep one row per value of some columns: the first in an order."""

    columns: tuple[str, ...] = Field(min_length=1, description="one row per value of these; without a value each row")
    order_by: tuple[str, ...] = Field(default=(), description="the first in this order; the file's order breaks ties")


class TableMapping(_Part):
    """How one file becomes rows of one canonical table. Steps run in the order of the fields from ``file_name`` on."""

    table: str = Field(description="canonical table")
    file: str | tuple[str, ...] = Field(
        description="name of the file, or of several with the same layout; * stands for any characters"
    )
    optional: bool = Field(default=False, description="not every customer exports it: the folder may lack the file")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="of a CSV file")
    file_name: str | None = Field(default=None, description="new column: the name of the file the row stands in")
    only_in: OnlyIn | None = None
    each: EachOf | None = None
    only_where: str | None = Field(default=None, description="keep the rows for which this holds, before any look-up")
    look_up: tuple[LookUp, ...] = ()
    derive: dict[str, str] = Field(
        default={}, description="new source columns, in order; a later one may use an earlier"
    )
    where: str | None = Field(
        default=None, description="keep the rows for which this holds, and those in which an earlier step failed"
    )
    numbered: Numbered | None = None
    first_per: FirstPer | None = None
    columns: dict[str, str] = Field(default={}, description="canonical column: expression over the source's columns")
    constants: dict[str, Scalar] = Field(default={}, description="canonical column: the same value in every row")
    values: dict[str, dict[str, Scalar]] = Field(default={}, description="column or derived column: source value: ours")
    leave_out: dict[str, tuple[str, ...]] = Field(
        default={}, description="mapped column with `values`: source values whose rows are not wanted"
    )
    distinct: bool = Field(default=False, description="drop rows that are equal in every mapped column")
    totals_per_key: bool = Field(default=False, description="add up the numbers of rows that share the table's key")
    timezone: Zone | None = Field(
        default=None, description="zone of naive moments and of days; none = they are refused"
    )
    lag: Span | None = Field(default=None, description="how long after the event a row was known; none = the table's")

    @property
    def files(self) -> tuple[str, ...]:
        """The files, one or several."""
        return (self.file,) if isinstance(self.file, str) else self.file

    @property
    def needed_files(self) -> tuple[str, ...]:
        """The files without which it cannot be used: its own, and those that it has to look into."""
        own = (*self.files, *((self.only_in.file,) if self.only_in else ()))
        return (*own, *(rule.file for rule in self.look_up if not rule.optional))

    @property
    def other_files(self) -> tuple[str, ...]:
        """The files that it looks into, optional ones too."""
        only_in = (self.only_in.file,) if self.only_in else ()
        return (*only_in, *(rule.file for rule in self.look_up))

    @property
    def names_people(self) -> bool:
        """Does an expression hash the name of a person?"""
        return any("PERSON(" in text.upper() for text in (*self.derive.values(), *self.columns.values()))

    @model_validator(mode="after")
    def _speaks_of_declared_things(self) -> Self:
        if self.table not in TABLES:
            raise ValueError(f"there is no canonical table {self.table}")
        table, known = TABLES[self.table], declared(TABLES[self.table])
        if strange := sorted({*self.columns, *self.constants} - set(known)):
            raise ValueError(f"{self.table} has no column {strange[0]} that a source may give")
        if both := sorted(set(self.columns) & set(self.constants)):
            raise ValueError(f"{both[0]} is mapped and constant")
        if unused := sorted(set(self.values) - {*self.columns, *self.derive}):
            raise ValueError(f"values of {unused[0]}, which is neither mapped nor derived")
        fixed = [name for name in self.columns if not can_be_added(table, known[name])]
        if self.totals_per_key and fixed:
            raise ValueError(f"{fixed[0]} is neither of the key nor a number, so it cannot stand in a total")
        return self

    @model_validator(mode="after")
    def _leaves_out_other_words(self) -> Self:
        if loose := sorted(set(self.leave_out) - (set(self.values) & set(self.columns))):
            raise ValueError(f"leave_out of {loose[0]}, which is no mapped column with values")
        for name, words in self.leave_out.items():
            if both := sorted(set(words) & set(self.values[name])):
                raise ValueError(f"{both[0]} is left out of {name} and has an entry in values")
        return self


class CohortDefaults(_Part):
    """What the cohort of this source needs that differs from the product's defaults."""

    onboarding_weeks: int = Field(ge=0, le=520, description="accounts younger than this are not scored, in weeks")


class Mapping(_Part):
    """A described layout of a source."""

    source_system: str = Field(min_length=1, description="goes into source_system of every row")
    title: str = Field(default="", description="name of the mapping for people, a few words")
    product: str = Field(default="", description="the product that made the files, and which export of it")
    steward: str = Field(default="", description="the role that keeps the export running and the words mapped")
    about: str = Field(default="", description="what the source is, for people")
    notes: tuple[str, ...] = Field(default=(), description="what to know before relying on it, one sentence each")
    cohort: CohortDefaults | None = None
    tables: tuple[TableMapping, ...] = Field(min_length=1)


def load_mapping(named: str | Path) -> Mapping:
    """Read a mapping by path, or by the name of one that comes with us.

    Raises:
        ConfigError: there is none, it is no YAML, or it says something that is not allowed.
    """
    text, where = _text_of(named)
    try:
        return Mapping.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as cause:
        raise _refusal(where, "a YAML document", type(cause).__name__) from None
    except ValidationError as cause:
        first = cause.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise _refusal(where, "keys and values that a mapping may have", f"{place}: {first['msg']}") from None


def _text_of(named: str | Path) -> tuple[str, str]:
    path = Path(named)
    ours = resources.files("features.sources").joinpath("mappings")
    if path.is_file():
        return path.read_text(encoding="utf-8"), path.name
    packaged = ours.joinpath(f"{named}.yaml")
    if len(path.parts) == 1 and packaged.is_file():
        return packaged.read_text(encoding="utf-8"), str(named)
    names = sorted(entry.name.removesuffix(".yaml") for entry in ours.iterdir() if entry.name.endswith(".yaml"))
    raise ConfigError(
        "there is no such mapping",
        expected=f"a YAML file, or one of {', '.join(names)}",
        found=str(named),
        todo="check the path or the name",
    )


def _refusal(where: str, expected: str, found: str) -> ConfigError:
    return ConfigError(
        f"the mapping {where} cannot be used", expected=expected, found=found, todo="correct the mapping"
    )
