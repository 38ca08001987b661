"""How are declared tables read and written, and in which one place is the query engine spoken to?

An :class:`Engine` gives Parquet files a name and writes a query's answer to Parquet: the two things that any engine can
do. A :class:`Warehouse` knows where the canonical tables of one home lie. Every timestamp is UTC in microseconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from features.errors import IntegrityError, MissingStateError, UsageError
from features.events import ENVELOPE, TABLES, Column, Kind
from features.manifest import Dataset
from features.query_engine import QueryEngine
from features.settings import Home
from features.storage_failure import is_full, storage_full

THREADS_VARIABLE = "PULSE_THREADS"
ANSWERS_IN_MEMORY = 3_000_000
"""A home with more stored rows has the answers between steps in files: a long history of them would fill the memory."""
FIRST_AVAILABLE_AT = "first_available_at"
"""The fact of a stored file that tells from when its earliest row was known."""
ROW = "_pulse_row"
"""The column that numbers the rows of a file that comes from outside, from 1."""
_CSV_OPTIONS = "auto_detect = false, quote = '{quote}', escape = '{quote}', nullstr = '', allow_quoted_nulls = true"
_IN_UTC = "SET TimeZone = 'UTC'"
_OUR_MISTAKES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException)
_SQL_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.FLAG: "BOOLEAN",
    Kind.MOMENT: "TIMESTAMPTZ",
    Kind.DAY: "DATE",
}


def granted_threads() -> int:
    """Cores this process may really use (``PULSE_THREADS`` wins): more threads than cores cost many times the work."""
    asked = os.environ.get(THREADS_VARIABLE)
    return max(1, int(asked)) if asked else max(1, len(os.sched_getaffinity(0)))


def sql_type(column: Column) -> str:
    """The engine's type of a declared column."""
    return _SQL_TYPES[column.kind]


class Engine:
    """One session of the query engine (DuckDB). Not shared between threads."""

    joins_as_of = True
    holds_answers: bool = True
    """Are answers between steps small enough for memory? Then a file would cost more than what it holds."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._kinds: dict[str, str] = {}

    @contextmanager
    def session(self) -> Iterator[Engine]:
        """Another session of this engine in which nothing has a name; what it holds is let go when it ends.

        Much cheaper than :func:`open_engine`, which makes all that the engine knows anew.
        """
        connection = self._connection.cursor()
        try:
            # The only one of our settings that is a session's own.
            connection.execute(_IN_UTC)
            yield Engine(connection)
        finally:
            connection.close()

    def name(self, name: str, files: Sequence[Path], *, same_columns: bool = False) -> None:
        """Let SQL read the files as one table of that name; columns are matched by name, missing ones are null.

        With ``same_columns`` a file that lacks a column of the first one is refused when it is read.
        """
        listed = ", ".join(_quoted(str(path)) for path in files)
        union = "false" if same_columns else "true"
        self._create("VIEW", name, f"SELECT * FROM read_parquet([{listed}], union_by_name = {union})")

    def name_rows(self, name: str, rows: pa.Table) -> None:
        """Let SQL read an Arrow table in memory under that name."""
        self._connection.register(f"_{name}_rows", rows)
        self._create("TABLE", name, f'SELECT * FROM "_{name}_rows"')
        self._connection.unregister(f"_{name}_rows")

    def keep(self, name: str, query: str) -> None:
        """Compute a query's answer, keep it in memory and give it a name; for answers of a few thousand rows."""
        self._create("TABLE", name, query)

    def name_query(self, name: str, query: str) -> None:
        """Give a query's answer a name; it is computed when read."""
        self._create("VIEW", name, query)

    def name_numbered(self, name: str, file: Path) -> None:
        """Let SQL read one Parquet file with its rows numbered from 1 in :data:`ROW`."""
        self._create(
            "VIEW",
            name,
            f"SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS {ROW} "
            f"FROM read_parquet([{_quoted(str(file))}], file_row_number = true)",
        )

    def unpack_text(
        self, file: Path, columns: Sequence[str], target: Path, *, delimiter: str = ",", lines: bool = False
    ) -> pa.Table:
        """Write a delimited text file to Parquet, every cell as text, and return the records that are none.

        With ``lines`` the file has no header and no quoting, and its one column is the whole line. The answer has a row
        per refused record: ``line`` (from 1, the header counts), ``fault`` and ``text``.
        """
        named = ", ".join(f"{_quoted(column)}: 'VARCHAR'" for column in columns)
        options = _CSV_OPTIONS.format(quote="" if lines else '"')
        self._execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        self.write(
            f"SELECT * FROM read_csv({_quoted(str(file))}, columns = {{{named}}}, delim = {_quoted(delimiter)}, "
            f"header = {not lines}, {options}, store_rejects = true)",
            target,
            codec="lz4",
        )
        return self.fetch(
            "SELECT line, LOWER(MIN(CAST(error_type AS VARCHAR))) AS fault, MIN(csv_line) AS text "
            "FROM reject_errors GROUP BY line ORDER BY line"
        )

    def name_function(self, name: str, parameter: str, body: str) -> None:
        """Give an expression of one parameter a name, to be used like a function."""
        self._execute(f"CREATE OR REPLACE TEMP MACRO {name}({parameter}) AS {body}")

    def columns(self, query: str) -> dict[str, str]:
        """Names and types (in the engine's words) of a query's answer, in order.

        Raises:
            UsageError: the query does not fit its tables, for example adds a text to a number.
        """
        try:
            described = self._connection.execute(f"DESCRIBE {query}").fetchall()
        except (duckdb.BinderException, duckdb.InvalidInputException) as cause:
            raise UsageError(
                "a query does not fit its tables",
                expected="columns that exist, of types that go together",
                found=str(cause).splitlines()[0],
                todo="correct the query",
            ) from None
        return {str(row[0]): str(row[1]) for row in described}

    def write(self, query: str, target: Path, *, codec: str = "zstd") -> int:
        """Write a query's answer to one Parquet file and return its number of rows."""
        target.parent.mkdir(parents=True, exist_ok=True)
        return self._count(f"COPY ({query}) TO {_quoted(str(target))} (FORMAT parquet, COMPRESSION {codec})")

    def write_parts(self, query: str, folder: Path, by: str) -> dict[str, list[Path]]:
        """Write a query's answer to Parquet files, each with rows of one value of a text column; it is left out."""
        folder.mkdir(parents=True)
        self._count(f"COPY ({query}) TO {_quoted(str(folder))} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({by}))")
        return {part.name.removeprefix(f"{by}="): sorted(part.iterdir()) for part in sorted(folder.iterdir())}

    def write_json(self, query: str, target: Path) -> int:
        """Write a query's answer as one JSON object per line and return their number."""
        target.parent.mkdir(parents=True, exist_ok=True)
        return self._count(f"COPY ({query}) TO {_quoted(str(target))} (FORMAT json)")

    def fetch(self, query: str) -> pa.Table:
        """A query's answer as an Arrow table, for answers that fit in memory."""
        with _only_the_kind_of_a_failure():
            return self._connection.execute(query).to_arrow_table()

    def _create(self, kind: str, name: str, query: str) -> None:
        # Of this session alone: other sessions of the engine have the same names.
        if (before := self._kinds.get(name, kind)) == kind:
            self._execute(f'CREATE OR REPLACE TEMP {kind} "{name}" AS {query}')
        elif kind == "VIEW":
            self._execute(f'DROP {before} "{name}"; CREATE TEMP {kind} "{name}" AS {query}')
        else:
            # The query may read what has had the name until now.
            self._execute(f'CREATE TEMP {kind} "_new_{name}" AS {query}; DROP {before} "{name}"')
            self._execute(f'ALTER {kind} "_new_{name}" RENAME TO "{name}"')
        self._kinds[name] = kind

    def _count(self, statement: str) -> int:
        with _only_the_kind_of_a_failure():
            answer = self._connection.execute(statement).fetchone()
        return int(answer[0]) if answer else 0

    def _execute(self, statement: str) -> None:
        with _only_the_kind_of_a_failure():
            self._connection.execute(statement)


