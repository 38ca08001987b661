"""Keys: how they look, what is kept of them, and what the log remembers."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.errors import ServiceUnavailable, UsageError
from features.settings import Home
from serving.access import trail as trail_module
from serving.access.rules import AccessScope
from serving.access.store import LONGEST_NAME, NOBODY, AccessLine, KeyStore
from serving.access.tokens import Fingerprint, new_token, prefix_of
from serving.access.trail import AccessTrail
from serving.request_log import silent_tell

MONDAY = datetime(2024, 4, 15, tzinfo=UTC)
READ = (AccessScope.SCORE_READ, AccessScope.EXPLAIN_READ)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(Home(root=tmp_path))


def made(store: KeyStore, name: str = "bot") -> tuple[str, str]:
    key, token = store.create(name, READ, who="user ada", at=MONDAY)
    return key.prefix, token


def test_two_keys_are_never_alike_and_hold_256_random_bits() -> None:
    tokens = {new_token() for _ in range(300)}
    assert len({prefix_of(token) for token in tokens}) == 300
    # 43 letters of 64: as many bits as 32 bytes have.
    assert {len(token) for token in tokens} == {len("pulse_") + 8 + 1 + 43 + 8}


@pytest.mark.parametrize(
    "damage", [lambda t: t[:-1], lambda t: t + "0", lambda t: t.upper(), lambda t: t[:20] + t[21:]]
)
def test_a_key_that_was_cut_or_mistyped_is_known_as_none(damage: Any) -> None:
    assert prefix_of(damage(new_token())) is None


def test_every_single_wrong_letter_is_found_without_the_store() -> None:
    token = new_token()
    wrong = [f"{token[:place]}{'a' if token[place] != 'a' else 'b'}{token[place + 1 :]}" for place in range(len(token))]
    assert [prefix_of(text) for text in wrong] == [None] * len(token)


def test_a_fingerprint_knows_its_own_key_only_and_salts_every_time() -> None:
    token = new_token()
    first, second = Fingerprint.of(token), Fingerprint.of(token)
    assert first.matches(token)
    assert not first.matches(new_token())
    assert first.salt != second.salt
    assert first.hash != second.hash


def test_no_file_of_the_home_holds_a_key(store: KeyStore, tmp_path: Path) -> None:
    prefix, token = made(store)
    store.write([AccessLine(MONDAY, prefix, "GET /v1/accounts", 200, "r-1")])
    secret = token.removeprefix(f"pulse_{prefix}_")
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert secret.encode() not in content
        assert secret[:20].encode() not in content


def test_a_key_is_listed_with_all_but_itself(store: KeyStore) -> None:
    prefix, _ = made(store)
    (key,) = store.every_key()
    assert (key.prefix, key.name, key.scopes, key.created_at) == (prefix, "bot", frozenset(READ), MONDAY)
    assert (key.revoked_at, key.last_used_at) == (None, None)
    assert store.usable()


def test_asking_a_home_without_keys_makes_no_state(store: KeyStore, tmp_path: Path) -> None:
    assert (store.every_key(), store.usable(), store.lines(5)) == ((), False, ())
    with pytest.raises(UsageError, match="there is no key to revoke"):
        store.revoke("aaaaaaaa", who="user ada", at=MONDAY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * (LONGEST_NAME + 1), "a\nb", "a\x1b[31m"])
def test_a_name_that_cannot_be_shown_is_refused(store: KeyStore, name: str) -> None:
    with pytest.raises(UsageError, match="this key cannot be made"):
        store.create(name, READ, who="user ada", at=MONDAY)


def test_a_key_without_a_scope_is_refused(store: KeyStore) -> None:
    with pytest.raises(UsageError, match="at least one scope"):
        store.create("bot", (), who="user ada", at=MONDAY)


def test_a_revoked_key_stays_revoked_and_in_the_list(store: KeyStore) -> None:
    prefix, _ = made(store)
    late = MONDAY + timedelta(days=1)
    assert store.revoke(prefix, who="user ada", at=late).revoked_at == late
    with pytest.raises(UsageError, match="a key that is not revoked yet"):
        store.revoke(prefix, who="user ada", at=late)
    assert ([key.revoked_at for key in store.every_key()], store.usable()) == ([late], False)


def test_the_log_tells_who_what_and_when_newest_first(store: KeyStore) -> None:
    prefix, _ = made(store)
    used = MONDAY + timedelta(hours=3)
    asked = AccessLine(used, prefix, "GET /v1/accounts", 200, "r-1")
    refused = AccessLine(used, NOBODY, "POST /v1/score", 401, "r-2")
    store.write([asked, refused])
    assert store.lines(10) == (refused, asked, AccessLine(MONDAY, "user ada", f"key {prefix} made"))
    assert [key.last_used_at for key in store.every_key()] == [used]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM access_log", "the access log is append-only"),
        ("UPDATE access_log SET who = 'x'", "the access log is append-only"),
        ("DELETE FROM api_keys", "a key is revoked, never deleted"),
        ("UPDATE api_keys SET scopes = '[\"admin\"]'", "a key is never changed"),
        ("UPDATE api_keys SET hash = x'00'", "a key is never changed"),
        ("UPDATE api_keys SET revoked_at = NULL", "a key stays revoked"),
    ],
)
def test_the_store_refuses_what_would_hide_or_widen_something(
    store: KeyStore, tmp_path: Path, statement: str, reason: str
) -> None:
    store.revoke(made(store)[0], who="user ada", at=MONDAY)
    connection = sqlite3.connect(tmp_path / "state.db")
    try:
        with pytest.raises(sqlite3.IntegrityError, match=reason):
            connection.execute(statement)
    finally:
        connection.close()


def test_reading_a_state_without_keys_loses_nothing_of_it(store: KeyStore, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "state.db")
    connection.execute("CREATE TABLE promotions (id INTEGER)")
    connection.execute("INSERT INTO promotions VALUES (7)")
    connection.commit()
    assert (store.every_key(), store.lines(3)) == ((), ())
    rows = connection.execute("SELECT id FROM promotions").fetchall()
    connection.close()
    assert rows == [(7,)]


def test_a_store_that_is_no_database_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("this is no database, and it is long enough to be read as one " * 40)
    with pytest.raises(ServiceUnavailable, match="the store of keys does not answer"):
        KeyStore(Home(root=tmp_path)).every_key()


def test_lines_are_written_without_anybody_asking(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "EVERY_SECONDS", 0.01)
    trail = AccessTrail(store, silent_tell)
    trail.add(AccessLine(MONDAY, NOBODY, "GET /v1/accounts", 401, "r-1"))
    for _ in range(500):
        if store.lines(1):
            break
        trail_module.Event().wait(0.01)
    assert store.lines(5) == (AccessLine(MONDAY, NOBODY, "GET /v1/accounts", 401, "r-1"),)
    trail.close()


def test_lines_wait_in_order_while_the_store_does_not_answer(tmp_path: Path) -> None:
    told: list[tuple[str, Any]] = []
    state = tmp_path / "state.db"
    state.mkdir()
    store = KeyStore(Home(root=tmp_path))
    trail = AccessTrail(store, lambda event, facts: told.append((event, facts["waiting"])))
    lines = [AccessLine(MONDAY, NOBODY, "GET /v1/accounts", 401, f"r-{number}") for number in range(3)]
    for line in lines:
        trail.add(line)
    trail.flush()
    assert told == [("access log not written", 3)]
    state.rmdir()
    trail.close()
    assert store.lines(5) == tuple(reversed(lines))


def test_when_too_many_wait_the_oldest_are_given_up_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_module, "MOST_WAITING", 2)
    told: list[Any] = []
    (tmp_path / "state.db").mkdir()
    trail = AccessTrail(KeyStore(Home(root=tmp_path)), lambda _, facts: told.append((facts["waiting"], facts["lost"])))
    for number in range(5):
        trail.add(AccessLine(MONDAY, NOBODY, "GET /v1/accounts", 401, f"r-{number}"))
    trail.flush()
    assert told == [(2, 3)]
    trail.close()
