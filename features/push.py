"""How do new rows of an account become its online features at once, without waiting for Monday?

The account is computed anew by the same SQL steps over its own rows alone, or with a few others that wait, too: most of
the cost is that of the steps, whoever's rows they read (:mod:`features.shelf`), with the norms of
the newest weekly build (:mod:`features.company_levels`), and put online at the moment asked for. On a built Monday that
gives what the build gives. Between two Mondays every week of the account ends at the end of the day asked for: the
moment ``t`` is seen as the midnight that follows it, with nothing that was not known at ``t``. So what happened today
counts, and a day that runs counts as far as it is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from features.build import COHORT, VIEWS
from features.catalogue import features_of
from features.company_levels import first_week_of, name_norms, norms_as_of, with_others
from features.definitions import AS_OF, JOIN_KEY, KNOWN_AT
from features.errors import UnknownAccount
from features.events import TABLES
from features.identity import resolve
from features.progress import Progress, silent
from features.settings import Home
from features.shelf import Shelf
from features.sources import onboarding_of
from features.steps import OWN_STEPS, name_run, step_sql
from features.store import FeatureStore
from features.vocabulary import Subcategory, require_utc
from features.warehouse import Engine, empty_table_query, open_engine


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: the moment it stands on, the Monday of the norms, and whether it replaced what was online."""

    account_id: str
    as_of: datetime
    norms_as_of: datetime
    is_newest: bool

    def lines(self) -> list[str]:
        """The same for people."""
        told = "online" if self.is_newest else "not put online: what is there is newer"
        return [f"{self.account_id} as of {self.as_of.isoformat()}: {told} (norms of {self.norms_as_of.date()})"]

    def document(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "account": self.account_id,
            "as_of": self.as_of.isoformat(),
            "norms_as_of": self.norms_as_of.isoformat(),
            "is_newest": self.is_newest,
        }


def push_account(store: FeatureStore, account_id: str, as_of: datetime, *, progress: Progress = silent) -> Pushed:
    """Compute one account at a moment from all that was known then, and put it online unless that is newer.

    Raises:
        MissingStateError: nothing is built for this moment.
        UnknownAccount: no account of this id has a live contract at this moment; what is online stays.
        IntegrityError: a stored file is not the one that was written.
    """
    moment = require_utc(as_of)
    rows = account_rows(store.home, account_id, moment, progress=progress)
    if rows[COHORT].num_rows == 0:
        raise UnknownAccount(
            "this account has nothing to compute",
            expected="an account with a live contract at this moment",
            found="none",
            todo="check the id and the moment; an account that left keeps its last row",
        )
    written = _put_online(store, rows)
    account = rows[COHORT].column(JOIN_KEY)[0].as_py()
    return Pushed(account, moment, norms_as_of(store.home, moment), is_newest=written > 0)


def push_accounts(store: FeatureStore, account_ids: Collection[str], as_of: datetime) -> frozenset[str]:
    """:func:`push_account` for several in one run of the steps; a newer row that is online stays.

    The answer is the accounts that were computed; the others have no live contract at this moment, and what is online
    of them stays. An id that stands for another account is answered by that account.

    Raises:
        MissingStateError: nothing is built for this moment.
        IntegrityError: a stored file is not the one that was written.
    """
    rows = rows_of_accounts(store.home, account_ids, require_utc(as_of))
    if rows[COHORT].num_rows == 0:
        return frozenset()
    _put_online(store, rows)
    return frozenset(rows[COHORT].column(JOIN_KEY).to_pylist())


def _put_online(store: FeatureStore, rows: Mapping[str, pa.Table]) -> int:
    return store.push({part: rows[part].to_pandas() for part in Subcategory})


def account_rows(home: Home, account_id: str, as_of: datetime, *, progress: Progress = silent) -> dict[str, pa.Table]:
    """The row of one account in the cohort and in every view, at a moment; no row where it has no live contract.

    An id that stood for another account at that moment means that account.

    Raises:
        MissingStateError: nothing is built for this moment.
        IntegrityError: a stored file is not the one that was written.
    """
    return rows_of_accounts(home, (account_id,), as_of, progress=progress)


