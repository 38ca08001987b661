"""What does a regime write beside the tables of `campaign`, and what does the truth say of it?

`campaign` writes nothing here. Grain out: tables that only some regimes have, soiled files, and in ``truth/`` a
``regime.json`` (what the regime changes and why) with the tables of its laws.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.simulator.company import Company
from features.simulator.dirt import Soiler, dirt_truth
from features.simulator.dirty_accounts import DirtyAccounts, draw_dirty_accounts
from features.simulator.regimes import Regime
from features.simulator.soiled_rows import Tally, Trouble
from features.simulator.soiled_tickets import TICKETS
from features.simulator.strangers import write_strangers
from features.simulator.switches import switches_of
from features.simulator.timeline import Ints
from features.simulator.traps import EXPORT, leaks_truth, write_export
from features.simulator.treatment import Alerts, treated_company
from features.simulator.treatment_tables import treatment_truth, write_treatment
from features.simulator.world import SEGMENTS, World
from features.simulator.writer import SOURCES, SPECIAL_SOURCES, CanonicalWriter


@dataclass(frozen=True, slots=True)
class Finished:
    """Rows per written table, and what was planted where the files were soiled."""

    rows: dict[str, int]
    dirty: DirtyAccounts | None = None
    tally: Tally | None = None


def remove_former(folder: Path) -> None:
    """Remove the company that lies in the folder, if one does: regimes write different files."""
    if not (folder / "truth" / "manifest.json").exists():
        return
    names = [f"{name}.parquet" for name in (*SOURCES, *SPECIAL_SOURCES, EXPORT)] + [f"{TICKETS}.csv"]
    former = [folder / name for name in names]
    former += [path for path in (folder / "truth").iterdir() if path.suffix in {".parquet", ".json"}]
    for path in former:
        path.unlink(missing_ok=True)


def with_treatment(company: Company) -> tuple[Company, Alerts | None]:
    """The company with the effect of the alerts that its world has."""
    law = company.world.treatment
    return (company, None) if law is None else treated_company(company, law)


def finish_tables(writer: CanonicalWriter, company: Company, alerts: Alerts | None, folder: Path) -> Finished:
    """Write what only this regime has, close the tables, and soil them where the regime says so."""
    world = company.world
    if world.treatment is not None and alerts is not None:
        write_treatment(writer, company, world.treatment, alerts)
    if world.traps is not None:
        write_export(folder, company, world.traps)
    if world.dirt is None:
        return Finished(writer.close())
    dirty, tally = draw_dirty_accounts(company, world.dirt), Tally()
    for kind, rows in write_strangers(writer, company, world.dirt, dirty).items():
        tally.note(Trouble("", kind), rows)
    clean = writer.close()
    soiler = Soiler(company, world.dirt, dirty, tally=tally)
    soiler.soil(folder)
    return Finished(clean | soiler.rows, dirty, tally)


def write_special_truth(truth: Path, company: Company, alerts: Alerts | None, finished: Finished) -> dict[str, int]:
    """Write the truth that only this regime has; rows per table."""
    world, tables = company.world, dict[str, pa.Table]()
    if switches := switches_of(world, company.time, company.campaigns.instances):
        cells = {name: [getattr(switch, name) for switch in switches] for name in ("name", "meaning")}
        tables["switches"] = pa.table({**cells, "first_day": _days([switch.first_day for switch in switches])})
    if world.rollout is not None:
        tables["rollout_accounts"] = _rollout_accounts(company)
    if world.thin is not None:
        tables["thin_accounts"] = pa.table({"account_id": _names(company, np.flatnonzero(company.accounts.thin))})
    if world.treatment is not None and alerts is not None:
        tables["treatment"] = treatment_truth(company, world.treatment, alerts)
    if world.traps is not None:
        tables["leaks"] = leaks_truth(company, world.traps)
    if world.dirt is not None and finished.dirty is not None and finished.tally is not None:
        tables |= dirt_truth(company, world.dirt, finished.dirty, tally=finished.tally)
    for name, table in tables.items():
        pq.write_table(table, truth / f"{name}.parquet", compression="zstd", compression_level=1, store_schema=False)
    return {name: table.num_rows for name, table in tables.items()}


def write_regime(truth: Path, regime: Regime) -> None:
    """Write ``regime.json``: what differs from `campaign`, and why; nothing for `campaign` itself."""
    if not regime.changes:
        return
    usual, world = World().model_dump(mode="json"), regime.world.model_dump(mode="json")
    document = {
        "regime": regime.name,
        "meaning": regime.meaning,
        "service_must": regime.service_must,
        "changes": [
            {"law": change.law, "usual": _at(usual, change.law), "here": _at(world, change.law), "why": change.why}
            for change in regime.changes
        ],
    }
    (truth / "regime.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def _at(world: dict[str, object], law: str) -> object:
    # A law that is not set is not in the document: null.
    found: object = world
    for name in law.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _rollout_accounts(company: Company) -> pa.Table:
    taken = company.latent.taken[:, : company.time.weeks] & company.live
    who = np.flatnonzero(taken.any(axis=1))
    first, after = taken[who].argmax(axis=1), company.time.weeks - taken[who][:, ::-1].argmax(axis=1)
    return pa.table(
        {
            "account_id": _names(company, who),
            "segment": [SEGMENTS[place] for place in company.accounts.segment[who]],
            "first_day": _days(company.time.monday(first)),
            "last_day": _days(company.time.monday(after) - 1),
        }
    )


def _names(company: Company, who: Ints) -> pa.Array:
    return pa.array([company.accounts.ids[place] for place in who], pa.string())


def _days(days: Ints | list[int]) -> pa.Array:
    return pa.array(np.asarray(days, dtype=np.int32)).cast(pa.date32())
