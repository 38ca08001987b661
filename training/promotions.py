"""Which model is live, who put it there, and why?

Our own append-only log in the state database is the truth; MLflow's aliases mirror it and have no history. Grain: one
row per promotion or rollback. Serving reads it without loading MLflow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features.audit_log import Deed, What, write
from features.errors import GateRefused, MissingStateError, UsageError
from features.settings import Home
from features.state import has_state, open_state, writing
from training.target import target_of

_METADATA = sa.MetaData()
_LOG = sa.Table(
    "promotions",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("who", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("version_from", sa.String),
    sa.Column("version_to", sa.String, nullable=False),
    sa.Column("verdict", sa.String, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the log. ``verdict`` is the judgement it rests on, as it was then."""

    at: datetime
    who: str
    why: str
    action: str
    version_from: str | None
    version_to: str
    verdict: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Champion:
    """The live model: its version and the folder of its bundle."""

    version: str
    folder: Path


def current(home: Home) -> Champion | None:
    """The live model, or None when nothing was ever promoted."""
    entries = log(home)
    if not entries:
        return None
    version = entries[-1].version_to
    return Champion(version=version, folder=home.bundles / version)


def require_current(home: Home) -> Champion:
    """The live model.

    Raises:
        MissingStateError: nothing was ever promoted.
    """
    champion = current(home)
    if champion is None:
        raise MissingStateError(
            "no model is live",
            expected="a promoted model",
            found="an empty promotion log",
            todo="run `pulse train --as-of DATE`, then `pulse promote VERSION`",
        )
    return champion


def log(home: Home) -> tuple[Promotion, ...]:
    """Every promotion and rollback, oldest first; empty where there is no state yet (and none is made)."""
    if not has_state(home):
        return ()
    with _opened(home).connect() as connection:
        return _entries(connection)


def _entries(connection: sa.Connection) -> tuple[Promotion, ...]:
    rows = connection.execute(sa.select(_LOG).order_by(_LOG.c.id)).mappings().all()
    return tuple(_promotion(row) for row in rows)


def promote(home: Home, version: str, *, who: str, why: str, verdict: dict[str, Any], at: datetime) -> Promotion:
    """Put a version live. Only a passed verdict opens the way, and only to a model of who leaves.

    Raises:
        GateRefused: the verdict is missing or not passed, or the model foresees something else.
        UsageError: the version is live already.
    """
    require_passed(version, verdict)
    # What is live is read in the turn of the writer: of two at the same moment, the second follows the first.
    with writing(_opened(home)) as connection:
        _, live = standing(connection)
        require_not_live(version, live)
        return _append(connection, Promotion(at, who, why, "promote", live, version, verdict))


def require_not_live(version: str, live: str | None) -> None:
    """Do nothing where another version is live.

    Raises:
        UsageError: this one is.
    """
    if live == version:
        raise UsageError(
            f"version {version} is live already",
            expected="a version that is not live",
            found=f"the live version {version}",
            todo="run `pulse models` to see the others",
        )


def require_passed(version: str, verdict: dict[str, Any]) -> None:
    """Do nothing where a version may answer people: its verdict passed, and it is a model of who leaves.

    Raises:
        GateRefused: the verdict is missing or not passed, or the model foresees something else.
    """
    target, _ = target_of(version)
    if target.recurs:
        raise GateRefused(
            f"version {version} may not go live",
            expected="a model of who leaves",
            found=f"a model of {target}",
            todo="read its report; what is live, scored and alerted on is the model of who leaves",
        )
    if verdict.get("passed") is not True:
        refused = [gate["code"] for gate in verdict.get("gates", []) if gate.get("passed") is not True]
        raise GateRefused(
            f"version {version} may not go live",
            expected="a verdict in which every gate passed",
            found=f"refused by {', '.join(refused)}" if refused else "no verdict",
            todo="read the reasons with `pulse models`, then train again",
        )


def standing(connection: sa.Connection) -> tuple[int, str | None]:
    """How many promotions and rollbacks there were, which names what is live since the log only grows; and what is."""
    newest = sa.select(_LOG.c.version_to).order_by(_LOG.c.id.desc()).limit(1)
    count = connection.scalar(sa.select(sa.func.count()).select_from(_LOG)) or 0
    return count, connection.scalar(newest)


def rollback(home: Home, *, who: str, why: str, at: datetime) -> Promotion:
    """Put the version live that was live before the last promotion.

    Raises:
        MissingStateError: there is no earlier version to go back to.
    """
    with writing(_opened(home)) as connection:
        entries = _entries(connection)
        target = _version_before(entries)
        if target is None:
            raise MissingStateError(
                "there is no earlier model to go back to",
                expected="at least two promoted versions",
                found=f"{len({entry.version_to for entry in entries})}",
                todo="run `pulse models` to see what is registered",
            )
        verdict = next(entry.verdict for entry in reversed(entries) if entry.version_to == target)
        return _append(connection, Promotion(at, who, why, "rollback", entries[-1].version_to, target, verdict))


def _version_before(entries: tuple[Promotion, ...]) -> str | None:
    # A stack of what was live: a promotion pushes, a rollback pops; so two rollbacks go back two versions.
    live: list[str] = []
    for entry in entries:
        if entry.action == "rollback":
            live.pop()
        else:
            live.append(entry.version_to)
    return live[-2] if len(live) > 1 else None


def _append(connection: sa.Connection, promotion: Promotion) -> Promotion:
    connection.execute(
        sa.insert(_LOG).values(
            at=promotion.at.isoformat(),
            who=promotion.who,
            why=promotion.why,
            action=promotion.action,
            version_from=promotion.version_from,
            version_to=promotion.version_to,
            verdict=json.dumps(promotion.verdict, sort_keys=True),
        )
    )
    write(connection, _deed(promotion))
    return promotion


def _deed(done: Promotion) -> Deed:
    what = What.ROLLBACK if done.action == "rollback" else What.PROMOTE
    before, after = {"version": done.version_from}, {"version": done.version_to, "why": done.why}
    return Deed(done.at, done.who, what, f"model {done.version_to}", before, after)


def _opened(home: Home) -> sa.Engine:
    return open_state(home, what="the promotion log")


def _promotion(row: Any) -> Promotion:
    return Promotion(
        at=datetime.fromisoformat(row["at"]),
        who=row["who"],
        why=row["why"],
        action=row["action"],
        version_from=row["version_from"],
        version_to=row["version_to"],
        verdict=json.loads(row["verdict"]),
    )
