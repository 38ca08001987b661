"""`pulse users`: a password is typed or chosen by a link, never an argument; everything is on record."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features import audit_log
from features.settings import Home
from pulse import app
from serving.access.people import PeopleStore
from serving.access.tables import PeopleTables
from tests.serving.people_case import PASSWORD, Place, new_home
from tests.walk_case import pulse

ADA = "ada@vendor.example"


def typed(home: Path, *words: str, keys: str) -> Any:
    return CliRunner().invoke(app, [*words, "--home", str(home)], input=keys)


def test_a_person_is_added_with_a_link_and_signs_in_with_what_he_chose(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    words = ("users", "add", "bo@vendor.example", "--name", "Bo", "--role", "success", "--team", "owner:csm1", "--link")
    told = pulse(*words, home=tmp_path)
    may, path, advice = told.stdout.splitlines()
    person_id = told.document["id"]
    assert may == f"bo@vendor.example ({person_id}) is here as customer success and sees owner:csm1"
    assert path.startswith("/sign-up?code=")
    assert "works once, within three days" in advice
    assert (told.document["has_password"], told.document["teams"]) == (False, ["owner:csm1"])
    lines = [(one.deed.who, one.deed.what, one.deed.subject) for one in audit_log.read(home, 2)]
    who = f"user {getpass.getuser()}"
    assert lines == [(who, "sign-up link made", person_id), (who, "person added", person_id)]


def test_a_password_is_typed_twice_and_shown_nowhere(tmp_path: Path) -> None:
    new_home(tmp_path)
    done = typed(tmp_path, "users", "reset", ADA, keys=f"{PASSWORD} more\n{PASSWORD} more\n")
    assert (done.exit_code, PASSWORD in done.output) == (0, False)
    place = Place(Home(root=tmp_path))
    assert place.browser().sign_in(password=f"{PASSWORD} more").status_code == 303
    place.context.close()


def test_a_password_that_is_too_weak_adds_nobody(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    words = ("users", "add", "bo@vendor.example", "--name", "Bo", "--role", "success")
    done = typed(tmp_path, *words, keys="short\nshort\n")
    assert (done.exit_code, "this password cannot be taken" in done.output) == (2, True)
    assert [one.email for one in PeopleStore(PeopleTables(home)).everyone()] == [ADA]


def test_a_person_is_changed_disabled_enabled_and_listed(tmp_path: Path) -> None:
    new_home(tmp_path)
    changed = pulse("users", "change", ADA, "--role", "finance", "--team", "segment:studio", home=tmp_path)
    assert (changed.document["role"], changed.document["teams"]) == ("finance", ["segment:studio"])
    assert pulse("users", "change", ADA, "--every-account", home=tmp_path).document["teams"] == []
    assert pulse("users", "disable", ADA, home=tmp_path).stdout == f"{ADA} is disabled; every session has ended\n"
    assert "disabled 2" in pulse("users", "list", home=tmp_path).stdout
    assert pulse("users", "enable", ADA, home=tmp_path).document["disabled_at"] is None
    listed = pulse("users", "list", home=tmp_path)
    assert listed.stdout.split()[1:] == [ADA, "finance", "every", "account", "never", "signed", "in"]
    (person,) = listed.document["users"]
    assert "argon2" not in str(person)


def test_a_home_in_which_nobody_was_added_says_so_and_stays_empty(tmp_path: Path) -> None:
    told = pulse("users", "list", home=tmp_path / "home")
    assert told.stdout == "nobody was added yet: the pages are open to this machine, and to no other\n"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (("add", ADA, "--name", "A", "--role", "admin", "--link"), "this person cannot be added"),
        (("add", "no address", "--name", "A", "--role", "admin", "--link"), "this person cannot be added"),
        (("add", "b@x.example", "--name", "", "--role", "admin", "--link"), "this person cannot be added"),
        (("add", "b@x.example", "--name", "B", "--role", "admin", "--team", "x", "--link"), "this is no team"),
        (("disable", "b@x.example"), "there is no such person here"),
        (("reset", "b@x.example", "--link"), "there is no such person here"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_naming_anybody(
    tmp_path: Path, words: tuple[str, ...], title: str
) -> None:
    new_home(tmp_path)
    told = pulse("users", *words, home=tmp_path)
    assert (told.code, told.document["failure"]["title"]) == (2, title)
    assert "vendor.example" not in told.stderr


def test_a_key_may_be_bound_to_teams(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    words = ("keys", "create", "--name", "crm", "--scope", "score:read", "--team", "segment:studio")
    told = pulse(*words, home=tmp_path)
    assert told.stdout.splitlines()[1].endswith("may score:read, for accounts of segment:studio")
    assert pulse("keys", "list", home=tmp_path).stdout.rstrip().endswith("only segment:studio")
    (line,) = audit_log.read(home, 1)
    assert (line.deed.what, line.deed.after) == ("key made", {"scopes": ["score:read"], "teams": ["segment:studio"]})
