"""`pulse keys`: made once, listed for ever, revoked for good."""

from __future__ import annotations

import getpass
from pathlib import Path

from serving.access.tokens import prefix_of
from tests.walk_case import pulse


def test_a_key_is_shown_once_and_never_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = pulse("keys", "create", "--name", "bot", "--scope", "score:read", "--scope", "admin", home=home)
    token, told, advice = made.stdout.splitlines()
    prefix = prefix_of(token)
    assert prefix is not None
    assert told == f"key {prefix} (bot) may admin, score:read"
    assert advice.startswith("keep it now: it is stored nowhere.")
    assert (made.document["key"], made.document["prefix"]) == (token, prefix)
    listed = pulse("keys", "list", home=home)
    assert listed.stdout.split() == [prefix, "bot", "admin,", "score:read", "never", "used"]
    (key,) = listed.document["keys"]
    assert sorted(key) == ["created_at", "last_used_at", "name", "prefix", "revoked_at", "scopes", "teams"]
    assert token not in listed.stdout + str(listed.document)


def test_a_revoked_key_is_listed_as_such_and_the_log_knows_who_did_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prefix = pulse("keys", "create", "--name", "bot", "--scope", "admin", home=home).document["prefix"]
    assert pulse("keys", "revoke", prefix, home=home).stdout == f"key {prefix} (bot) is revoked\n"
    assert "revoked 2" in pulse("keys", "list", home=home).stdout
    again = pulse("keys", "revoke", prefix, home=home)
    assert (again.code, again.document["failure"]["title"]) == (2, "there is no key to revoke")
    lines = pulse("keys", "log", home=home).document["lines"]
    assert [(line["who"], line["what"]) for line in lines] == [
        (f"user {getpass.getuser()}", f"key {prefix} revoked"),
        (f"user {getpass.getuser()}", f"key {prefix} made"),
    ]
    assert len(pulse("keys", "log", "--limit", "1", home=home).document["lines"]) == 1


def test_a_home_without_keys_says_so_and_stays_empty(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert pulse("keys", "list", home=home).stdout == (
        "no key was made yet: the API is open to this machine, and to no other\n"
    )
    assert pulse("keys", "log", home=home).stdout == "nothing was asked yet\n"
    assert not home.exists()


def test_a_scope_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    told = pulse("keys", "create", "--name", "bot", "--scope", "everything", home=tmp_path / "home")
    assert (told.code, told.stdout) == (2, "")
    assert not (tmp_path / "home").exists()
