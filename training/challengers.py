"""Which version runs beside the live one, in which way, since when, and who said so?

Append-only, beside the promotion log. Grain: one row per start and stop. A challenger runs against the model that was
live when it was started: a promotion or a rollback ends it, without anybody having to say so. Serving reads this
without loading MLflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features.audit_log import Deed, What, write
from features.errors import UsageError
from features.settings import Home
from features.state import has_state, open_state, writing
from training import promotions

LARGEST_SHARE = 0.5
"""A version that answers for more than half of the accounts is no trial: then promote it."""

_METADATA = sa.MetaData()
_LOG = sa.Table(
    "challenger_log",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("at", "who", "why", "action", "mode", "version")),
    sa.Column("share", sa.Double),
    sa.Column("champion", sa.String, nullable=False),
    sa.Column("promotions", sa.Integer, nullable=False),
)
_START, _STOP = "start", "stop"


class Mode(StrEnum):
    """How a version runs beside the live one: it scores what is asked and answers nobody, or it answers a share."""

    SHADOW = "shadow"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class ChallengerChange:
    """One line. ``share`` is the part of the accounts that a canary answers for, None for a shadow.

    ``promotions`` counts the lines of the promotion log at that moment; ``number`` names the line for good.
    """

    at: datetime
    who: str
    why: str
    action: str
    mode: Mode
    version: str
    share: float | None
    champion: str
    promotions: int
    number: int | None = None

    def line(self) -> str:
        """The change in words."""
        part = f" for {self.share:.0%} of the accounts" if self.share is not None and self.action == _START else ""
        return (
            f"{self.at:%Y-%m-%d %H:%M} {self.who}: {self.mode} {self.action} {self.version}{part} "
            f"beside {self.champion} ({self.why})"
        )

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        told = {"at": self.at, "who": self.who, "why": self.why, "action": self.action, "mode": self.mode}
        return {**told, "version": self.version, "share": self.share, "champion": self.champion}

    def folder(self, home: Home) -> Path:
        """Where the bundle of the version lies."""
        return home.bundles / self.version


def challenger_changes(home: Home) -> tuple[ChallengerChange, ...]:
    """Every start and stop, oldest first; empty where there is no state yet (and none is made)."""
    if not has_state(home):
        return ()
    with _opened(home).connect() as connection:
        rows = connection.execute(sa.select(_LOG).order_by(_LOG.c.id)).mappings().all()
    return tuple(_change(row) for row in rows)


def running(home: Home) -> ChallengerChange | None:
    """The start of the challenger that runs now; None when none does."""
    if not has_state(home):
        return None
    with _opened(home).connect() as connection:
        return _running(connection)


def require_running(home: Home, mode: Mode) -> ChallengerChange:
    """The start of the challenger that runs now in this mode.

    Raises:
        UsageError: none does.
    """
    return _required(running(home), mode)


def start(
    home: Home, version: str, mode: Mode, *, share: float | None, said: tuple[str, str], at: datetime
) -> ChallengerChange:
    """Let a version run beside the live one; ``said`` is who and why. Whether it may is asked by the lifecycle.

    The same version may go on in another mode or with another share; another version must be stopped first.

    Raises:
        MissingStateError: no model is live.
        UsageError: the version is live, another one runs, or the share is none.
    """
    live = promotions.require_current(home).version
    _require_share(mode, share)
    with writing(_opened(home)) as connection:
        count, standing = promotions.standing(connection)
        live = standing or live
        promotions.require_not_live(version, live)
        before = _running(connection)
        if before is not None and before.version != version:
            raise _another(before)
        made = ChallengerChange(
            at=at,
            who=said[0],
            why=said[1],
            action=_START,
            mode=mode,
            version=version,
            share=share,
            champion=live,
            promotions=count,
        )
        return _append(connection, made, before)


def stop(home: Home, mode: Mode, *, who: str, why: str, at: datetime) -> ChallengerChange:
    """End the challenger that runs in a mode; services follow within a second or two.

    Raises:
        UsageError: none runs in that mode.
    """
    with writing(_opened(home)) as connection:
        before = _required(_running(connection), mode)
        made = ChallengerChange(
            at=at,
            who=who,
            why=why,
            action=_STOP,
            mode=mode,
            version=before.version,
            share=before.share,
            champion=before.champion,
            promotions=before.promotions,
        )
        return _append(connection, made, before)


def _running(connection: sa.Connection) -> ChallengerChange | None:
    row = connection.execute(sa.select(_LOG).order_by(_LOG.c.id.desc()).limit(1)).mappings().first()
    if row is None or row["action"] != _START or row["promotions"] != promotions.standing(connection)[0]:
        return None
    return _change(row)


def _append(connection: sa.Connection, made: ChallengerChange, before: ChallengerChange | None) -> ChallengerChange:
    row = {
        "at": made.at.isoformat(),
        "who": made.who,
        "why": made.why,
        "action": made.action,
        "mode": str(made.mode),
        "version": made.version,
        "share": made.share,
        "champion": made.champion,
        "promotions": made.promotions,
    }
    number = connection.execute(sa.insert(_LOG).values(**row).returning(_LOG.c.id)).scalar_one()
    was = {"mode": before.mode, "share": before.share} if before else None
    now = {"action": made.action, "mode": made.mode, "share": made.share, "beside": made.champion, "why": made.why}
    write(connection, Deed(made.at, made.who, What.CHALLENGER, f"model {made.version}", was, now))
    return _change({**row, "id": number})


def _change(row: Any) -> ChallengerChange:
    return ChallengerChange(
        at=datetime.fromisoformat(row["at"]),
        who=row["who"],
        why=row["why"],
        action=row["action"],
        mode=Mode(row["mode"]),
        version=row["version"],
        share=row["share"],
        champion=row["champion"],
        promotions=row["promotions"],
        number=row["id"],
    )


def _opened(home: Home) -> sa.Engine:
    return open_state(home, what="the log of challengers")


def _required(found: ChallengerChange | None, mode: Mode) -> ChallengerChange:
    if found is None or found.mode is not mode:
        raise UsageError(
            f"no {mode} runs",
            expected=f"a version that was started with `pulse {mode} start`",
            found=f"a {found.mode} of version {found.version}" if found else "none",
            todo="run `pulse models` to see what was started and ended",
        )
    return found


def _require_share(mode: Mode, share: float | None) -> None:
    fits = share is None if mode is Mode.SHADOW else share is not None and 0.0 < share <= LARGEST_SHARE
    if not fits:
        raise UsageError(
            "this is no share of the accounts",
            expected=f"more than 0, at most {LARGEST_SHARE:.0%}"
            if mode is Mode.CANARY
            else "none: a shadow answers nobody",
            found="none" if share is None else f"{share:g}",
            todo="begin with --share 0.1; a version that shall answer for more is promoted",
        )


def _another(before: ChallengerChange) -> UsageError:
    return UsageError(
        "another version runs beside the live one",
        expected="one challenger at a time, so that what differs has one reason",
        found=f"a {before.mode} of version {before.version}",
        todo=f"run `pulse {before.mode} stop --why TEXT` first",
    )
