"""What of that which is told now stands in the ledger already?

Asked before anything is written: a score that is told again need not wait for the one writer there may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from serving.assessment import Assessment
from serving.explain import UNTOLD
from serving.ledger_tables import DETAILS, REASONS, SCORES, moment_text

KEY = (SCORES.c.account_id, SCORES.c.as_of, SCORES.c.model_version, SCORES.c.features_hash)
"""What makes a score the same one."""

_CHUNK = 500
"""Accounts asked for in one statement; SQLite takes 32,766 values at most."""

_WITH_REASONS = SCORES.join(DETAILS).outerjoin(REASONS, REASONS.c.entry_id == SCORES.c.id)
_IS_BARE = (sa.func.length(DETAILS.c.explanation) == sa.literal_column("0")) & REASONS.c.entry_id.is_(None)
KEPT = sa.select(SCORES.c.id, _IS_BARE, *KEY).select_from(_WITH_REASONS)
"""Entries: number, whether reasons were never told, and the key."""

# Made once: putting them together costs more than their answer for one account; so do lists of one.
_THERE = KEPT.where(
    SCORES.c.account_id.in_(sa.bindparam("accounts", expanding=True)),
    SCORES.c.as_of.in_(sa.bindparam("moments", expanding=True)),
)
_ONE_THERE = KEPT.where(SCORES.c.account_id == sa.bindparam("account"), SCORES.c.as_of == sa.bindparam("moment"))


def not_there_yet(
    connection: sa.Connection, assessments: Sequence[Assessment]
) -> tuple[dict[tuple[str, ...], Assessment], dict[int, Assessment]]:
    """What is new, by its key; and, by entry, what is there without the reasons that are told now."""
    asked = {key_of(one): one for one in assessments}
    untold: dict[int, Assessment] = {}
    accounts = sorted({one.account_id for one in assessments})
    moments = sorted({moment_text(one.as_of) for one in assessments})
    for start in range(0, len(accounts), _CHUNK):
        for entry_id, is_bare, *key in _there(connection, accounts[start : start + _CHUNK], moments):
            told = asked.pop(tuple(key), None)
            if is_bare and told is not None and told.explanation != UNTOLD:
                untold[entry_id] = told
    return asked, untold


def _there(connection: sa.Connection, accounts: Sequence[str], moments: Sequence[str]) -> Iterable[Sequence[Any]]:
    if len(accounts) == len(moments) == 1:
        return connection.execute(_ONE_THERE, {"account": accounts[0], "moment": moments[0]})
    return connection.execute(_THERE, {"accounts": accounts, "moments": moments})


def key_of(assessment: Assessment) -> tuple[str, ...]:
    """The :data:`KEY` of a score."""
    return (
        assessment.account_id,
        moment_text(assessment.as_of),
        assessment.score.model_version,
        assessment.known.digest,
    )
