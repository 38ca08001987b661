"""What is looked at when a live model is watched, and where does the finding go?

Input: a home with a model, a date. The model is asked again about every snapshot it did not learn from; nothing that
became known after ``as_of`` is used. Output: a :class:`Watch` and its page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.campaign_starts import campaign_starts
from features.errors import UsageError
from features.progress import Progress, silent
from features.settings import Home
from training.bundle import Bundle
from training.labels import days_to_decision_taken
from training.material import Material, gather
from training.model import load_bundle
from training.promotions import require_current
from training.tested_rows import judged_rows
from training.untouched import untouched
from training.watch import Seen, watch
from training.watch_memory import last_look, remembered
from training.watch_page import render
from training.watch_parts import WATCHED_DAYS, Finding, Watch

QUARTER = timedelta(days=91)
YEAR = timedelta(weeks=52)
"""Whole weeks, so that the same weekdays are compared."""
_MADE = ("data_cut", "recalibrated_at")
"""Facts of a bundle: when the data ended that it learnt from, and on which its line was laid."""
_SECONDS_PER_DAY = 86_400.0
_RECORDS = timedelta(weeks=156)
"""How promptly notices were written down longer ago says little of today."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A model, the rows that it did not learn from, what was seen in them and what was found."""

    bundle: Bundle
    kept: Material
    seen: Seen
    watch: Watch


def monitor(
    home: Home, as_of: datetime, *, version: str | None = None, progress: Progress = silent
) -> tuple[Watch, Path]:
    """Watch a version (by default the live one) and write the page: the finding, and the page's path.

    What the last look of an earlier date told of already is not news; at the first look, neither is a level that was
    off when the version was made: its evaluation and its gates told that. Raises as :func:`look`.
    """
    looked = look(home, as_of, version=version, progress=progress)
    alone = looked.watch
    folder = home.reports / alone.model_version
    folder.mkdir(parents=True, exist_ok=True)
    told = last_look(folder, as_of)
    if told is None:
        told = _when_made(home, looked.bundle, as_of, progress)
    found = remembered(alone, told)
    page = folder / f"watch-{as_of:%Y-%m-%d}.html"
    page.write_text(render(found))
    page.with_suffix(".json").write_text(found.model_dump_json(indent=1))
    return found, page


def look(home: Home, as_of: datetime, *, version: str | None = None, progress: Progress = silent) -> Looked:
    """Watch a version (by default the live one) with what is known at ``as_of``; nothing is written.

    Raises:
        MissingStateError: no model is live, or nothing is built.
        UsageError: the date lies before the end of what the model learnt from.
    """
    bundle = load_bundle(home.bundles / version if version else require_current(home).folder)
    cut = datetime.fromisoformat(bundle.facts["data_cut"])
    if as_of < cut:
        raise UsageError(
            f"version {bundle.version} cannot be watched at {as_of.date()}",
            expected=f"a date from {cut.date()} on, when the data ended that it learnt from",
            found=str(as_of.date()),
            todo="give a later --as-of",
        )
    material = gather(home, as_of, bundle.config, progress=progress)
    kept = untouched(material, [bundle])
    progress("watch", 1, 2)
    seen = _seen(home, material, kept, bundle)
    found = watch(seen, _features(bundle), model_version=bundle.version, as_of=as_of)
    progress("watch", 2, 2)
    return Looked(bundle, kept, seen, found)


def _when_made(home: Home, bundle: Bundle, as_of: datetime, progress: Progress) -> tuple[Finding, ...]:
    made = max(datetime.fromisoformat(str(bundle.facts[name])) for name in _MADE if bundle.facts.get(name))
    if made >= as_of:
        return ()
    found = look(home, made, version=bundle.version, progress=progress).watch.findings
    # A calendar that was wrong by then, or a count, no evaluation tells: the first look has to.
    return tuple(one for one in found if one.is_of_level)


def _seen(home: Home, material: Material, kept: Material, bundle: Bundle) -> Seen:
    scores = bundle.score(kept.snapshots)
    judged = judged_rows(kept, scores, bundle.config)
    days, voluntary = days_to_decision_taken(kept.cohort, kept.decided)
    judged["left_30"] = (days.between(0, WATCHED_DAYS, inclusive="right") & voluntary).to_numpy(np.float64)
    last = pd.Timestamp(material.as_ofs[-1])
    now = _quarter(material, bundle, last)
    then = _quarter(material, bundle, last - YEAR)
    before = _quarter(material, bundle, last - 2 * YEAR)
    last_word = material.data_cut
    starts = campaign_starts(home, since=last_word - QUARTER, until=last_word)
    return Seen(judged, now, then, before if len(before) else None, starts, _lags(kept, bundle))


def _lags(kept: Material, bundle: Bundle) -> npt.NDArray[np.float64]:
    # Of decisions that are long final: of younger ones only those written down quickly are known.
    told = kept.decided[kept.decided["voluntary"].astype(bool)]
    age = pd.Timestamp(kept.data_cut) - told["decided_at"]
    told = told[(age >= bundle.config.settling) & (age <= _RECORDS)]
    seconds = (told["known_at"] - told["decided_at"]).dt.total_seconds()
    return np.asarray(seconds / _SECONDS_PER_DAY, dtype=np.float64)


def _quarter(material: Material, bundle: Bundle, last: pd.Timestamp) -> pd.DataFrame:
    # Snapshots are four weeks apart, so a year back there may be none on the same day: a quarter holds three or four.
    within = material.cohort["as_of"].between(last - QUARTER, last, inclusive="right")
    rows = material.at(within).snapshots
    if rows.empty:
        return pd.DataFrame(columns=["account_id", "as_of", "phase", "health", "band", *bundle.model_features])
    kept = ["account_id", "as_of", "phase", *bundle.model_features]
    scores = bundle.score(rows)
    told = rows[list(dict.fromkeys(kept))].reset_index(drop=True)
    return told.assign(health=scores["health"], band=scores["band"].astype(str))


def _features(bundle: Bundle) -> list[tuple[str, str]]:
    owner = dict(zip(bundle.features, bundle.subcategories, strict=True))
    return [(name, owner[name]) for name in bundle.model_features]
