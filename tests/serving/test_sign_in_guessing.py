"""Whoever guesses passwords or keys: how many guesses are looked at, what can he tell by the time, who is kept out?"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from features import audit_log
from features.audit_log import What
from features.errors import ConfigError, UsageError
from features.settings import Home
from serving.access import desk as desk_module
from serving.access import passwords
from serving.access.desk import Attempt, Outcome
from serving.access.passwords import hashed, matches, outdated, require_good
from serving.access.people import Newcomer, PeopleStore
from serving.access.roles import PersonRole
from serving.access.rules import AccessScope
from serving.access.secret import signer
from serving.access.store import KeyStore
from serving.access.tables import PeopleTables
from serving.access.tokens import Fingerprint, new_token
from tests.serving.people_case import PASSWORD, START, WRONG, Place, add_person, new_home

GUESSES = 10_000
"""Row 55 of the bar; refused guesses cost a read each."""

EMAIL = "ada@vendor.example"


def attempt(number: int = 0, *, password: str = WRONG, device: str | None = None, email: str = EMAIL) -> Attempt:
    return Attempt(email, password, f"10.0.{number % 50}.1", device, None)


class Counted:
    """Counts the passwords that were compared, and compares the first of them really."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compared = 0
        self._really = passwords.matches
        monkeypatch.setattr(desk_module.passwords, "matches", self._matches)

    def _matches(self, kept: str | None, password: str) -> bool:
        self.compared += 1
        return self._really(kept, password)


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(new_home(tmp_path))
    yield made
    made.context.close()


@pytest.mark.parametrize("addresses", [1, 50])
def test_of_ten_thousand_guesses_at_most_twenty_an_hour_are_looked_at(
    place: Place, monkeypatch: pytest.MonkeyPatch, addresses: int
) -> None:
    counted, desk = Counted(monkeypatch), place.context.door.desk
    outcomes = [desk.sign_in(attempt(number % addresses)).outcome for number in range(200)]
    # What is refused once is refused by one read; the remaining guesses are asked where that is decided.
    refused = [desk._may_try(EMAIL, desk.people.require(EMAIL), None) for _ in range(3)]
    assert outcomes == [Outcome.WRONG] * 10 + [Outcome.LIMITED] * 190
    assert refused == [False] * 3
    assert counted.compared == 10
    place.later(timedelta(hours=1, seconds=1))
    assert [desk.sign_in(attempt()).outcome for _ in range(2)] == [Outcome.WRONG] * 2


