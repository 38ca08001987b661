"""In which phase was one account on a day, and by which campaigns and projects, as known then?

A day is a day in the account's own zone; what is known is what could be known at its 00:00 UTC. Where no campaign is
known the phase is ``none`` and the phase of the account's projects, at the last snapshot's Monday, is the one to go by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from features.beliefs import timelines
from features.campaigns import CampaignWindow, PhaseAnswer, account_windows, phase_on
from features.errors import UnknownAccount
from features.settings import Home
from features.steps import run_steps
from features.vocabulary import snapshot_at_or_before
from features.warehouse import Engine, Warehouse

_PROJECT_STEPS = ("project_lives", "milestone_lives", "task_lives", "project_tasks", "project_phases")


@dataclass(frozen=True, slots=True)
class AccountDay:
    """One account on one day.

    Its phase with the rule that decided, every belief about its campaigns, latest start last, and the phase of its
    projects (None where nothing is known of any, or may not be read).
    """

    account_id: str
    zone: str
    moment: datetime
    answer: PhaseAnswer
    windows: tuple[CampaignWindow, ...]
    project_phase: str | None

    @property
    def day(self) -> date:
        """The day that was asked for."""
        return self.moment.date()

    def lines(self, campaign: str | None = None) -> list[str]:
        """For people, with the windows of one campaign or instance only where it is named."""
        answer = self.answer
        told = [f"on {self.day} ({self.zone}) the account is in phase {answer.phase}: {answer.rule}"]
        told += [f"  {_line(window, self.zone)}" for window in self._of(campaign)]
        if len(told) == 1:
            told.append(f"  nothing was known of a part in {campaign or 'any campaign'}")
        return [*told, f"project phase: {self.project_phase or 'no basis: no project is known'}"]

    def document(self, campaign: str | None = None) -> dict[str, Any]:
        """The same for programs."""
        answer = self.answer
        return {
            "account_id": self.account_id,
            "as_of": self.moment.isoformat(),
            "day": self.day.isoformat(),
            "zone": self.zone,
            "phase": str(answer.phase),
            "rule": answer.rule,
            "conflict": answer.conflict,
            "live": {"pre": answer.n_pre, "active": answer.n_active, "post": answer.n_post},
            "project_phase": self.project_phase,
            "campaigns": [_facts(window, answer) for window in self._of(campaign)],
        }

    def _of(self, campaign: str | None) -> Iterator[CampaignWindow]:
        for window in self.windows:
            if campaign is None or campaign in (window.campaign_id, window.campaign_instance_id):
                yield window


def account_day(home: Home, account_id: str, moment: datetime) -> AccountDay:
    """What was known of an account on the day of a moment.

    Raises:
        MissingStateError: no account is loaded.
        UnknownAccount: this one was not known then.
    """
    warehouse = Warehouse(home)
    warehouse.require_rows("accounts_history")
    with warehouse.engine(threads=1) as engine:
        zone, may_read = _account(engine, account_id, moment)
        windows = account_windows(engine, account_id)
        phase = _project_phase(engine, home, account_id, moment) if may_read else None
    believed = sorted((each for each in windows if each.believed_at(moment)), key=lambda each: each.active_start)
    answer = phase_on(windows, moment.date(), zone=zone, believed_at=moment)
    return AccountDay(account_id, zone, moment, answer, tuple(believed), phase)


def _account(engine: Engine, account_id: str, moment: datetime) -> tuple[str, bool]:
    columns = "account_id, valid_from, available_at, row_hash, op, hq_tz, consent_pm_data"
    rows = engine.fetch(f"SELECT {columns} FROM accounts_history")
    own = rows.filter(pc.equal(rows.column("account_id"), account_id)).to_pylist()
    states = timelines(own, key=["account_id"], held_from="valid_from")
    known = states[(account_id,)].at(moment) if states else None
    if known is None:
        raise UnknownAccount(
            "no account of this id was known on this date",
            expected="an account_id of accounts_history, at a date from which it was known",
            found="none" if not states else f"nothing before {states[(account_id,)].moments[0].date()}",
            todo="check the id and the date",
        )
    return known["hq_tz"], known["consent_pm_data"] is not False


def _project_phase(engine: Engine, home: Home, account_id: str, moment: datetime) -> str | None:
    if not Warehouse(home).dataset("projects_history").rows():
        return None
    with TemporaryDirectory(prefix="pulse-phases-") as scratch:
        monday = pa.array([snapshot_at_or_before(moment)], pa.timestamp("us", tz="UTC"))
        engine.name_rows("as_of_grid", pa.table({"as_of": monday}))
        run_steps(engine, _PROJECT_STEPS, Path(scratch))
        rows = engine.fetch("SELECT account_id, project_phase FROM project_phases").to_pylist()
    return next((row["project_phase"] for row in rows if row["account_id"] == account_id), None)


def _line(window: CampaignWindow, zone: str) -> str:
    first, last = _days(window, zone)
    told = f"{window.campaign_instance_id:<30} {first} to {last}  {window.participation} ({window.confidence:.2f})"
    return f"{told}  {window.status}, known since {window.known_at:%Y-%m-%d}{'' if window.takes_part else '; no phase'}"


def _facts(window: CampaignWindow, answer: PhaseAnswer) -> dict[str, Any]:
    phases = {live.campaign_instance_id: str(phase) for live, phase in answer.live}
    return {
        "campaign_instance_id": window.campaign_instance_id,
        "campaign_id": window.campaign_id,
        "participation": window.participation,
        "confidence": window.confidence,
        "status": window.status,
        "takes_part": bool(window.takes_part),
        "phase": phases.get(window.campaign_instance_id),
        "known_at": window.known_at.isoformat(),
        "pre_start": window.pre_start.isoformat(),
        "active_start": window.active_start.isoformat(),
        "active_end": window.active_end.isoformat(),
        "post_end": window.post_end.isoformat(),
    }


def _days(window: CampaignWindow, zone: str) -> tuple[date, date]:
    # On the account's own calendar, where the midnight of an event's zone is some other hour.
    place = ZoneInfo(zone)
    last = window.active_end - timedelta(microseconds=1)
    return window.active_start.astimezone(place).date(), last.astimezone(place).date()
