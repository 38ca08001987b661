"""Who may call the API, with which scopes, and what did they ask?"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.console import Answer, Clock, command
from features.settings import Home
from serving.access.rules import AccessScope
from serving.access.teams import Teams

if TYPE_CHECKING:
    from serving.access.store import Key

group = typer.Typer(
    no_args_is_help=True, help="Make, list and revoke the keys of the API; read what was done with them."
)


TeamOption = Annotated[
    list[str] | None,
    typer.Option("--team", help="Only these accounts: owner:ID or segment:NAME; may be given several times."),
]


def add_to(app: typer.Typer) -> None:
    """Give a program the commands."""
    app.add_typer(group, name="keys")


@command(group)
def create(
    place: Home,
    clock: Clock,
    *,
    name: Annotated[str, typer.Option(help="What the key is for; shown in the list.")],
    scope: Annotated[list[AccessScope], typer.Option(help="What it may do; may be given several times.")],
    team: TeamOption = None,
) -> Answer:
    """Make a key and show it once; from then on every call of the API needs one."""
    from serving.access.store import KeyStore

    key, token = KeyStore(place).create(name, scope, who=_who(), at=clock(), teams=Teams.of(team or ()))
    bound = f", for accounts of {key.teams.words()}" if key.teams.bound else ""
    lines = [
        token,
        f"key {key.prefix} ({key.name}) may {', '.join(sorted(key.scopes))}{bound}",
        "keep it now: it is stored nowhere. Send it as `Authorization: Bearer KEY`.",
    ]
    return Answer(lines, {**_document(key), "key": token})


@command(group, "list")
def tell(place: Home) -> Answer:
    """List every key that was ever made: prefix, name, scopes, last use; never the key itself."""
    from serving.access.store import KeyStore

    found = KeyStore(place).every_key()
    if not found:
        return Answer(["no key was made yet: the API is open to this machine, and to no other"], {"keys": []})
    return Answer([_line(key) for key in found], {"keys": [_document(key) for key in found]})


@command(group)
def revoke(
    place: Home,
    clock: Clock,
    *,
    prefix: Annotated[str, typer.Argument(help="Prefix of the key, as `pulse keys list` tells it.")],
) -> Answer:
    """Let a key open nothing any more, within a second and for ever; the API stays closed without a key."""
    from serving.access.store import KeyStore

    key = KeyStore(place).revoke(prefix, who=_who(), at=clock())
    return Answer([f"key {key.prefix} ({key.name}) is revoked"], _document(key))


@command(group)
def log(
    place: Home,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Show so many of the newest lines.")] = 50,
) -> Answer:
    """Tell what was asked with keys, and refused without: newest first, no account named."""
    from serving.access.store import KeyStore

    lines = KeyStore(place).lines(limit)
    told = [f"{one.at:%Y-%m-%d %H:%M:%S}  {one.who:<12}{one.status or '':<5}{one.what}" for one in lines]
    document = [
        {"at": one.at, "who": one.who, "what": one.what, "status": one.status, "request_id": one.request_id}
        for one in lines
    ]
    return Answer(told or ["nothing was asked yet"], {"lines": document})


def _line(key: Key) -> str:
    used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
    state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else used
    bound = f"  only {key.teams.words()}" if key.teams.bound else ""
    return f"{key.prefix:<10}{key.name:<24}{', '.join(sorted(key.scopes)):<36}{state}{bound}"


def _document(key: Key) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "teams": key.teams.terms(),
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def _who() -> str:
    return f"user {getpass.getuser()}"
