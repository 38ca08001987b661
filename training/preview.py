"""What would change for people if this model went live?

Input grain: one row per live account at one ``as_of``, scored by the live model and by the one that is to replace it.
Output: one :class:`Preview`. A promotion moves accounts between bands, and money between "safe" and "at risk", without
anything having happened to a customer; who approves it sees that first. Pure: no disk, no clock.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
from pydantic import Field

from features.errors import DataContractError
from features.vocabulary import Band
from training.evaluation_parts import DeltaEvaluation, Document

NOT_SCORED = "not scored"
"""The band of an account while no model is live."""
NO_CURRENCY = "no currency"
_MOVERS = 25
"""Accounts that are listed by name; a person reads no more."""
KEY = ["account_id", "as_of"]


class BandMove(Document):
    """Accounts that change from one band to another, or stay."""

    band_from: str
    band_to: str
    accounts: int


class Revenue(Document):
    """Annual value and its expected loss in one currency, in major units."""

    currency: str
    accounts: int
    annual_value: float
    at_risk_live: float | None = Field(description="sum of risk x annual value by the live model; null without one")
    at_risk_new: float
    into_red: float = Field(description="annual value of accounts that enter the red band")
    out_of_red: float = Field(description="annual value of accounts that leave the red band")


class Mover(Document):
    """One account whose band changes, the most value at stake first."""

    account_id: str
    band_from: str
    band_to: str
    health_from: float | None
    health_to: float
    annual_value: float | None
    currency: str


class Preview(Document):
    """What a promotion would change at one ``as_of``."""

    version: str
    live: str | None = Field(description="null when no model is live")
    as_of: datetime
    horizon_days: int = Field(description="days of the risk that revenue at risk is told with")
    accounts: int
    changed: int = Field(description="accounts whose band changes")
    moves: tuple[BandMove, ...]
    revenue: tuple[Revenue, ...]
    movers: tuple[Mover, ...]
    backtest: DeltaEvaluation | None = Field(
        default=None, description="new minus live on rows that neither learnt from, paired; null where there are none"
    )
    backtest_note: str = Field(default="", description="what the backtest rests on, or why there is none")

    def lines(self) -> list[str]:
        """The change in words: counts and sums, no account."""
        before = f"version {self.live}" if self.live else "no model"
        head = f"version {self.version} instead of {before}, at {self.as_of:%Y-%m-%d}:"
        share = f" ({self.changed / self.accounts:.0%})" if self.accounts else ""
        bands = [
            f"  {move.band_from} -> {move.band_to}: {move.accounts}"
            for move in self.moves
            if move.band_from != move.band_to
        ]
        return [
            head,
            f"{self.changed} of {self.accounts} accounts change band{share}",
            *bands,
            *(_revenue_line(one, self.horizon_days) for one in self.revenue),
            f"backtest: {self.backtest_note}",
        ]


def changes(
    facts: pd.DataFrame,
    new: pd.DataFrame,
    live: pd.DataFrame | None,
    *,
    versions: tuple[str, str | None],
    horizon_days: int,
) -> Preview:
    """Compare the scores of two models on the same accounts.

    ``facts`` has account_id, as_of (one), annual_value (null = not known) and currency; ``new`` and ``live`` are
    scores (:data:`training.bundle.SCORE_COLUMNS`) of the same rows in the same order.

    Raises:
        DataContractError: the rows are not the same, or of several dates.
    """
    for scores in (new, live):
        _require_same_rows(facts, scores)
    after, before = new["band"].astype(str), _bands(live, len(new))
    value = facts["annual_value"].astype(float).reset_index(drop=True)
    currency = facts["currency"].fillna(NO_CURRENCY).astype(str).reset_index(drop=True)
    table = pd.DataFrame({"band_from": before, "band_to": after, "value": value, "currency": currency})
    risk = f"risk_{horizon_days}"
    table["new"] = new[risk].to_numpy(np.float64)
    table["live"] = live[risk].to_numpy(np.float64) if live is not None else np.nan
    return Preview(
        version=versions[0],
        live=versions[1],
        as_of=facts["as_of"].iloc[0].to_pydatetime(),
        horizon_days=horizon_days,
        accounts=len(table),
        changed=int((before != after).sum()),
        moves=_moves(table),
        revenue=tuple(_revenue(str(name), part) for name, part in table.groupby("currency")),
        movers=_movers(table, facts, new, live),
    )


def _require_same_rows(facts: pd.DataFrame, scores: pd.DataFrame | None) -> None:
    dates = facts["as_of"].nunique()
    same = scores is None or scores["account_id"].tolist() == facts["account_id"].tolist()
    if dates != 1 or not same:
        raise DataContractError(
            "the scores of two models cannot be compared",
            expected="the same accounts in the same order, at one date",
            found=f"{dates} dates" if dates != 1 else "other accounts, or another order",
            todo="score one snapshot with both models",
        )


def _bands(live: pd.DataFrame | None, count: int) -> pd.Series[str]:
    return pd.Series([NOT_SCORED] * count, dtype=object) if live is None else live["band"].astype(str)


def _moves(table: pd.DataFrame) -> tuple[BandMove, ...]:
    order = {name: place for place, name in enumerate([NOT_SCORED, *map(str, Band)])}
    counts = table.groupby(["band_from", "band_to"]).size()
    pairs = sorted(counts.index, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return tuple(BandMove(band_from=a, band_to=b, accounts=int(counts[(a, b)])) for a, b in pairs)


def _revenue(currency: str, part: pd.DataFrame) -> Revenue:
    # An account whose value is not known adds nothing: it is counted, never guessed.
    value, red = part["value"].fillna(0.0), str(Band.RED)
    was, is_now = part["band_from"] == red, part["band_to"] == red
    compared = bool(part["live"].notna().all())
    return Revenue(
        currency=currency,
        accounts=len(part),
        annual_value=float(value.sum()),
        at_risk_live=float((value * part["live"]).sum()) if compared else None,
        at_risk_new=float((value * part["new"]).sum()),
        into_red=float(value[is_now & ~was].sum()),
        out_of_red=float(value[was & ~is_now].sum()),
    )


def _movers(
    table: pd.DataFrame, facts: pd.DataFrame, new: pd.DataFrame, live: pd.DataFrame | None
) -> tuple[Mover, ...]:
    moved = table[table["band_from"] != table["band_to"]]
    if live is None:
        return ()
    stakes = (moved["value"].fillna(0.0) * (moved["new"] - moved["live"]).abs()).sort_values(
        ascending=False, kind="stable"
    )
    return tuple(
        Mover(
            account_id=str(facts["account_id"].iloc[place]),
            band_from=str(table["band_from"].iloc[place]),
            band_to=str(table["band_to"].iloc[place]),
            health_from=float(live["health"].iloc[place]),
            health_to=float(new["health"].iloc[place]),
            annual_value=None if pd.isna(table["value"].iloc[place]) else float(table["value"].iloc[place]),
            currency=str(table["currency"].iloc[place]),
        )
        for place in stakes.index[:_MOVERS]
    )


def _revenue_line(one: Revenue, days: int) -> str:
    before = "" if one.at_risk_live is None else f"{one.at_risk_live:,.0f} -> "
    return (
        f"{one.currency}: revenue at risk in {days} days {before}{one.at_risk_new:,.0f} of {one.annual_value:,.0f}; "
        f"{one.into_red:,.0f} enters red, {one.out_of_red:,.0f} leaves it"
    )