@contextmanager
def _only_the_kind_of_a_failure() -> Iterator[None]:
    try:
        yield
    except _OUR_MISTAKES:
        raise
    except duckdb.Error as cause:
        if is_full(cause):
            raise storage_full() from None
        # The engine's own message may hold cell values; only its kind goes out, so the cause is cut off as well.
        raise IntegrityError(
            "the query engine could not read its input",
            expected="the Parquet files that the manifest names",
            found=type(cause).__name__,
            todo="run `pulse status --verify` to find the damaged file",
        ) from None


@contextmanager
def open_engine(
    *, threads: int | None = None, memory: str = "8GB", scratch: Path | None = None, ordered: bool = False
) -> Iterator[Engine]:
    """A fresh engine in memory; ``scratch`` is where it may spill to disk; ``ordered`` keeps the order of rows."""
    settings = {"threads": str(threads or granted_threads()), "memory_limit": memory}
    if scratch is not None:
        settings["temp_directory"] = str(scratch)
    connection = duckdb.connect(":memory:")
    try:
        for key, value in settings.items():
            connection.execute(f"SET {key} = {_quoted(value)}")
        connection.execute(_IN_UTC)
        connection.execute(f"SET preserve_insertion_order = {ordered}")
        # In a notebook without widgets the bar is off, and even switching it off is refused.
        if connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
            connection.execute("SET enable_progress_bar = false")
        yield Engine(connection)
    finally:
        connection.close()


class Warehouse:
    """The canonical tables of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def dataset(self, table: str) -> Dataset:
        """The stored files of a canonical table."""
        return Dataset(self.home.warehouse / table)

    def loaded_tables(self) -> dict[str, int]:
        """Rows per canonical table that has any."""
        counts = {name: self.dataset(name).rows() for name in TABLES}
        return {name: rows for name, rows in counts.items() if rows}

    @contextmanager
    def engine(self, *, threads: int | None = None) -> Iterator[Engine]:
        """An engine in which every canonical table has its name; a table never loaded is empty, not missing."""
        with open_engine(threads=threads, scratch=self.home.root / "scratch") as engine:
            self.name_tables(engine)
            yield engine

    def name_tables(self, engine: QueryEngine) -> None:
        """Give every canonical table its name in an engine."""
        if isinstance(engine, Engine):
            engine.holds_answers = sum(self.loaded_tables().values()) <= ANSWERS_IN_MEMORY
        for name in TABLES:
            files = self.dataset(name).files()
            if files:
                engine.name(name, files)
            else:
                engine.name_query(name, empty_table_query(name))

    def require_rows(self, *tables: str) -> None:
        """Refuse to go on while a table has no rows.

        Raises:
            MissingStateError: names the empty tables.
        """
        missing = [name for name in tables if not self.dataset(name).rows()]
        if missing:
            raise MissingStateError(
                "the warehouse lacks tables that this step needs",
                expected=f"rows in {', '.join(tables)}",
                found=f"none in {', '.join(missing)}",
                todo="run `pulse ingest DIR` with a folder that has them",
            )


def empty_table_query(table: str) -> str:
    """A query with a canonical table's columns (envelope first) and no row."""
    columns = (*ENVELOPE, *TABLES[table].columns)
    cells = ", ".join(f'CAST(NULL AS {sql_type(column)}) AS "{column.name}"' for column in columns)
    return f"SELECT {cells} WHERE false"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
