"""Are the tables of the steps those that the rooms declare, and is no row lost on any way between versions?"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from features.errors import IntegrityError, UsageError
from features.migrations import BEFORE, FOLDER, HEAD, bring_to_head, revision_of, steps, take_back
from features.settings import Home
from features.state import engine_of, open_state
from tests.features.online_servers import Server
from tests.features.state_case import PRODUCTS, ROOT, contents, declared_tables, fill, new_state, server_of

OLD_SCHEMA = Path(__file__).parent / "state_before_steps.sql"


@pytest.fixture(scope="module", params=PRODUCTS)
def server(request: pytest.FixtureRequest) -> Iterator[Server | None]:
    with server_of(request.param) as running:
        yield running


@pytest.fixture
def home(server: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return new_state(server, tmp_path / "home", monkeypatch)


def reflected(engine: sa.Engine) -> sa.MetaData:
    """Every table that is really there, but alembic's own."""
    found = sa.MetaData()
    found.reflect(engine)
    found.remove(found.tables["alembic_version"])
    return found


def laws_in(engine: sa.Engine) -> dict[str, set[str]]:
    """The names of the triggers of each table."""
    query = {
        "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace",
    }[engine.dialect.name]
    found: dict[str, set[str]] = {}
    with engine.connect() as connection:
        for table, name in connection.exec_driver_sql(query):
            found.setdefault(table, set()).add(name.lower())
    return found


def test_the_steps_make_what_the_rooms_declare_and_nothing_else(home: Home) -> None:
    # A table or column that was declared and has no step would be missing in every home that is there already.
    engine = open_state(home)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        missing = produce_migrations(context, declared_tables())
        code = render_python_code(missing.upgrade_ops)
        assert compare_metadata(context, declared_tables()) == [], f"put this into a new step:\n{code}"


def test_every_table_is_append_only_or_says_why_it_changes(home: Home) -> None:
    engine = open_state(home)
    laws, on_postgresql = laws_in(engine), engine.dialect.name == "postgresql"
    verbs = ("update", "delete", "truncate") if on_postgresql else ("update", "delete")
    open_tables = {
        table.name
        for table in declared_tables().sorted_tables
        if not {f"{table.name}_no_{verb}" for verb in verbs} <= laws.get(table.name, set())
        and not table.info.get("changes")
    }
    assert open_tables == set()


def test_what_is_called_the_newest_version_is_the_last_step() -> None:
    script = ScriptDirectory(str(FOLDER))
    assert script.get_heads() == [HEAD]
    names = [name for name, _ in steps()]
    assert names == sorted(names) == [path.name[1:5] for path in sorted((FOLDER / "versions").glob("m*.py"))]


def test_opening_again_changes_nothing(home: Home) -> None:
    engine = open_state(home)
    fill(engine, reflected(engine), rows=2)
    before = contents(engine, reflected(engine))
    again = open_state(home)
    assert contents(again, reflected(again)) == before
    assert len(before["promotions"]) == 2


def test_a_state_from_before_the_steps_is_taken_over_with_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_state(None, tmp_path, monkeypatch)
    with closing(sqlite3.connect(home.state)) as connection:
        connection.executescript(OLD_SCHEMA.read_text())
        before = {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        }
    assert {table: len(rows) for table, rows in before.items() if rows} == {"promotions": 2, "score_ledger": 1}
    engine = open_state(home)
    with engine.connect() as connection:
        assert revision_of(connection) == HEAD
        for table, rows in before.items():
            found = [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
            assert [row[: len(rows[0])] for row in found] == rows if rows else found == []
    # The law of the ledger holds for the old rows, too, and what came later is null in them.
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql("UPDATE score_ledger SET health = 100")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT interval_low FROM score_ledger").all() == [(None,)]


def test_many_that_open_at_once_run_the_steps_once(home: Home) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: revision_of_state(home), range(6)))
    assert found == [HEAD] * 6
    with engine_of(home).connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM alembic_version").scalar() == 1


