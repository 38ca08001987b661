"""Would this model have found leavers earlier than a look at the renewal dates, with as many alerts?

Input: a registered version and the snapshots since the model stopped learning: its own untouched final block and every
week after it. They are replayed in order, as if live; nothing of a later week is used in an earlier one. Output:
:class:`Pilot`. The renewal-date rule sets the number of alerts; every other policy gets as many, evenly spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.errors import UsageError
from features.progress import Progress, silent
from features.settings import Home
from training.alert_parts import PhaseRecord, Reading
from training.bundle import Bundle
from training.capacity_replay import TIMING_ONLY, rankings
from training.detection import (
    EARLY_DAYS,
    LEAD_IN_DAYS,
    RIGHT_WITHIN_DAYS,
    Leavers,
    Measured,
    measured,
    shares_by_lead,
)
from training.episodes import CYCLE_DAYS, Walk, begun_by_list, begun_by_rank
from training.evaluation import CHAMPION, HEALTH, EvaluationPlan
from training.findings import in_order
from training.judged import Judged, Mask
from training.material import Material, gather
from training.metrics import Floats
from training.pilot_parts import RENEWAL_DATE, Pilot
from training.reading import lead_in_words
from training.spending import CostTable, Spending, interventions, spendings
from training.splits import block_of
from training.weeks import gather_weeks, scored_weeks, still_open, timing_risk

RENEWAL_DAYS = 90
"""A rule in wide use: look at a contract a quarter before it ends."""
REFERENCES = (RENEWAL_DATE, TIMING_ONLY)
LEADS = tuple(range(1, RIGHT_WITHIN_DAYS, 7))
"""Days before the decision at which the share of leavers alerted by then is told."""


@dataclass(frozen=True, slots=True)
class _Trial:
    # Rows of all weeks in order, who left, and the alerts of each policy; later: not of the first day.
    judged: Judged
    leavers: Leavers
    begun: dict[str, Mask]
    later: Mask
    per_cycle: float


def pilot(
    home: Home,
    bundle: Bundle,
    as_of: datetime,
    *,
    first: datetime | None = None,
    costs: CostTable | None = None,
    progress: Progress = silent,
) -> Pilot:
    """Replay a version over the weeks that it never learnt from, with the outcomes known at ``as_of``.

    Raises:
        UsageError: ``first`` lies in weeks that the model learnt from, or the stretch is too short.
        MissingStateError: no snapshot is built.
    """
    _require_later(bundle, as_of)
    material = gather(home, as_of, bundle.config, progress=progress)
    block = block_of(material.as_ofs, bundle.facts, bundle.config).test_first
    begin, end = _stretch(block, first, as_of - bundle.config.settling)
    weeks = still_open(gather_weeks(home, material, begin, end))
    progress("replay", 1, 3)
    rows = scored_weeks(bundle, weeks, timing_risk(material, weeks.snapshots, begin, bundle.config))
    rows["days_to_end"] = _days_to_end(weeks)
    progress("replay", 2, 3)
    trial = lived(Judged.of(rows, EvaluationPlan(headline_days=bundle.config.headline_days)))
    told = document(trial, costs)
    progress("replay", 3, 3)
    return told.model_copy(update={"version": bundle.version, "as_of": as_of})


def lived(judged: Judged) -> _Trial:
    """The alerts of every policy, week after week; rows need ``days_to_end`` beside those of :mod:`training.weeks`."""
    walk = Walk.of(judged.rows)
    ahead = judged.column("days_to_end")
    by_date = begun_by_list(walk, (ahead >= 0) & (ahead <= RENEWAL_DAYS))
    each = [int(by_date[rows].sum()) for rows in walk.snapshots]
    room = (each[0], *_evenly(sum(each[1:]), len(each) - 1))
    begun = {name: begun_by_rank(walk, score, room) for name, score in rankings(judged).items()}
    later = np.ones(len(judged.rows), dtype=bool)
    later[walk.snapshots[0]] = False
    span = float(walk.days[-1] - walk.days[0]) or 1.0
    alerts = {RENEWAL_DATE: by_date, **begun}
    return _Trial(judged, Leavers.of(judged), alerts, later, sum(each[1:]) * CYCLE_DAYS / span)


def document(trial: _Trial, costs: CostTable | None) -> Pilot:
    """The trial in numbers; version and date are the caller's to fill in."""
    rows, leavers = trial.judged.rows, len(trial.leavers.rows)
    found = {name: _graded(trial, name, trial.leavers, trial.later) for name in trial.begun}
    mature = rows.loc[trial.judged.mature(RIGHT_WITHIN_DAYS), "as_of"]
    moments = [moment.to_pydatetime() for moment in (rows["as_of"].min(), rows["as_of"].max())]
    return Pilot(
        version="",
        as_of=moments[1],
        first_week=moments[0],
        last_week=moments[1],
        judged_until=None if mature.empty else mature.max().to_pydatetime(),
        weeks=int(rows["as_of"].nunique()),
        accounts=int(rows["account_id"].nunique()),
        leavers=leavers,
        day_one=int((trial.begun[RENEWAL_DATE] & ~trial.later).sum()),
        alerts_per_four_weeks=trial.per_cycle,
        policies={name: one.record() for name, one in found.items()},
        readings={
            name: {other: _reading(found[name], found[other], leavers) for other in REFERENCES if other != name}
            for name in (CHAMPION, HEALTH, TIMING_ONLY)
        },
        lead_curve_days=LEADS,
        lead_curves={
            name: shares_by_lead(trial.judged, trial.leavers, alerts, LEADS) for name, alerts in trial.begun.items()
        },
        phases=_phases(trial),
        costs=costs,
        spending=_spending(trial, costs) if costs else None,
        notes=_notes(trial, leavers),
    )