def test_the_owner_comes_in_while_somebody_guesses(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = place.context.door.desk
    at_home = desk.sign_in(attempt(password=PASSWORD))
    for number in range(30):
        desk.sign_in(attempt(number))
    # From the browser that he signed in with before, with tries of its own; a strange one has to wait.
    assert desk.sign_in(attempt(password=PASSWORD, device=at_home.device)).outcome is Outcome.SIGNED_IN
    assert desk.sign_in(attempt(password=PASSWORD)).outcome is Outcome.LIMITED
    counted = Counted(monkeypatch)
    outcomes = [desk.sign_in(attempt(device=at_home.device)).outcome for _ in range(30)]
    assert (counted.compared, outcomes[-1]) == (9, Outcome.LIMITED)  # ten with the one above: twenty an hour in all
    place.later(timedelta(hours=1, seconds=1))
    assert desk.sign_in(attempt(password=PASSWORD)).outcome is Outcome.SIGNED_IN


@pytest.mark.parametrize("damage", ["another person", "another password since", "a made-up one", "half a year later"])
def test_a_browser_counts_as_known_only_to_its_owner_and_only_so_long(place: Place, damage: str) -> None:
    desk, store = place.context.door.desk, PeopleStore(PeopleTables(place.home))
    device = desk.sign_in(attempt(password=PASSWORD)).device
    person = store.require(EMAIL)
    if damage == "another person":
        person = add_person(place.home, "bob@vendor.example")
    elif damage == "another password since":
        person = store.set_password(person, WRONG, who="user root", at=START)
    elif damage == "a made-up one":
        device = "WyJ1IiwxLCJ4Il0.aaaaaa.bbbb"
    else:
        device = str(signer(place.home, "another purpose").dumps([person.id, person.generation, "x"]))
    assert desk._known(device, person) is None


def test_that_somebody_guesses_is_told_once_an_hour_and_names_him_by_his_id(place: Place) -> None:
    desk = place.context.door.desk
    for number in range(40):
        desk.sign_in(attempt(number))
        desk.sign_in(attempt(number, email="nobody@vendor.example"))
    person = desk.people.require(EMAIL)
    told = [facts for event, facts in place.events if event == "sign-in blocked"]
    assert told == [{"person": person.id}, {"person": "unknown"}]
    (line, *_) = audit_log.read(place.home, 5)
    assert (line.deed.what, line.deed.subject, line.deed.after) == (What.SIGN_IN_BLOCKED, person.id, {"tries": 10})


def test_an_address_has_only_so_many_tries_whatever_names_it_tries(tmp_path: Path) -> None:
    place = Place(new_home(tmp_path))
    desk = place.context.door.desk
    limit = place.context.settings.access.limits.per_address
    for _ in range(limit - 1):
        assert desk.limits.take(desk_module.an_hour(limit), "sign-in from", "10.0.0.1").allowed
    assert desk.sign_in(attempt()).outcome is Outcome.WRONG
    assert desk.sign_in(attempt()).outcome is Outcome.LIMITED
    assert desk.sign_in(attempt(1)).outcome is Outcome.WRONG
    place.context.close()


def test_an_answer_takes_as_long_for_an_unknown_name_as_for_a_known_one() -> None:
    kept = hashed(PASSWORD)
    matches(None, WRONG)  # the hash of nobody is made once
    # Processor time, because the clock on the wall is shared: 5 ms between the means is the bar, the work is 25 ms.
    spent: dict[bool, list[float]] = {True: [], False: []}
    for number in range(24):
        began = time.process_time()
        assert not matches(kept if number % 2 else None, WRONG)
        spent[bool(number % 2)].append(time.process_time() - began)
    assert abs(mean(spent[True]) - mean(spent[False])) < 0.005


def test_the_desk_does_the_same_work_whoever_is_asked_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, desk = Counted(monkeypatch), place.context.door.desk
    PeopleStore(PeopleTables(place.home)).add(Newcomer("oidc@vendor.example", "O", PersonRole.ADMIN), who="x", at=START)
    for number, email in enumerate((EMAIL, "nobody@vendor.example", "oidc@vendor.example"), start=1):
        assert desk.sign_in(attempt(email=email)).outcome is Outcome.WRONG
        assert counted.compared == number


def test_ten_thousand_made_up_keys_cost_nothing_and_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home(tmp_path)
    key, token = KeyStore(home).create("bot", [AccessScope.SCORE_READ], who="user root", at=START)
    compared: list[str] = []
    monkeypatch.setattr(Fingerprint, "matches", lambda _self, one: bool(compared.append(one)) or one == token)
    made_up = [new_token() for _ in range(GUESSES)]
    (kept,) = KeyStore(home).every_key()
    wrong = [one for one in made_up if kept.fingerprint.mark_of(one) == kept.mark]
    assert (wrong, kept.fingerprint.mark_of(token)) == ([], key.mark)
    place = Place(home)
    for one in made_up[:50]:
        forged = f"pulse_{key.prefix}_{one.split('_', 2)[2][:43]}"
        answer = place.browser().get("/v1/levers", headers={"authorization": f"Bearer {_checked(forged)}"})
        assert answer.status_code == 401
    assert compared == []
    told = place.browser().get("/v1/accounts", headers={"authorization": f"Bearer {token}"})
    assert (told.status_code, compared) == (200, [token])
    place.context.close()


def _checked(body: str) -> str:
    import zlib  # noqa: PLC0415

    return f"{body}{zlib.crc32(body.removeprefix('pulse_').encode()):08x}"


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaaa", "121212121212", "x" * 201, "ada@vendor.example", ""])
def test_a_password_that_is_guessed_at_once_is_refused(weak: str) -> None:
    with pytest.raises(UsageError, match="this password cannot be taken") as refusal:
        require_good(weak, email="ada@vendor.example")
    assert not weak or weak not in str(refusal.value)


def test_a_password_is_kept_as_a_salted_hash_and_known_again() -> None:
    first, second = hashed(PASSWORD), hashed(PASSWORD)
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (matches(first, PASSWORD), matches(first, WRONG), matches(None, PASSWORD)) == (True, False, False)
    assert not matches("no hash", PASSWORD)


def test_a_hash_of_weaker_times_is_made_anew_when_its_owner_signs_in(place: Place) -> None:
    from argon2 import PasswordHasher  # noqa: PLC0415

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    tables = PeopleTables(place.home)
    with tables.writing() as connection:
        connection.exec_driver_sql("UPDATE people SET password = ?", (weak,))
    assert outdated(weak)
    assert place.context.door.desk.sign_in(attempt(password=PASSWORD)).outcome is Outcome.SIGNED_IN
    kept = PeopleStore(tables).require(EMAIL).password
    assert kept is not None
    assert not outdated(kept)


def test_no_file_of_the_home_holds_a_password_a_session_or_a_link(place: Place) -> None:
    desk = place.context.door.desk
    admission = desk.sign_in(attempt(password=PASSWORD))
    code = desk.people.make_link(desk.people.require(EMAIL), who="user root", at=START)
    for path in place.home.root.iterdir():
        content = path.read_bytes()
        for secret in (PASSWORD, admission.session, code):
            assert str(secret).encode() not in content
        assert path.stat().st_mode & 0o077 == 0 or place.home.root.stat().st_mode & 0o077 == 0


def test_the_secret_of_cookies_is_a_file_of_its_owner_or_the_environments(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    signed = signer(home, "device", {}).dumps("x")
    (file,) = tmp_path.iterdir()
    assert (file.stat().st_mode & 0o777, len(file.read_text())) == (0o600, 43)
    assert signer(home, "device", {}).loads(signed) == "x"
    shared = {"PULSE_COOKIE_SECRET": "s" * 32}
    assert signer(home, "device", shared).dumps("x") != signed
    with pytest.raises(ConfigError, match="the secret for cookies can be guessed"):
        signer(home, "device", {"PULSE_COOKIE_SECRET": "short"})
