"""What is told, and kept, about a replay trial?

Input: a :class:`Pilot`. Output: lines for people, a page and a JSON document beside the reports of the version.
"""

from __future__ import annotations

from pathlib import Path

from features.settings import Home
from training.alert_parts import AlertRecord
from training.evaluation import CHAMPION
from training.evaluation_parts import Estimate
from training.findings import arm_name, number, with_interval
from training.pilot_parts import RENEWAL_DATE, Pilot
from training.report import environment

MEASURES = {
    "precision": "alerts that were right",
    "recall": "leavers alerted",
    "early_before_decision": "8 weeks before the decision",
    "early_before_end": "13 weeks before the end",
    "early_value": "their value, 8 weeks before",
    "lead_days": "median lead, days",
}
_ORDER = (CHAMPION, "health", "timing_only", RENEWAL_DATE)


def told(measure: str, estimate: Estimate) -> str:
    """One measure with its interval: shares in percent, leads in days and without fractions."""
    if estimate.value is None:
        return with_interval(estimate)
    days = measure == "lead_days"
    ends = [estimate.value, estimate.low, estimate.high]
    value, low, high = (None if end is None else number(end, 0) if days else f"{end:.0%}" for end in ends)
    return f"{value} ({low} to {high})" if low and high else f"{value} (no interval: {estimate.reason})"


def change(measure: str, estimate: Estimate) -> str:
    """A difference with its sign: points of percent, or days."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return with_interval(estimate)
    scale, unit = (1, " days") if measure == "lead_days" else (100, " points")
    value, low, high = (f"{end * scale:+z.0f}" for end in (estimate.value, estimate.low, estimate.high))
    return f"{value}{unit} ({low} to {high})"


def lines(pilot: Pilot) -> list[str]:
    """The trial in words."""
    weeks = f"{pilot.weeks} weeks from {pilot.first_week.date()} to {pilot.last_week.date()}"
    return [
        f"version {pilot.version} replayed over {weeks}: {pilot.accounts} accounts, {pilot.leavers} leavers in time",
        f"{pilot.alerts_per_four_weeks:.0f} new alerts in four weeks for every policy",
        *(line for name in _order(pilot) for line in _policy(name, pilot.policies[name])),
        *_against(pilot, RENEWAL_DATE),
        *_against(pilot, "timing_only"),
        *_money(pilot),
        *(f"note: {note}" for note in pilot.notes),
    ]


def store(home: Home, pilot: Pilot) -> Path:
    """Write page and document beside the reports of the version; the page's path."""
    from training.pilot_plots import pilot_pictures  # noqa: PLC0415  drawing libraries take seconds to import

    folder = home.reports / pilot.version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pilot.json").write_text(pilot.model_dump_json(indent=1))
    page = environment().get_template("pilot.html")
    written = folder / "pilot.html"
    written.write_text(
        page.render(
            pilot=pilot,
            order=_order(pilot),
            measures=MEASURES,
            references=[one for one in (RENEWAL_DATE, "timing_only") if one in pilot.readings.get(CHAMPION, {})],
            arm_name=arm_name,
            written=told,
            change=change,
            pictures=pilot_pictures(pilot),
        )
    )
    return written


def _order(pilot: Pilot) -> list[str]:
    return [name for name in _ORDER if name in pilot.policies]


def _policy(name: str, record: AlertRecord) -> list[str]:
    shown = [f"    {title:<30}{told(measure, getattr(record, measure))}" for measure, title in MEASURES.items()]
    return [f"  {arm_name(name)}: {record.alerts} alerts", *shown]


def _against(pilot: Pilot, reference: str) -> list[str]:
    reading = pilot.readings[CHAMPION][reference]
    rows = [
        f"    {title:<30}{change(measure, getattr(reading.lead, measure))}: {reading.words[measure]}"
        for measure, title in MEASURES.items()
    ]
    return [f"  this model less {arm_name(reference)}:", *rows]


def _money(pilot: Pilot) -> list[str]:
    if pilot.costs is None or pilot.spending is None:
        return []
    currency = pilot.costs.currency
    shown = [f"  interventions and their cost, in {currency}:"]
    for name in _order(pilot):
        spent = pilot.spending[name]
        less = "" if spent.reactive_change is None else f", {spent.reactive_change.value or 0:+.0%} reactive"
        shown.append(
            f"    {arm_name(name):<22}{spent.reactive} reactive, {spent.proactive} in time: "
            f"{with_interval(spent.total_cost, 0)}{less}"
        )
    return shown
