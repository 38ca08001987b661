"""What must lie on the table beside the rows themselves, before a bundle is judged?

Input: a home, the material and the final block. Output: :class:`Given`: every snapshot of the block, the live model,
the leak report, the truth of a made-up company. What is missing here makes its gates refuse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from features.errors import IntegrityError
from features.settings import Home
from training import promotions
from training.bundle import Bundle
from training.inputs import require_columns
from training.leak_report import LeakReport
from training.material import Material
from training.model import load_bundle
from training.splits import Fold, block_of
from training.target import target_of
from training.weeks import gather_weeks


@dataclass(frozen=True, slots=True)
class Given:
    """What else is known.

    ``no_rival`` says why the live model must not be compared, ``note`` why it could not be asked.
    """

    truth: pd.DataFrame | None = None
    weeks: Material | None = None
    leaks: LeakReport | None = None
    live: Bundle | None = None
    no_rival: str = ""
    note: str = ""


def given(
    home: Home,
    version: str,
    material: Material,
    final: Fold,
    *,
    truth: pd.DataFrame | None = None,
    leaks: LeakReport | None = None,
) -> Given:
    """Gather what is needed to judge ``version`` on the final block."""
    target, _ = target_of(version)
    told = first_changes(material, final.test_first) if target.recurs else material
    weeks = gather_weeks(home, told, final.test_first, final.test_last)
    if target.recurs:
        # What is live foresees something else.
        return Given(truth, weeks, leaks)
    champion = promotions.current(home)
    if champion is None or champion.version == version:
        return Given(truth, weeks, leaks)
    try:
        live = load_bundle(champion.folder)
        require_columns(material.snapshots, live.needed_columns)
    except IntegrityError as unreadable:
        # A model of an older catalogue must not keep a newer one from being trained; timing alone stands in.
        return Given(truth, weeks, leaks, note=f"live version {champion.version} was not asked: {unreadable.title}")
    if block_of(material.as_ofs, live.facts, live.config).test_first > final.test_first:
        return Given(truth, weeks, leaks, no_rival=f"live version {champion.version} has learnt from this block")
    return Given(truth, weeks, leaks, live)


def first_changes(material: Material, since: datetime) -> Material:
    """The same with at most one outcome per account: the first after ``since``, else the account's last.

    For what is told once per account, such as an alert and what it was good for.
    """
    decided = material.decided.sort_values(["account_id", "decided_at"], kind="stable")
    ahead = decided[decided["decided_at"] > pd.Timestamp(since)].drop_duplicates("account_id", keep="first")
    past = decided[~decided["account_id"].isin(ahead["account_id"])].drop_duplicates("account_id", keep="last")
    chosen = pd.concat([ahead, past]).sort_values("account_id", ignore_index=True)
    return replace(material, decided=chosen)