def rows_of_accounts(
    home: Home, account_ids: Collection[str], as_of: datetime, *, progress: Progress = silent
) -> dict[str, pa.Table]:
    """:func:`account_rows` for several accounts, in one run of the steps.

    Where an event of the market names an account, that one's segment is that of the moment if it is among these, and
    that of the last build if not.
    """
    norms_as_of(home, as_of)
    shelf = Shelf(home)
    shelf.catch_up(progress=progress)
    rows = shelf.rows_of_each(account_ids, as_of)
    with open_engine() as engine:

        def name_again(table: str, name: str) -> None:
            engine.name_query(name, f'SELECT * FROM "_told_{table}"')

        for name in TABLES:
            if name in rows:
                engine.name_rows(f"_told_{name}", rows[name])
            else:
                engine.name_query(f"_told_{name}", empty_table_query(name))
            name_again(name, name)
        if not {"accounts_history", "contracts_history"} <= set(rows):
            return {view: pa.table({}) for view in VIEWS}
        known = resolve(engine, name_again, settled=dict.fromkeys(shelf.tied_to(account_ids, as_of), as_of))
        accounts = {known.aliases.survivor(None, account_id, as_of) for account_id in account_ids}
        views = run_accounts(engine, home, as_of)
        # What an old id was before it stood for the account is among the rows, too.
        asked = pa.array(sorted(accounts), pa.string())
        return {
            view: answer.filter(pc.is_in(answer.column(JOIN_KEY), value_set=asked)) for view, answer in views.items()
        }


def run_accounts(engine: Engine, home: Home, as_of: datetime) -> dict[str, pa.Table]:
    """The cohort and every view at a moment, for the accounts whose rows have their names in this engine.

    The rows must be those available at ``as_of``, and no others.
    """
    end = day_end(as_of)
    name_run(engine, (end,), onboarding=onboarding_of(home), first_week=first_week_of(home, end))
    name_norms(engine, home, end)
    for step in OWN_STEPS:
        sql = weeks_from(step_sql(step), end.weekday())
        engine.keep(step, with_others(sql) if step == "account_states" else sql)
    return {view: engine.fetch(_view_query(view, as_of)) for view in VIEWS}


def day_end(moment: datetime) -> datetime:
    """The midnight (UTC) at a moment, or the one that follows it."""
    utc = require_utc(moment)
    midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if midnight == utc else midnight + timedelta(days=1)


def weeks_from(sql: str, weekday: int) -> str:
    """The text of a step whose weeks begin so many days after Monday; unchanged for 0.

    The steps know weeks in two ways: by the table ``weeks``, and by the Monday of a moment or day.
    """
    if weekday == 0:
        return sql
    pieces = sql.split("DATE_TRUNC('week', ")
    return pieces[0] + "".join(_moved(piece, weekday) for piece in pieces[1:])


def _moved(piece: str, weekday: int) -> str:
    # Up to the bracket that closes the call: what stands in it may hold brackets of its own.
    depth = 1
    for place, sign in enumerate(piece):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0:
            return (
                f"(DATE_TRUNC('week', {piece[:place]} - INTERVAL {weekday} DAY) + INTERVAL {weekday} DAY)"
                f"{piece[place + 1 :]}"
            )
    return piece


def _view_query(view: str, as_of: datetime) -> str:
    moment = f"TIMESTAMPTZ '{as_of.isoformat()}'"
    if view == COHORT:
        return f"SELECT * REPLACE ({moment} AS {AS_OF}, {moment} AS {KNOWN_AT}) FROM {COHORT} ORDER BY {JOIN_KEY}"
    values = ", ".join(
        f'CAST("{feature.name}" AS {"VARCHAR" if feature.is_text else "DOUBLE"}) AS "{feature.name}"'
        for feature in features_of(Subcategory(view))
    )
    return f'SELECT {JOIN_KEY}, {values}, {moment} AS {AS_OF}, {moment} AS {KNOWN_AT} FROM "{view}" ORDER BY {JOIN_KEY}'
