"""How did a shadow do beside the live model, on the accounts that people really asked about?

Input grain: one row per account, ``as_of``, feature values and pair of versions, with what was told and what the
shadow would have told. Output: one :class:`Rehearsal` over the newest row of each account. Whether the shadow is
*right* more often only outcomes tell (`pulse preview`, `pulse monitor`); this says what people would notice. Pure: no
disk, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from pydantic import Field

from features.errors import MissingStateError
from features.vocabulary import Band
from training.evaluation_parts import Document
from training.preview import NO_CURRENCY, BandMove, Mover, Revenue

HORIZON_DAYS = 90
"""The horizon of the risks that are compared: the headline of every score."""

_MOVERS = 25
_DOTS = 1500
"""Accounts drawn at most, evenly over the list: more make a cloud and a slow page."""

_DUE_RANKS = 2
"""Fewer accounts have no order to agree on."""


class Latency(Document):
    """Milliseconds of scoring, features at hand, per call of one account up to a piece of five hundred."""

    calls: int
    p50_ms: float
    p95_ms: float
    served_calls: int = Field(description="calls that the served version scored again, on the same rows")
    ratio: float | None = Field(description="shadow over served on those calls, median; null where there are none")


class Dot(Document):
    """One account: health as told, and as the shadow says; is its band another?"""

    served: float
    shadow: float
    moved: bool


class Rehearsal(Document):
    """What the shadow would have said."""

    version: str
    served: str
    first: datetime
    last: datetime
    rows: int = Field(description="scores kept; an account counts once per as_of and feature values")
    accounts: int
    same_band: int
    rank_agreement: float | None = Field(description="Spearman correlation of the risks; null under two accounts")
    health_median_move: float = Field(description="median of the absolute difference in health, points")
    health_largest_move: float
    moves: tuple[BandMove, ...]
    revenue: tuple[Revenue, ...]
    movers: tuple[Mover, ...]
    latency: Latency
    dots: tuple[Dot, ...]

    @property
    def changed(self) -> int:
        """Accounts that would be in another band."""
        return self.accounts - self.same_band

    def lines(self) -> list[str]:
        """The comparison in words: counts and sums, no account."""
        rank = "" if self.rank_agreement is None else f"; order of risks agrees by {self.rank_agreement:.3f} (1 = same)"
        bands = [
            f"  {one.band_from} -> {one.band_to}: {one.accounts}" for one in self.moves if one.band_from != one.band_to
        ]
        return [
            f"shadow {self.version} beside {self.served}: {self.accounts} accounts, {self.rows} scores kept",
            f"{self.same_band} of {self.accounts} in the same band ({self.same_band / self.accounts:.0%}){rank}",
            f"health moves by {self.health_median_move:.1f} points (median), {self.health_largest_move:.1f} at most",
            *bands,
            *(revenue_words(one) for one in self.revenue),
            latency_words(self.latency),
        ]


def rehearsal(rows: pd.DataFrame, version: str, *, served: str | None = None) -> Rehearsal:
    """Compare a shadow with a served version, by default the one it ran beside last.

    ``rows`` are those of :class:`serving.shadow_scores.ShadowScores`, oldest first.

    Raises:
        MissingStateError: the shadow has scored nothing beside that version.
    """
    beside = served or (str(rows["served_version"].iloc[-1]) if len(rows) else None)
    chosen = rows[rows["served_version"] == beside]
    if beside is None or chosen.empty:
        raise MissingStateError(
            f"the shadow of version {version} has scored nothing yet",
            expected="scores of accounts that the service was asked about while it ran",
            found="none" if beside is None else f"none beside version {beside}",
            todo=f"run `pulse shadow start {version}`, let the service answer for a while, then ask again",
        )
    newest = chosen.drop_duplicates("account_id", keep="last").reset_index(drop=True)
    moved = np.abs(newest["shadow_health"] - newest["served_health"])
    same = newest["shadow_band"] == newest["served_band"]
    return Rehearsal(
        version=version,
        served=beside,
        first=chosen["told_at"].min().to_pydatetime(),
        last=chosen["told_at"].max().to_pydatetime(),
        rows=len(chosen),
        accounts=len(newest),
        same_band=int(same.sum()),
        rank_agreement=_rank_agreement(newest),
        health_median_move=float(np.median(moved)),
        health_largest_move=float(moved.max()),
        moves=_moves(newest),
        revenue=tuple(_revenue(str(name), part) for name, part in newest.groupby(_currency(newest))),
        movers=_movers(newest[~same]),
        latency=_latency(chosen),
        dots=_dots(newest, ~same),
    )


def revenue_words(one: Revenue) -> str:
    """What moves in one currency, in words."""
    return (
        f"{one.currency}: revenue at risk in {HORIZON_DAYS} days {one.at_risk_live:,.0f} -> {one.at_risk_new:,.0f} of "
        f"{one.annual_value:,.0f}; {one.into_red:,.0f} would enter red, {one.out_of_red:,.0f} would leave it"
    )


def latency_words(one: Latency) -> str:
    """What scoring with the shadow takes, in words."""
    beside = "" if one.ratio is None else f"; {one.ratio:.2f} times the served version on {one.served_calls} of them"
    return f"scoring took {one.p50_ms:.1f} ms in the middle, {one.p95_ms:.1f} ms at the 95th of 100 calls{beside}"


def _rank_agreement(newest: pd.DataFrame) -> float | None:
    if len(newest) < _DUE_RANKS or newest["served_risk"].nunique() == 1 or newest["shadow_risk"].nunique() == 1:
        return None
    return float(newest["served_risk"].rank().corr(newest["shadow_risk"].rank()))


def _moves(newest: pd.DataFrame) -> tuple[BandMove, ...]:
    order = {str(band): place for place, band in enumerate(Band)}
    counts = newest.groupby(["served_band", "shadow_band"]).size()
    pairs = sorted(counts.index, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return tuple(BandMove(band_from=a, band_to=b, accounts=int(counts[(a, b)])) for a, b in pairs)


def _revenue(currency: str, part: pd.DataFrame) -> Revenue:
    # An account whose value is not known adds nothing: it is counted, never guessed.
    value, red = part["annual_value"].astype(float).fillna(0.0), str(Band.RED)
    was, is_now = part["served_band"] == red, part["shadow_band"] == red
    return Revenue(
        currency=currency,
        accounts=len(part),
        annual_value=float(value.sum()),
        at_risk_live=float((value * part["served_risk"]).sum()),
        at_risk_new=float((value * part["shadow_risk"]).sum()),
        into_red=float(value[is_now & ~was].sum()),
        out_of_red=float(value[was & ~is_now].sum()),
    )


def _currency(rows: pd.DataFrame) -> pd.Series[str]:
    return rows["currency"].fillna(NO_CURRENCY).astype(str)


def _movers(moved: pd.DataFrame) -> tuple[Mover, ...]:
    value = moved["annual_value"].astype(float)
    stakes = value.fillna(0.0) * (moved["shadow_risk"] - moved["served_risk"]).abs()
    listed = moved.assign(value=value, named=_currency(moved)).loc[
        stakes.sort_values(ascending=False, kind="stable").index[:_MOVERS]
    ]
    return tuple(
        Mover(
            account_id=str(row["account_id"]),
            band_from=str(row["served_band"]),
            band_to=str(row["shadow_band"]),
            health_from=float(row["served_health"]),
            health_to=float(row["shadow_health"]),
            annual_value=None if pd.isna(row["value"]) else float(row["value"]),
            currency=str(row["named"]),
        )
        for row in listed.to_dict("records")
    )


def _latency(rows: pd.DataFrame) -> Latency:
    # Rows of one call share its time and its moment.
    calls = rows.drop_duplicates(["told_at", "shadow_ms"])
    timed = calls.dropna(subset=["served_ms"])
    return Latency(
        calls=len(calls),
        p50_ms=float(calls["shadow_ms"].quantile(0.5)),
        p95_ms=float(calls["shadow_ms"].quantile(0.95)),
        served_calls=len(timed),
        ratio=float((timed["shadow_ms"] / timed["served_ms"].astype(float)).median()) if len(timed) else None,
    )


def _dots(newest: pd.DataFrame, moved: Sequence[bool] | pd.Series[bool]) -> tuple[Dot, ...]:
    shown = newest.assign(moved=moved).iloc[:: max(1, -(-len(newest) // _DOTS))]
    columns = zip(shown["served_health"], shown["shadow_health"], shown["moved"], strict=True)
    return tuple(Dot(served=float(a), shadow=float(b), moved=bool(c)) for a, b, c in columns)
