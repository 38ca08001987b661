"""How do the clean files of a made-up company become those of real sources?

Files are soiled after they are written: the company behind them is the one of `campaign` with the same seed, so what
dirt costs can be measured. Grain in and out: the canonical tables of a folder; tickets become a CSV, as only text can
hold naive times, words for numbers and broken lines. The truth gets one row per trouble and table with what ingest must
count.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.simulator.company import Company
from features.simulator.dirty_accounts import (
    CURRENCIES,
    OLD_PREFIX,
    DirtyAccounts,
    dirty_accounts_table,
)
from features.simulator.soiled_rows import DAY, HOUR, Tally, Trouble, broken, replaced, shifted
from features.simulator.soiled_tickets import NO_ZONE, TICKETS, as_text, write_csv
from features.simulator.special_laws import DirtLaw, some_of, week_at
from features.simulator.stains import LONG_LINE, NAIVE_TIME
from features.simulator.timeline import NEVER, Flags, Ints

PRODUCTION = ("projects_history", "milestones_history", "assets", "asset_versions", "review_events")
SURVEYS = ("survey_invitations", "survey_responses")
_MERGED = (TICKETS, *SURVEYS)
_MONEY = {
    "contracts_history": ("acv_minor", "tcv_minor"),
    "contract_events": ("arr_delta_minor",),
    "subscription_lines_history": ("unit_amount_minor",),
    "invoices_history": ("amount_due_minor", "amount_paid_minor", "amount_remaining_minor"),
    "payments": ("amount_minor",),
    "credit_notes": ("amount_minor",),
}
_FIRST = ("projects_history",)
"""Milestones name their project only, so projects come before them."""


class Soiler:
    """Soils the files of one folder, table by table; ``rows`` are those of each file afterwards."""

    def __init__(self, company: Company, law: DirtLaw, dirty: DirtyAccounts, *, tally: Tally) -> None:
        self._company, self._law, self._dirty, self._tally = company, law, dirty, tally
        self._place = {name: number for number, name in enumerate(company.accounts.ids)}
        self._place |= {f"ct-{name.removeprefix('acc-')}": number for name, number in self._place.items()}
        self._project: dict[str, int] = {}
        self._blackouts = blackout_days(company, law)
        self.rows: dict[str, int] = {}

    def soil(self, folder: Path) -> None:
        """Soil every table of the folder."""
        for path in sorted(folder.glob("*.parquet"), key=lambda path: (path.stem not in _FIRST, path.stem)):
            clean = path.rename(path.with_suffix(".clean"))
            source = pq.ParquetFile(clean)
            groups = range(source.num_row_groups)
            batches = (self._soiled(path.stem, source.read_row_group(group), group) for group in groups)
            if path.stem == TICKETS:
                self._write_tickets(path.with_suffix(".csv"), pa.concat_tables(batches))
            else:
                schema, kept = source.schema_arrow, 0
                with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, store_schema=False) as out:
                    for rows in batches:
                        out.write_table(rows.cast(schema))
                        kept += rows.num_rows
                self.rows[path.stem] = kept
            clean.unlink()

    def _write_tickets(self, path: Path, rows: pa.Table) -> None:
        broken_lines = some_of(getattr(self._law, LONG_LINE.share), rows.num_rows)
        write_csv(path, rows, long_lines=broken_lines)
        self._tally.note(Trouble(TICKETS, "broken line", "", LONG_LINE.rule), broken_lines, refused=broken_lines)
        self.rows[TICKETS] = rows.num_rows + broken_lines

    def _soiled(self, name: str, rows: pa.Table, group: int) -> pa.Table:
        rng = self._company.streams.named(f"dirt/rows/{name}", group)
        account = self._account(name, rows)
        if name == "projects_history":
            self._project.update(zip(rows.column("project_id").to_pylist(), account.tolist(), strict=True))
        rows, account = self._without_missing(name, rows, account)
        rows = self._with_old_ids(name, rows, account)
        rows = self._in_currency(name, rows, account)
        rows = self._late(name, rows, rng)
        kept = self._known(rows)
        rows, account = rows.filter(pa.array(kept)), account[kept]
        if name != TICKETS:
            rows = broken(name, rows, rng, law=self._law, tally=self._tally)
            return rows.filter(pa.array(self._known(rows)))
        naive = self._flags(account, self._dirty.naive_time)
        self._tally.note(
            Trouble(name, "naive time", NAIVE_TIME.column, NAIVE_TIME.rule), int(naive.sum()), refused=int(naive.sum())
        )
        text = as_text(rows, np.where(naive, self._company.accounts.hq[account], NO_ZONE))
        return broken(name, text, rng, law=self._law, tally=self._tally, spared=naive)

    def _account(self, name: str, rows: pa.Table) -> Ints:
        # Position of each row's account; -1 = none of the company's.
        column = {"milestones_history": "project_id", "subscription_lines_history": "contract_id"}.get(
            name, "account_id"
        )
        if column not in rows.column_names:
            return np.full(rows.num_rows, -1)
        places = self._project if column == "project_id" else self._place
        coded = rows.column(column).combine_chunks().dictionary_encode()
        found = np.asarray([places.get(each, -1) for each in coded.dictionary.to_pylist()] + [-1], dtype=np.int64)
        return np.asarray(found[coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)])

    def _flags(self, account: Ints, of_accounts: Flags) -> Flags:
        return np.asarray(np.append(of_accounts, False)[account], dtype=np.bool_)

    def _without_missing(self, name: str, rows: pa.Table, account: Ints) -> tuple[pa.Table, Ints]:
        lost = np.zeros(rows.num_rows, dtype=np.bool_)
        kind = ""
        if name in PRODUCTION:
            kind, lost = "missing production", self._flags(account, self._dirty.no_production)
        elif name in SURVEYS:
            kind, lost = "missing surveys", self._flags(account, self._dirty.no_surveys)
        elif name == "usage_daily":
            day = rows.column("usage_date").cast(pa.int32()).to_numpy()
            kind = "blackout"
            for first, last in self._blackouts:
                lost |= (day >= first) & (day <= last)
        self._tally.note(Trouble(name, kind), int(lost.sum()))
        return rows.filter(pa.array(~lost)), account[~lost]

    def _with_old_ids(self, name: str, rows: pa.Table, account: Ints) -> pa.Table:
        if name not in _MERGED:
            return rows
        day = rows.column("event_at").cast(pa.int64()).to_numpy() // DAY
        old = day < np.append(self._dirty.old_until, -NEVER)[account]
        self._tally.note(Trouble(name, "old id", "account_id"), int(old.sum()))
        names = pc.binary_join_element_wise(pa.scalar(OLD_PREFIX), rows.column("account_id"), "")
        return replaced(rows, "account_id", pc.if_else(pa.array(old), names, rows.column("account_id")))

    def _in_currency(self, name: str, rows: pa.Table, account: Ints) -> pa.Table:
        if name not in _MONEY:
            return rows
        foreign = self._flags(account, self._dirty.currency > 0)
        factor = np.append(self._dirty.factor(), 1.0)[account]
        for column in _MONEY[name]:
            cents = rows.column(column)
            rows = replaced(
                rows, column, pc.round(pc.multiply(cents.cast(pa.float64()), pa.array(factor))).cast(pa.int64())
            )
        if "currency" in rows.column_names:
            code = np.append(self._dirty.currency, 0)[account]
            paid_in = pa.DictionaryArray.from_arrays(pa.array(code), pa.array(CURRENCIES)).cast(pa.string())
            rows = replaced(rows, "currency", paid_in)
        self._tally.note(Trouble(name, "other currency", _MONEY[name][0]), int(foreign.sum()))
        return rows

    def _late(self, name: str, rows: pa.Table, rng: np.random.Generator) -> pa.Table:
        longest = 0.0
        if name in PRODUCTION:
            longest = self._law.production_late_hours * HOUR
        elif name == "survey_responses":
            longest = self._law.survey_late_days * DAY
        if name == "usage_daily":
            # Those rows are late in `campaign`, too.
            lag = pc.subtract(rows.column("available_at").cast(pa.int64()), rows.column("event_at").cast(pa.int64()))
            self._tally.note(Trouble(name, "late", "available_at"), int(pc.sum(pc.greater(lag, 2 * DAY)).as_py() or 0))
        if not longest:
            return rows
        self._tally.note(Trouble(name, "late", "available_at"), rows.num_rows)
        return shifted(rows, "available_at", np.rint(longest * rng.random(rows.num_rows)).astype(np.int64))

    def _known(self, rows: pa.Table) -> Flags:
        known = rows.column("available_at").cast(pa.int64()).to_numpy() <= self._company.time.end_day * DAY
        return np.asarray(known, dtype=np.bool_)


def blackout_days(company: Company, law: DirtLaw) -> list[tuple[int, int]]:
    """First and last day of each usage blackout."""
    first = [int(company.time.monday(week_at(at, company.time.weeks))) for at, _ in law.blackouts]
    return [(day, day + length - 1) for day, (_, length) in zip(first, law.blackouts, strict=True)]


def dirt_truth(company: Company, law: DirtLaw, dirty: DirtyAccounts, *, tally: Tally) -> dict[str, pa.Table]:
    """What was planted: per trouble, per account, and the blackouts."""
    days = np.asarray(blackout_days(company, law), dtype=np.int32).reshape(-1, 2)
    ends = ("first_day", "last_day")
    return {
        "dirt": tally.table(),
        "dirty_accounts": dirty_accounts_table(company, dirty),
        "blackouts": pa.table({name: pa.array(days[:, end]).cast(pa.date32()) for end, name in enumerate(ends)}),
    }
