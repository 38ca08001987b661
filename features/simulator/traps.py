"""What does a current-state export give away, and which of its columns were planted to do so?

Grain out: one row per account and export in ``accounts_current.parquet``, beside the canonical tables. The contract has
no place for such columns on purpose: they were edited after the outcome, and nothing says when. A careless builder
joins them by account alone to every date; the leak check must name all six. They are declared here and nowhere else,
so that no canonical table, and no feature, learns of them. Every account that had signed by an export is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.events import Column, Kind
from features.simulator.company import Company
from features.simulator.special_laws import TrapLaw
from features.simulator.timeline import Flags, Floats, Ints, moments
from features.simulator.writer import ARROW_TYPES, Coded

EXPORT = "accounts_current"
"""Stem of the file; no canonical table has this name."""
KEYS = (
    Column("account_id", Kind.TEXT, "the account"),
    Column("exported_at", Kind.MOMENT, "when the export was made"),
)


@dataclass(frozen=True, slots=True)
class Trap:
    """One planted column, how it comes to tell the outcome, and the value that tells (of days: more than these)."""

    column: Column
    mechanism: str
    tells: str | int | bool


TRAPS = (
    Trap(
        Column("account_status_current", Kind.TEXT, "state of the account", choices=("active", "cancelled")),
        "set to cancelled once the notice is recorded",
        "cancelled",
    ),
    Trap(
        Column("last_invoice_status", Kind.TEXT, "state of the newest invoice", choices=("open", "paid", "void")),
        "the last invoice of a leaver is voided two days after the notice is recorded",
        "void",
    ),
    Trap(
        Column("csm_risk_note", Kind.TEXT, "what the manager noted", choices=("fine", "watch", "leaving")),
        "leaving is typed after the call in which they say so",
        "leaving",
    ),
    Trap(
        Column("renewal_stage_current", Kind.TEXT, "stage of renewal", choices=("open", "closed_won", "closed_lost")),
        "closed as lost once the notice is recorded",
        "closed_lost",
    ),
    Trap(
        Column("auto_renew_current", Kind.FLAG, "does the contract renew by itself?"),
        "switched off by the notice itself",
        False,
    ),
    Trap(
        Column("days_since_last_update", Kind.INTEGER, "age of the record's last edit", unit="days", minimum=0),
        "nobody edits the record of an account that has left",
        60,
    ),
)


def write_export(folder: Path, company: Company, law: TrapLaw) -> None:
    """Write both exports into one file beside the canonical tables."""
    end = company.time.end_day
    days = (max(company.time.first_day, end - 7 * law.earlier_export_weeks), end)
    exports = pa.concat_tables([_export(company, law, day) for day in days])
    pq.write_table(exports, folder / f"{EXPORT}.parquet", compression="zstd", compression_level=1, store_schema=False)


def leaks_truth(company: Company, law: TrapLaw) -> pa.Table:
    """One row per planted column: how it comes to tell the outcome, and how often it does so in the last export."""
    export = _export(company, law, company.time.end_day)
    leavers = set(np.asarray(company.accounts.ids)[company.decisions.leaves].tolist())
    left = np.asarray([name in leavers for name in export.column("account_id").to_pylist()], dtype=np.bool_)
    says = {trap.column.name: _says(trap, export) for trap in TRAPS}
    share = {name: (_mean(cells[left]), _mean(cells[~left])) for name, cells in says.items()}
    return pa.table(
        {
            "column": [trap.column.name for trap in TRAPS],
            "kind": [trap.column.kind.value for trap in TRAPS],
            "meaning": [trap.column.meaning for trap in TRAPS],
            "mechanism": [trap.mechanism for trap in TRAPS],
            "tells": [str(trap.tells) for trap in TRAPS],
            "of_leavers": pa.array([leavers for leavers, _ in share.values()], pa.float64(), from_pandas=True),
            "of_stayers": pa.array([stayers for _, stayers in share.values()], pa.float64(), from_pandas=True),
            "file": [f"{EXPORT}.parquet"] * len(TRAPS),
        }
    )


def _says(trap: Trap, export: pa.Table) -> Flags:
    cells = export.column(trap.column.name)
    if trap.column.kind is Kind.INTEGER:
        return np.asarray(cells.to_numpy() > trap.tells, dtype=np.bool_)
    return np.asarray([cell == trap.tells for cell in cells.to_pylist()], dtype=np.bool_)


def _mean(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def _export(company: Company, law: TrapLaw, day: int) -> pa.Table:
    count = len(company.accounts)
    signed = company.accounts.first_start <= day
    draw = company.streams.named("traps/records").random((7, count))
    known = company.decisions.known_at
    gone = (known <= day) & (draw[0] < law.told)
    mistaken = ~company.decisions.leaves & (draw[0] < law.false_alarm)
    lost = gone | mistaken
    stage = np.where(lost, 2, np.where(draw[1] < 0.5, 0, 1))
    invoice = np.where(draw[2] < 0.15, 0, 1)
    voided = ((known + 2 <= day) & (draw[3] < law.voided)) | (mistaken & (draw[3] < 0.5))
    note = np.where(draw[4] < 0.5, -1, np.where(draw[4] < 0.9, 0, 1))
    cells = {
        "account_status_current": Coded(lost.astype(np.int8), ("active", "cancelled")),
        "last_invoice_status": Coded(np.where(voided, 2, invoice), ("open", "paid", "void")),
        "csm_risk_note": Coded(np.where(_heard(company, law, day, draw[5]), 2, note), ("fine", "watch", "leaving")),
        "renewal_stage_current": Coded(stage, ("open", "closed_won", "closed_lost")),
        "auto_renew_current": ~((company.decisions.decided_at <= day) & (draw[5] < law.told) | mistaken),
        "days_since_last_update": _age(company, day, touched=draw[6]),
    }
    rows = np.flatnonzero(signed)
    arrays = [pa.array(company.accounts.ids), pa.array(moments(np.full(count, day))).cast(ARROW_TYPES[Kind.MOMENT])]
    arrays += [_array(cells[trap.column.name], trap.column) for trap in TRAPS]
    names = [column.name for column in (*KEYS, *(trap.column for trap in TRAPS))]
    return pa.table(arrays, names=names).take(pa.array(rows))


def _heard(company: Company, law: TrapLaw, day: int, draw: Floats) -> Flags:
    # The manager hears of it a day after the decision: mostly before the notice is recorded.
    return np.asarray((company.decisions.decided_at + 1 <= day) & (draw < law.told), dtype=np.bool_)


def _age(company: Company, day: int, *, touched: Floats) -> Ints:
    # Records of customers are edited about every two weeks; that of a leaver last when the contract was closed.
    edited = day - np.floor(-14 * np.log1p(-touched))
    edited = np.minimum(edited, company.decisions.gone_from)
    age = np.floor(day - np.maximum(edited, company.accounts.first_start - 30))
    return np.asarray(np.maximum(age, 0).astype(np.int64))


def _array(cell: Coded | Flags | Ints, column: Column) -> pa.Array:
    if isinstance(cell, Coded):
        return cell.arrow().cast(pa.string())
    return pa.array(cell, ARROW_TYPES[column.kind])