def test_two_programs_that_open_at_once_run_the_steps_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = new_state(None, tmp_path / "home", monkeypatch)
    code = (
        "import sys; from pathlib import Path; from features.settings import Home;"
        "from features.state import open_state;"
        "open_state(Home(root=Path(sys.argv[1]))).connect().close()"
    )
    order = [sys.executable, "-c", code, str(home.root)]
    programs = [subprocess.Popen(order, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    told = [program.communicate(timeout=60)[1] for program in programs]
    assert ([program.returncode for program in programs], told) == ([0, 0], [b"", b""])
    assert revision_of_state(home) == HEAD


def revision_of_state(home: Home) -> str | None:
    with open_state(home).connect() as connection:
        return revision_of(connection)


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The steps there are, in a folder of their own, to which a test adds one."""
    return Path(shutil.copytree(FOLDER, tmp_path / "later", ignore=shutil.ignore_patterns("__pycache__")))


def add_step(folder: Path, upgrade: str, downgrade: str = "pass") -> None:
    code = f'''
        """A step of a test."""
        from alembic import op
        import sqlalchemy as sa
        from features.state_laws import append_only, lay_down
        revision, down_revision = "9000", "{HEAD}"
        def upgrade():
            {upgrade}
        def downgrade():
            {downgrade}
        '''
    (folder / "versions" / "m9000_of_a_test.py").write_text(textwrap.dedent(code))


def test_a_step_that_fails_leaves_the_old_tables_usable(home: Home, later: Path) -> None:
    engine = open_state(home)
    fill(engine, reflected(engine), rows=2)
    tables = reflected(engine)
    before, laws = contents(engine, tables), laws_in(engine)
    add_step(
        later,
        "op.create_table('half', sa.Column('id', sa.Integer)); op.drop_table('model_approvals');"
        " op.execute('UPDATE no_such_table SET x = 1')",
    )
    with pytest.raises(sa.exc.DBAPIError, match="no_such_table"):
        bring_to_head(engine, folder=later, head="9000")
    assert contents(engine, reflected(engine)) == before
    assert (revision_of_state(home), laws_in(engine)) == (HEAD, laws)
    assert "half" not in reflected(engine).tables
    with engine.begin() as connection:
        promotions = tables.tables["promotions"]
        row = {column.name: "goes on" for column in promotions.columns if column.name != "id"}
        connection.execute(sa.insert(promotions).values(row | {"id": 999}))


def test_a_step_that_rebuilds_a_table_keeps_rows_pointers_and_laws_on_both_ways(home: Home, later: Path) -> None:
    engine = open_state(home)
    fill(engine, reflected(engine), rows=3)
    before, laws = contents(engine, reflected(engine)), laws_in(engine)
    change = (
        "with op.batch_alter_table('score_ledger') as table: table.alter_column('{}', new_column_name='{}')\n"
        "            lay_down(op.get_bind(), *append_only('score_ledger', 'the score ledger'))"
    )
    add_step(later, change.format("band", "ribbon"), change.format("ribbon", "band"))
    bring_to_head(engine, folder=later, head="9000")
    assert "ribbon" in reflected(engine).tables["score_ledger"].columns
    take_back(engine, HEAD, folder=later)
    assert contents(engine, reflected(engine)) == before
    assert laws_in(engine) == laws
    assert revision_of_state(home) == HEAD


def test_a_way_back_to_the_beginning_and_up_again_loses_no_row(home: Home) -> None:
    engine = open_state(home)
    fill(engine, reflected(engine), rows=3)
    before = contents(engine, reflected(engine))
    for revision in (steps()[-2][0], BEFORE):
        take_back(engine, revision)
        assert contents(engine, reflected(engine)) == before, revision
    bring_to_head(engine)
    assert contents(engine, reflected(engine)) == before
    assert revision_of_state(home) == HEAD


def test_a_state_of_a_newer_version_is_refused_and_left_alone(home: Home, later: Path) -> None:
    engine = open_state(home)
    add_step(later, "op.create_table('newer', sa.Column('id', sa.Integer))")
    bring_to_head(engine, folder=later, head="9000")
    with pytest.raises(IntegrityError) as refusal, open_state(home).connect():
        pass
    assert re.sub(r"\s+", " ", str(refusal.value)) == (
        "the state was changed by a newer version of campaign-pulse: "
        f"expected tables of version {HEAD} or older; found version 9000; "
        f"install that version again, or let it run `pulse state downgrade --to {HEAD}` first"
    )
    with engine_of(home).connect() as connection:
        assert revision_of(connection) == "9000"


@pytest.mark.parametrize("revision", ["9999", "nonsense", "0001; DROP TABLE promotions"])
def test_a_way_back_to_what_never_was_is_refused(home: Home, revision: str) -> None:
    engine = open_state(home)
    with pytest.raises(UsageError, match="cannot be brought back"):
        take_back(engine, revision)
