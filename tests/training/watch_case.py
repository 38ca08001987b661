"""Made-up rows for a watch, with a known cause."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from training.diagnosis import COLLABORATION, COUNTED, PEOPLE, PRICE, USE
from training.watch import Seen, watch
from training.watch_parts import Watch

FIRST = pd.Timestamp("2024-01-01", tz="UTC")
PHASES = np.array(["pre", "active", "post", "off", "none"])
SEGMENTS = np.array(["studio", "broadcaster"])
FEATURES = [(name, "engagement") for name in (COUNTED, *PEOPLE, COLLABORATION, PRICE)]
ACCOUNTS, SNAPSHOTS, OPEN = 1500, 14, 3
RISK = 0.012
UNTOLD = np.array([])
"""Lags of records of which nothing is known: only final labels count."""


def judged(ratio: float = 1.0, since: int = 5, seed: int = 4) -> pd.DataFrame:
    """Snapshots four weeks apart, the last three not final; from ``since`` on ``ratio`` times the stated leave.

    As many as that, to the account: what luck does is the matter of the charts' own tests.
    """
    random, parts = np.random.default_rng(seed), []
    for number in range(SNAPSHOTS):
        chance = RISK * (ratio if number >= since else 1.0)
        left = np.isin(np.arange(ACCOUNTS), random.choice(ACCOUNTS, round(ACCOUNTS * chance), replace=False)) * 1.0
        final = number < SNAPSHOTS - OPEN
        parts.append(
            pd.DataFrame(
                {
                    "account_id": np.arange(ACCOUNTS).astype(str),
                    "as_of": FIRST + timedelta(days=28 * number),
                    "phase": PHASES[np.arange(ACCOUNTS) % 5],
                    "segment": SEGMENTS[np.arange(ACCOUNTS) % 2],
                    "risk_30": RISK,
                    "y_30": left if final else np.nan,
                    # A third of those who leave is known before the label is final.
                    "left_30": left if final else left * (random.random(ACCOUNTS) < 1 / 3),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def quarter(seed: int, **changed: np.ndarray) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "account_id": np.arange(ACCOUNTS).astype(str),
            "as_of": FIRST,
            "phase": PHASES[np.arange(ACCOUNTS) % 5],
            "health": random.uniform(30, 95, ACCOUNTS),
            "band": np.where(random.random(ACCOUNTS) < 0.1, "red", "green"),
            **{name: random.normal(10, 1, ACCOUNTS) for name, _ in FEATURES},
        }
    )
    # Whoever uses more works together more, in every phase.
    return frame.assign(**{USE: frame[COLLABORATION] + random.normal(0, 1, ACCOUNTS)} | changed)


def starts(late: float = 0.1, campaign: str = "march_madness", accounts: int = 300) -> pd.DataFrame:
    """Campaigns of the last quarter: ``late`` of the accounts began two weeks after the plan, one in ten unseen."""
    place = np.arange(accounts)
    risen = np.where(place < late * accounts, 14.0, -7.0)
    return pd.DataFrame(
        {"campaign_id": campaign, "moved_days": 0.0, "risen_days": np.where(place % 10 == 9, np.nan, risen)}
    )


def seen(ratio: float = 1.0, since: int = 5, **changed: np.ndarray) -> Seen:
    return Seen(judged(ratio, since), quarter(1, **changed), quarter(2), quarter(3), starts(), UNTOLD)


def found(asked: Seen) -> Watch:
    return watch(asked, FEATURES, model_version="3", as_of=(FIRST + timedelta(days=500)).to_pydatetime())
