"""Does our state keep the same laws, and tell the same story, in a SQLite file and in a PostgreSQL database?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from features import state_place
from features.errors import ServiceUnavailable, StorageFull
from features.settings import Home
from features.state import engine_of, has_state, insert_new, open_state, writing
from features.state_place import STATE_VARIABLE, StatePlace
from serving.access.rules import AccessScope
from serving.access.store import AccessLine, KeyStore
from serving.entries import Channel, Selection
from serving.ledger import Ledger
from tests.features.online_servers import PASSWORD, Server
from tests.features.state_case import PRODUCTS, ROOT, declared_tables, fill, new_state, server_of
from tests.serving.service_case import PASSED, stored_home
from training import policy_log, promotions
from training.governance import Approval, Governance, approvals, record
from training.policy import PolicyWeights
from training.promotions import promote, rollback
from training.roles import Decision, Role

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def database() -> Iterator[Server | None]:
    with server_of("postgresql") as running:
        yield running


@pytest.fixture(params=PRODUCTS)
def server(request: pytest.FixtureRequest, database: Server | None) -> Server | None:
    return database if request.param == "postgresql" else None


@pytest.fixture
def home(server: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return new_state(server, tmp_path / "home", monkeypatch)


def story(home: Home, assessments: list[Any]) -> list[Any]:
    """What every part of the product says while it lives on a state."""
    before = [has_state(home), promotions.log(home), approvals(home), policy_log.policy_changes(home)]
    told: list[Any] = [*before[1:], KeyStore(home).every_key()]
    for number, version in enumerate(("1", "2", "3")):
        at = MONDAY + timedelta(days=number)
        told.append(promote(home, version, who="ada", why="bétter 'yes'", verdict=PASSED, at=at))
    told += [rollback(home, who="bo", why="worse", at=MONDAY + timedelta(days=9)), promotions.current(home).version]  # type: ignore[union-attr]
    approval = Approval(MONDAY, "cy", next(iter(Role)), "4", "2", Decision.APPROVE, "seen")
    told += [record(home, approval, Governance()), approvals(home)]
    weights = PolicyWeights.model_validate({"name": "ours", "engagement": 2, "sentiment": 1})
    policy_log.put_in_force(home, policy_log.PolicyChange(MONDAY, "di", "why", weights, {"gain": 0.1}))
    told += [policy_log.policy_changes(home), policy_log.weights_in_force(home)]
    ledger = Ledger(home)
    for channel in (Channel.BATCH, Channel.API):
        told.append(ledger.append(assessments, channel=channel, scored_at=MONDAY, data_watermark=MONDAY))
    start = ledger.beginning()
    assert start is not None
    first, rest = ledger.page(start, Selection(), limit=2)
    assert rest is not None
    told += [first, *ledger.page(rest, Selection(), limit=9), ledger.latest(), ledger.history(first[0].account_id)]
    kept = ledger.features(first[0]).astype(object)
    told += [kept.where(kept.notna(), None).to_dict("list"), ledger.healths(start.as_of)]
    keys = KeyStore(home)
    key, _ = keys.create("board", [AccessScope.SCORE_READ], who="ada", at=MONDAY)
    keys.write([AccessLine(MONDAY, key.prefix, "GET /v1/accounts", 200, "r1")])
    keys.revoke(key.prefix, who="ada", at=MONDAY)
    told += [[(one.name, one.scopes, one.revoked_at, one.last_used_at) for one in keys.every_key()], keys.usable()]
    told += [[line.what.replace(key.prefix, "PREFIX") for line in keys.lines(9)]]
    return told


def test_the_same_story_is_told_by_both_products(
    database: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.scorer import Scorer  # noqa: PLC0415  needed here only

    scored = Scorer.open(stored_home(tmp_path / "scored")).assess_cohort(stored_newest())[:5]
    # Ids whose order differs between a sort by bytes and a sort by a language.
    names = ("a", "B", "ä", "_c", "C")
    pattern = [replace(one, account_id=name) for one, name in zip(scored, names, strict=True)]
    homes = []
    for server in (None, database):
        home = new_state(server, tmp_path / f"home-{server is None}", monkeypatch)
        homes.append(story(home, pattern))
        assert home.state.exists() == (server is None)
    in_sqlite, in_postgresql = homes
    assert in_postgresql == in_sqlite


def stored_newest() -> datetime:
    from tests.serving.service_case import newest  # noqa: PLC0415

    return newest()


def test_no_row_of_a_record_can_be_changed_or_deleted(home: Home) -> None:
    engine = open_state(home)
    tables = declared_tables()
    for changes in [table for table in tables.sorted_tables if table.info.get("changes")]:
        tables.remove(changes)
    fill(engine, tables, rows=1)
    closed = tables.sorted_tables
    assert {"promotions", "score_ledger", "access_log"} <= {table.name for table in closed}
    verbs = ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"]
    for table in closed:
        column = next(iter(table.columns)).name
        for verb in [*verbs, "TRUNCATE {0} CASCADE"] if engine.dialect.name == "postgresql" else verbs:
            with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
                connection.exec_driver_sql(verb.format(table.name, column))


def test_a_key_is_neither_changed_nor_brought_back(home: Home) -> None:
    keys = KeyStore(home)
    key, _ = keys.create("board", [AccessScope.SCORE_READ], who="ada", at=MONDAY)
    keys.revoke(key.prefix, who="ada", at=MONDAY)
    engine = open_state(home)
    for statement, reason in (
        ("UPDATE api_keys SET revoked_at = NULL", "a key stays revoked"),
        ("UPDATE api_keys SET scopes = '[\"admin\"]'", "a key is never changed"),
        ("DELETE FROM api_keys", "a key is revoked, never deleted"),
    ):
        with pytest.raises(sa.exc.IntegrityError, match=reason), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    assert not keys.usable()


def counter(engine: sa.Engine) -> sa.Table:
    table = sa.Table(
        "counted", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("seen", sa.Integer)
    )
    table.create(engine)
    return table


def test_what_a_writer_reads_holds_when_it_writes(home: Home) -> None:
    # Eight writers each read the newest number and add the next: one that read before its turn would collide.
    engine = open_state(home)
    table = counter(engine)

    def add(_: int) -> None:
        with writing(engine) as connection:
            newest = connection.scalar(sa.select(sa.func.max(table.c.seen))) or 0
            connection.execute(sa.insert(table).values(seen=newest + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    with engine.connect() as connection:
        assert connection.execute(sa.select(table.c.seen).order_by(table.c.id)).scalars().all() == list(range(1, 25))


def test_numbers_rise_in_the_order_of_commits(home: Home) -> None:
    # A reader who turns pages remembers the newest number: a lower one that came later would be missed.
    engine = open_state(home)
    table = counter(engine)
    with ThreadPoolExecutor(1) as pool, engine.begin() as slow:
        slow.execute(sa.insert(table).values(seen=1))
        second = pool.submit(_insert, engine, table)
        time.sleep(0.3)
        assert not second.done()
        with engine.connect() as reader:  # a reader waits for nobody
            assert reader.execute(sa.select(table.c.seen)).all() == []
        slow.commit()
        second.result(10)
    with engine.connect() as connection:
        assert connection.execute(sa.select(table.c.seen).order_by(table.c.id)).scalars().all() == [1, 2]


def _insert(engine: sa.Engine, table: sa.Table) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(table).values(seen=2))


def test_a_writer_who_waits_too_long_is_told_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    open_state(home).connect().close()
    for module in ("features.state", "features.state_place"):
        monkeypatch.setattr(f"{module}.BUSY_SECONDS", 0.2)
    engine = engine_of(home, what="the promotion log")
    with writing(engine), pytest.raises(ServiceUnavailable, match="the promotion log does not answer"), writing(engine):
        pass


def test_a_row_that_is_there_is_left_as_it_is(home: Home) -> None:
    engine = open_state(home)
    table = counter(engine)
    for seen in (1, 2):
        with engine.begin() as connection:
            connection.execute(insert_new(connection, table).values(id=1, seen=seen))
    with engine.connect() as connection:
        assert connection.execute(sa.select(table)).all() == [(1, 1)]


def test_a_commit_that_returned_is_on_the_disk(home: Home) -> None:
    with open_state(home).connect() as connection:
        if connection.dialect.name == "sqlite":
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
            assert found == ["wal", 2]
        else:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


_PROMOTER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from features.settings import Home
from training.promotions import promote
home = Home(root=Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 10_000):
    promote(home, str(number), who="x", why="y", verdict={"passed": True}, at=datetime(2026, 1, 1, tzinfo=UTC))
    print(number, flush=True)
"""