def _require_later(bundle: Bundle, as_of: datetime) -> None:
    # At an earlier date the block that the model was kept from cannot be told from what it learnt from.
    cut = datetime.fromisoformat(bundle.facts["data_cut"])
    if as_of < cut:
        raise UsageError(
            "the trial would judge a model on what it learnt from",
            expected=f"a date at or after {cut.date()}, up to which version {bundle.version} was trained and judged",
            found=f"{as_of.date()}",
            todo=f"say --as-of {cut.date()} or later, or train a version as of an earlier date and replay that one",
        )


def _stretch(block: datetime, first: datetime | None, end: datetime) -> tuple[datetime, datetime]:
    begin = first or block
    if begin < block:
        raise UsageError(
            "the model has learnt from weeks of this trial",
            expected=f"a first week at or after {block.date()}",
            found=f"{begin.date()}",
            todo=f"say --from {block.date()}, or train a version as of an earlier date and replay that one",
        )
    if end - begin < timedelta(days=2 * LEAD_IN_DAYS):
        raise UsageError(
            "the trial is too short",
            expected=f"outcomes until {(begin + timedelta(days=2 * LEAD_IN_DAYS)).date()} or later",
            found=f"outcomes that are final until {end.date()}",
            todo="say a later --as-of or an earlier --from, or train a version as of an earlier date",
        )
    return begin, end


def _days_to_end(weeks: Material) -> Floats:
    ends = pd.to_datetime(weeks.cohort["end_on"], utc=True)
    ahead: pd.Series[float] = (ends - weeks.cohort["as_of"]).dt.total_seconds() / 86_400
    return np.asarray(ahead, dtype=np.float64)


def _evenly(total: int, snapshots: int) -> list[int]:
    reached = [total * number // snapshots for number in range(snapshots + 1)] if snapshots else [0]
    return np.diff(reached).astype(int).tolist()


def _graded(trial: _Trial, policy: str, leavers: Leavers, counted: Mask) -> Measured:
    return measured(trial.judged, leavers, trial.begun[policy], counted=counted)


def _reading(one: Measured, other: Measured, leavers: int) -> Reading:
    lead = one.lead_over(other)
    return Reading(lead=lead, words={name: lead_in_words(name, estimate, leavers) for name, estimate in lead})


def _phases(trial: _Trial) -> dict[str, PhaseRecord]:
    """Alerts by the phase they were raised in, leavers by the one they were in when 8 weeks were left."""
    judged = trial.judged
    phase, ahead = judged.rows["phase"].astype(str).to_numpy(), judged.column("days_to_leaving")
    last = np.array([""] * len(trial.leavers.rows), dtype=object)
    seen = np.flatnonzero((trial.leavers.place >= 0) & (ahead >= EARLY_DAYS))
    # Rows are in the order of time: what is written last is the latest.
    last[trial.leavers.place[seen]] = phase[seen]
    told: dict[str, PhaseRecord] = {}
    for name in np.unique(phase).tolist():
        leavers = trial.leavers.chosen(last == name)
        found = {policy: _graded(trial, policy, leavers, trial.later & (phase == name)) for policy in trial.begun}
        told[name] = PhaseRecord(
            leavers=len(leavers.rows), policies={policy: one.record() for policy, one in found.items()}
        )
    return {name: told[name] for name in in_order(told)}


def _spending(trial: _Trial, costs: CostTable) -> dict[str, Spending]:
    begun = {
        name: interventions(trial.judged, trial.leavers, alerts, costs.late_days)
        for name, alerts in trial.begun.items()
    }
    return spendings(trial.judged, begun, costs, RENEWAL_DATE)


def _notes(trial: _Trial, leavers: int) -> tuple[str, ...]:
    notes = [
        "All weeks lie after the last outcome that this version learnt from: its untouched block and later weeks.",
        "The first day's list is as long for every policy and is not graded; it does count as a warning to leavers.",
        f"Leavers are those who decided {LEAD_IN_DAYS} days after the first week or later.",
    ]
    if leavers == 0:
        notes.append("Nobody left in time to be judged: no claim can be made.")
    if not trial.begun[RENEWAL_DATE].any():
        notes.append("No contract came within 90 days of its end: the renewal-date rule raised no alert to match.")
    return tuple(notes)
