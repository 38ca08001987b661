"""Who may sign in, in which role, and whose accounts do they see?"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.console import Answer, Clock, command
from features.settings import Home
from serving.access.roles import SCOPES, TITLES, PersonRole
from serving.access.teams import Teams
from serving.commands.keys import TeamOption

if TYPE_CHECKING:
    from serving.access.people import PeopleStore, Person

group = typer.Typer(no_args_is_help=True, help="Add, list and disable the people who sign in to the pages.")

EmailArgument = Annotated[str, typer.Argument(help="E-mail address of the person.")]
LinkOption = Annotated[
    bool, typer.Option("--link", help="Print a one-time link with which the person sets a password.")
]


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="users")


@command(group)
def add(
    place: Home,
    clock: Clock,
    *,
    email: EmailArgument,
    name: Annotated[str, typer.Option(help="How the pages greet the person.")],
    role: Annotated[PersonRole, typer.Option(help="What the person is here for.")],
    team: TeamOption = None,
    link: LinkOption = False,
) -> Answer:
    """Add a person; from then on the pages need a sign-in. The password is typed here, or chosen by a link."""
    from serving.access.passwords import require_good
    from serving.access.people import Newcomer, as_email

    teams = Teams.of(team or ())
    password = None if link else require_good(_typed(), email=as_email(email))
    store = _store(place)
    person = store.add(Newcomer(email, name, role, teams), who=_who(), at=clock())
    return _with_password(store, person, password, clock)


@command(group, "list")
def tell(place: Home) -> Answer:
    """List everybody who was ever added: address, role, teams, last sign-in."""
    found = _store(place).everyone()
    if not found:
        return Answer(["nobody was added yet: the pages are open to this machine, and to no other"], {"users": []})
    return Answer([_line(person) for person in found], {"users": [_document(person) for person in found]})


@command(group)
def change(
    place: Home,
    clock: Clock,
    *,
    email: EmailArgument,
    role: Annotated[PersonRole | None, typer.Option(help="Another role.")] = None,
    team: TeamOption = None,
    every_account: Annotated[bool, typer.Option("--every-account", help="Bind the person to no team.")] = False,
) -> Answer:
    """Give a person another role or other teams; counts with the next request."""
    store = _store(place)
    person = store.require(email)
    teams = Teams.of(team) if team else Teams() if every_account else person.teams
    person = store.change(person, role or person.role, teams, who=_who(), at=clock())
    return Answer([_line(person)], _document(person))


@command(group)
def disable(place: Home, clock: Clock, *, email: EmailArgument) -> Answer:
    """Let a person in no more, within a second; the record of what was done stays."""
    store = _store(place)
    person = store.disable(store.require(email), who=_who(), at=clock())
    return Answer([f"{person.email} is disabled; every session has ended"], _document(person))


@command(group)
def enable(place: Home, clock: Clock, *, email: EmailArgument) -> Answer:
    """Let a disabled person in again, with the password of before."""
    store = _store(place)
    person = store.enable(store.require(email), who=_who(), at=clock())
    return Answer([f"{person.email} may sign in again"], _document(person))


@command(group)
def reset(place: Home, clock: Clock, *, email: EmailArgument, link: LinkOption = False) -> Answer:
    """Set a new password, typed here or chosen by a link; every session of the person ends."""
    from serving.access.passwords import require_good

    store = _store(place)
    person = store.require(email)
    password = None if link else require_good(_typed(), email=person.email)
    return _with_password(store, person, password, clock)


def _with_password(store: PeopleStore, person: Person, password: str | None, clock: Clock) -> Answer:
    may = f"{person.email} ({person.id}) is here as {TITLES[person.role]} and sees {person.teams.words()}"
    if password is not None:
        person = store.set_password(person, password, who=_who(), at=clock())
        return Answer([may, "the password is set"], _document(person))
    path = f"/sign-up?code={store.make_link(person, who=_who(), at=clock())}"
    advice = "send it to the person with the address of the service before it; it works once, within three days"
    return Answer([may, path, advice], {**_document(person), "link": path})


def _typed() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt="The same once more"))


def _store(place: Home) -> PeopleStore:
    from serving.access.people import PeopleStore
    from serving.access.tables import PeopleTables

    return PeopleStore(PeopleTables(place))


def _line(person: Person) -> str:
    seen = f"last signed in {person.signed_in_at:%Y-%m-%d %H:%M}" if person.signed_in_at else "never signed in"
    state = f"disabled {person.disabled_at:%Y-%m-%d}" if person.disabled_at else seen
    return f"{person.id:<11}{person.email:<32}{person.role:<10}{person.teams.words():<28}{state}"


def _document(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "role": person.role,
        "scopes": sorted(SCOPES[person.role]),
        "teams": person.teams.terms(),
        "has_password": person.password is not None,
        "added_at": person.added_at,
        "disabled_at": person.disabled_at,
        "signed_in_at": person.signed_in_at,
    }


def _who() -> str:
    return f"user {getpass.getuser()}"
