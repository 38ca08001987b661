"""What does one line of a calendar say, before the data contract judges it?

Grain out: one :class:`Entry` per belief about a campaign instance. Cells are text under the names of the canonical
columns; a column that is not there was not said. Nothing is corrected here: a bad cell goes on to ingest, which puts
the row in quarantine with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from features.calendars.rules import Belief
from features.errors import DataContractError
from features.events import table_named

INSTANCES, KINDS = "campaign_instances_history", "campaigns"
INSTANCE_CELLS = tuple(column.name for column in table_named(INSTANCES).columns if column.name != "known_to")
KIND_CELLS = tuple(column.name for column in table_named(KINDS).columns)
REQUIRED = ("campaign_id", "active_start_local", "active_end_local")
UNSAID_FAMILY = "custom"
_SHOWN = 5

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One belief: the cells of its instance, the cells of its kind of campaign, and the line it stands in, from 1."""

    instance: Cells
    kind: Cells
    line: int

    @property
    def instance_id(self) -> str:
        """The instance it is about; empty where the file's cells give none."""
        return self.instance.get("campaign_instance_id", "")


def entry_of(cells: Cells, *, line: int) -> Entry:
    """The entry of a record of canonical cells; what follows from other cells is filled, empty cells are not said."""
    said = {name: cell.strip() for name, cell in cells.items() if cell.strip()}
    campaign, year = said.get("campaign_id", ""), said.get("active_end_local", "")[:4]
    if campaign and year.isdigit():
        said.setdefault("campaign_instance_id", f"{campaign}_{year}")
    if "event_tz" in said:
        said.setdefault("tz_policy", "event_tz")
    if "known_from" in said:
        said["known_from"] = moment_cell(said["known_from"])
    instance = {name: said[name] for name in INSTANCE_CELLS if name in said}
    return Entry(instance, {name: said[name] for name in KIND_CELLS if name in said}, line)


def entries_of(beliefs: Iterable[Belief]) -> tuple[Entry, ...]:
    """The entries of a calendar's beliefs."""
    return tuple(_entry(belief, line) for line, belief in enumerate(beliefs, start=1))


def require_dates_in_order(entries: Sequence[Entry], file: str) -> None:
    """Refuse a file in which a campaign ends before it starts: no single row of it can be trusted.

    Raises:
        DataContractError: names the lines.
    """
    wrong = [entry.line for entry in entries if _ends_before_it_starts(entry)]
    if wrong:
        raise DataContractError(
            f"{file}: a campaign ends before it starts",
            expected="active_end_local on or after active_start_local (the last day is included)",
            found=f"{len(wrong)} of {len(entries)} entries, the first in {', '.join(map(str, wrong[:_SHOWN]))}",
            todo="correct the dates and import again; nothing was taken",
        )


def moment_cell(cell: str) -> str:
    """A plain day as the moment at which it begins in UTC; any other cell as it is."""
    return f"{cell}T00:00:00Z" if day_in(cell) else cell


def day_in(cell: str) -> date | None:
    """The day that a cell holds, or None where it holds something else."""
    try:
        return date.fromisoformat(cell) if len(cell) == len("2024-01-01") else None
    except ValueError:
        return None


def title_of(name: str) -> str:
    """An id in words: ``march_madness_2025`` is "March madness 2025"."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _ends_before_it_starts(entry: Entry) -> bool:
    first = day_in(entry.instance.get("active_start_local", ""))
    last = day_in(entry.instance.get("active_end_local", ""))
    return first is not None and last is not None and last + timedelta(days=1) <= first


def _entry(belief: Belief, line: int) -> Entry:
    template, (first, last) = belief.template, belief.active
    said = {
        "campaign_instance_id": belief.instance_id,
        "known_from": moment_cell(belief.known_from.isoformat()),
        "campaign_id": template.campaign_id,
        "label": f"{template.name} {belief.year}",
        "active_start_local": first.isoformat(),
        "active_end_local": last.isoformat(),
        "tz_policy": "event_tz" if template.zone else "account_local",
        "event_tz": template.zone or "",
        # On the instance too: what is believed of this edition must not change when the campaign's default does.
        "pre_days": str(template.pre_days),
        "post_days": str(template.post_days),
        "status": belief.status,
        "source": f"rule, within {template.within_days} days" if belief.is_ruled else "public announcement",
        "name": template.name,
        "family": template.family,
        "region": template.region or "",
        "default_pre_days": str(template.pre_days),
        "default_post_days": str(template.post_days),
        "importance": str(template.importance),
    }
    return entry_of(said, line=line)
