"""How is a made-up company written down, as a vendor's sources would show it and with its truth beside?

Grain out: one Parquet file per canonical table in ``out``, and in ``out/truth`` what really happened. The service reads
only the first; nothing of the truth is written anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.progress import Progress, silent
from features.simulator.campaign_tables import write_campaigns
from features.simulator.company import Company, found_company
from features.simulator.contracts import write_contracts
from features.simulator.market import write_market
from features.simulator.money import write_money
from features.simulator.oracle import oracle_rows
from features.simulator.production import draw_milestones, draw_projects, write_milestones, write_projects
from features.simulator.regimes import regime_named
from features.simulator.reviews import write_reviews
from features.simulator.seats import SeatPlan, draw_seats
from features.simulator.specials import finish_tables, remove_former, with_treatment, write_regime, write_special_truth
from features.simulator.support import write_tickets
from features.simulator.truth import write_manifest, write_truth
from features.simulator.usage import draw_intensity, write_usage
from features.simulator.users import draw_seat_list, draw_spells, write_seats
from features.simulator.voice import write_surveys
from features.simulator.writer import CanonicalWriter

STAGE = "simulate tables"
_PARTS = 7


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What a simulation wrote: rows per canonical table and per table of the truth."""

    regime: str
    seed: int
    accounts: int
    start: date
    weeks: int
    rows: dict[str, int]
    truth_rows: dict[str, int]


def simulate(  # noqa: PLR0913 - a run is named by all of these
    *,
    regime: str,
    accounts: int,
    seed: int,
    start: date,
    weeks: int,
    out: Path,
    progress: Progress = silent,
) -> SimulationReport:
    """Simulate a company and write its tables to ``out`` and its truth to ``out/truth``.

    The same arguments give the same bytes. Rows that would be known only after ``start + weeks`` are left out. A
    company that was written to ``out`` before is replaced; other files there stay.

    Raises:
        UsageError: unknown regime, no accounts, or a time that cannot be simulated.
    """
    declared = regime_named(regime)
    company, alerts = with_treatment(
        found_company(declared.world, accounts=accounts, seed=seed, start=start, weeks=weeks)
    )
    out.mkdir(parents=True, exist_ok=True)
    remove_former(out)
    plan = draw_seats(company)
    writer = CanonicalWriter(out, export_day=company.time.end_day)
    cycle_ratio = _write_tables(writer, company, plan, progress)
    written = finish_tables(writer, company, alerts, out)
    truth_rows = write_truth(out / "truth", company, plan, oracle_rows(company), cycle_ratio=cycle_ratio)
    truth_rows |= write_special_truth(out / "truth", company, alerts, written)
    write_manifest(out / "truth", company, regime=regime)
    write_regime(out / "truth", declared)
    progress(STAGE, _PARTS, _PARTS)
    return SimulationReport(
        regime=regime, seed=seed, accounts=accounts, start=start, weeks=weeks, rows=written.rows, truth_rows=truth_rows
    )


def _write_tables(writer: CanonicalWriter, company: Company, plan: SeatPlan, progress: Progress) -> float:
    write_contracts(writer, company, plan)
    progress(STAGE, 1, _PARTS)
    write_campaigns(writer, company)
    write_market(writer, company)
    progress(STAGE, 2, _PARTS)
    projects = draw_projects(company)
    write_projects(writer, company, projects)
    write_milestones(writer, company, projects, draw_milestones(company, projects))
    progress(STAGE, 3, _PARTS)
    cycle_ratio = write_reviews(writer, company, projects)
    progress(STAGE, 4, _PARTS)
    write_money(writer, company, plan.states)
    write_tickets(writer, company, plan)
    write_surveys(writer, company)
    progress(STAGE, 5, _PARTS)
    seats = draw_seat_list(company, plan)
    spells = draw_spells(company, seats)
    write_seats(writer, company, seats, spells)
    write_usage(
        writer,
        company,
        intensity=draw_intensity(company, plan),
        plan=plan,
        seats=seats,
        spells=spells,
        progress=progress,
    )
    progress(STAGE, 6, _PARTS)
    return cycle_ratio
