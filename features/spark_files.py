"""How does Spark get at our Parquet files, and we at its?

No Spark is spoken to here: columns become a schema, paths become addresses, and what workers wrote is counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ConfigError, IntegrityError

_TYPES = {
    pa.string(): "STRING",
    pa.large_string(): "STRING",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP",
}
_PATTERN = re.compile(r"[\[\]{}*?\\]")


def schema_of(files: Sequence[Path], *, same_columns: bool) -> str:
    """The columns of Parquet files or folders, in Spark's words: all that any of them has.

    Raises:
        IntegrityError: a file cannot be read or, with ``same_columns``, lacks a column of the first one.
    """
    try:
        schemas = [pq.read_schema((parts_of(path) or [path])[0]) for path in files]
        if same_columns and any(set(schemas[0].names) - set(schema.names) for schema in schemas):
            raise unreadable("a file without a column of the first one")
        columns = pa.unify_schemas(schemas, promote_options="permissive")
    except (OSError, pa.ArrowException) as cause:
        raise unreadable(type(cause).__name__) from None
    return ", ".join(f"`{column.name.replace('`', '``')}` {_type(column.type)}" for column in columns)


def _type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if kind not in _TYPES:
        raise unreadable(f"a column of type {kind}")
    return _TYPES[kind]


def parts_of(folder: Path) -> list[Path]:
    """The files that Spark wrote into a folder, in the order of the answer; none for what is no folder."""
    return sorted(folder.glob("part-*.parquet")) if folder.is_dir() else []


def address_of(path: Path) -> str:
    """A path of this machine as Spark wants it.

    Raises:
        ConfigError: Spark would take it for a pattern.
    """
    # Spark reads a file twice, in silence, whose path has one of these characters.
    if _PATTERN.search(whole := str(path.absolute())):
        raise ConfigError(
            "Spark would read the path of this home as a pattern",
            expected="a path without [ ] { } * ? and backslashes",
            found="at least one of them",
            todo="move the home, or build with DuckDB",
        )
    return f"file:{whole}"


def require_all_rows(folder: Path, written: int) -> None:
    """Refuse a folder in which this process does not see every row that the workers say they wrote.

    Raises:
        IntegrityError: the workers write to a disk of their own; Spark itself goes on with what is left.
    """
    seen = sum(pq.read_metadata(part).num_rows for part in parts_of(folder))
    if not parts_of(folder) or seen != written:
        raise IntegrityError(
            "what the Spark workers wrote is not all here",
            expected=f"{written} rows in a folder that every worker shares with this machine",
            found=f"{seen} rows",
            todo="put the home on storage that all of them mount at the same path",
        )


def unreadable(found: str) -> IntegrityError:
    """An input cannot be read; only the kind of the failure is told."""
    return IntegrityError(
        "the query engine could not read its input",
        expected="the Parquet files that the manifest names",
        found=found,
        todo="run `pulse status --verify` to find a damaged file; on a cluster, every worker must see the home",
    )
