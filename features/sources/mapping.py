"""How does a file describe another layout, so that it becomes canonical tables without code?

A mapping is YAML: per canonical table the file to read, an expression per column and the few things that tables of the
world need (value maps, filters, one row per key). It is data: expressions are checked by ``mapping_sql`` and can only
compute a value from the cells of their row. Unknown keys are refused.
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


class FirstPer(_Part):
    """Keep one row per value of some columns: the first in an order."""

    columns: tuple[str, ...] = Field(min_length=1, description="one row per value of these")
    order_by: tuple[str, ...] = Field(default=(), description="the first in this order; the file's order breaks ties")


class TableMapping(_Part):
    """How one file becomes rows of one canonical table. Steps run in the order of the fields from ``only_in`` on."""

    table: str = Field(description="canonical table")
    file: str | tuple[str, ...] = Field(description="name of the file, or of several with the same layout")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="of a CSV file")
    only_in: OnlyIn | None = None
    derive: dict[str, str] = Field(
        default={}, description="new source columns, in order; a later one may use an earlier"
    )
    where: str | None = Field(default=None, description="keep the rows for which this holds")
    first_per: FirstPer | None = None
    columns: dict[str, str] = Field(default={}, description="canonical column: expression over the source's columns")
    constants: dict[str, Scalar] = Field(default={}, description="canonical column: the same value in every row")
    values: dict[str, dict[str, Scalar]] = Field(default={}, description="column or derived column: source value: ours")
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


class CohortDefaults(_Part):
    """What the cohort of this source needs that differs from the product's defaults."""

    onboarding_weeks: int = Field(ge=0, le=520, description="accounts younger than this are not scored, in weeks")


class Mapping(_Part):
    """A described layout of a source."""

    source_system: str = Field(min_length=1, description="goes into source_system of every row")
    about: str = Field(default="", description="what the source is, for people")
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