def test_no_acknowledged_promotion_is_lost_when_the_program_is_killed(home: Home) -> None:
    acknowledged = [0]
    for _ in range(2):
        order = [sys.executable, "-c", _PROMOTER, str(home.root), str(acknowledged[-1] + 2)]
        child = subprocess.Popen(order, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        assert child.stdout is not None
        acknowledged += [int(child.stdout.readline()) for _ in range(4)]
        child.kill()
        acknowledged += [int(line) for line in child.stdout.read().split()]
        child.stdout.close()
        child.wait()
    found = [int(one.version_to) for one in promotions.log(home)]
    # What was committed but not told yet may be there, at most one per kill; nothing twice, nothing told is missing.
    assert set(acknowledged[1:]) <= set(found)
    assert len(found) == len(set(found)) <= len(acknowledged) - 1 + 2
    assert [one.version_from for one in promotions.log(home)] == [None, *(str(number) for number in found[:-1])]


def test_no_failure_of_a_server_shows_user_or_password(
    database: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database is not None
    wrong = [
        database.address.replace(PASSWORD, "hunter2-wrong"),
        re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", database.address),
        database.address.replace("/postgres", "/no_such_database"),
        database.address + "?sslmode=hunter2",
    ]
    for address in wrong:
        monkeypatch.setenv(STATE_VARIABLE, address)
        with pytest.raises(ServiceUnavailable) as refusal:
            promotions.log(Home(root=tmp_path))
        said = f"{refusal.value} {refusal.value.facts()}"
        assert "the promotion log does not answer: expected postgresql://127.0.0.1" in said
        assert not [word for word in ("pulse:", PASSWORD, "hunter2", "user") if word in said]


def test_a_server_that_hangs_is_told_within_seconds_and_used_again_when_it_wakes(
    database: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database is not None
    home = new_state(database, tmp_path, monkeypatch)
    promote(home, "1", who="ada", why="first", verdict=PASSED, at=MONDAY)
    with database.frozen():
        began = time.monotonic()
        with pytest.raises(ServiceUnavailable):
            promotions.log(home)
        assert time.monotonic() - began < state_place.ANSWER_SECONDS + 2
    assert [one.version_to for one in promotions.log(home)] == ["1"]


def test_a_full_disk_of_the_server_is_told_as_such(
    database: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_state(database, tmp_path, monkeypatch)
    with pytest.raises(StorageFull), open_state(home).begin() as connection:
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$")


@pytest.mark.parametrize("said", [None, "", " ", "sqlite"])
def test_without_a_word_the_state_is_the_file_of_the_home(said: str | None) -> None:
    place = StatePlace.from_environment({} if said is None else {STATE_VARIABLE: said})
    assert (place.address, place.shown()) == (None, "the state.db of the home")


def test_a_password_of_its_own_is_put_in_and_never_shown() -> None:
    odd = "p@ss:w/rd?#%"
    place = StatePlace.from_environment(
        {STATE_VARIABLE: "postgres://me@h:5433/d?sslmode=require", state_place.PASSWORD_VARIABLE: odd}
    )
    parts = place.connection_parts()
    assert {name: parts[name] for name in ("host", "port", "user", "password", "dbname", "sslmode")} == {
        "host": "h", "port": 5433, "user": "me", "password": odd, "dbname": "d", "sslmode": "require",
    }  # fmt: skip
    assert place.shown() == "postgresql://h:5433/d"
    assert not [word for word in (odd, "me@", "%40") if word in f"{place!r} {place} {place.model_dump_json()}"]


@pytest.mark.parametrize("said", ["mysql://me:secret@h/d", "postgresql://me:secret@h", "secret", "redis://h/1"])
def test_any_other_place_is_refused_and_not_repeated(said: str) -> None:
    with pytest.raises(state_place.ConfigError) as refusal:
        StatePlace.from_environment({STATE_VARIABLE: said})
    assert "secret" not in f"{refusal.value} {refusal.value.facts()}"
