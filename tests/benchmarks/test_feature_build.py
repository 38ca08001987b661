"""What does a build of usage features cost against a scan of what it reads, and a weekly one against all of it?

The company has daily totals of five users an account over 103 weeks, and contracts; ``PULSE_BENCH_USAGE_ROWS`` rows of
usage (50 million are 20,000 accounts). Prints ratios; asserts only that both ways write the same snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.build import VIEWS, build_at, snapshot_dataset
from features.events import TABLES
from features.manifest import stored_file
from features.settings import Home
from features.steps import STEPS
from features.vocabulary import WEEK
from features.warehouse import FIRST_AVAILABLE_AT, Engine, Warehouse, empty_table_query, open_engine
from tests.benchmarks.measured import best_of, cost_of, rows_wanted

pytestmark = [pytest.mark.bench, pytest.mark.timeout(7_200)]

FIRST, WEEKS, USERS, ROWS_PER_ACCOUNT = datetime(2022, 1, 3, tzinfo=UTC), 103, 5, 2_500
LAST = FIRST + WEEKS * WEEK
ACCOUNTS = max(1, rows_wanted("PULSE_BENCH_USAGE_ROWS", 1_000_000) // ROWS_PER_ACCOUNT)
MONDAYS = tuple(FIRST + number * WEEK for number in range(1, WEEKS + 1))
ROLLING = (
    *("usage_starts", "usage_user_weeks", "usage_users", "usage_changes", "usage_reach", "usage_moves"),
    "usage_windows",
)
"""The steps from daily rows to rolling sums."""

BEGUN = f"TIMESTAMPTZ '{FIRST.isoformat()}'"


def days(accounts: int) -> str:
    """Daily totals of five users of so many accounts."""
    return f"""
SELECT 'a' || a.number AS account_id, 'u' || u.number AS user_key, 'suite' AS product_sku, 'UTC' AS tz,
    CASE hash(a.number, d.number, u.number) % 5 WHEN 0 THEN 'collab' WHEN 1 THEN 'review' ELSE 'core' END
    AS feature_code,
    CAST(d.at AS DATE) AS usage_date, d.at AS event_at, d.at + INTERVAL 26 HOUR AS available_at,
    1 + hash(d.number, u.number) % 40 AS events, 1 + hash(a.number, d.number) % 3 AS sessions,
    CAST(hash(a.number, u.number) % 90 AS DOUBLE) AS active_minutes
FROM range({WEEKS * 7}) AS days(number)
CROSS JOIN LATERAL (SELECT days.number, TIMESTAMPTZ '{FIRST.isoformat()}' + days.number * INTERVAL 1 DAY AS at) AS d
CROSS JOIN range({accounts}) AS a(number)
CROSS JOIN range({USERS}) AS u(number)
WHERE hash(a.number, d.number, u.number, 7) % 10 < 7
"""


OTHERS = {
    "accounts_history": f"SELECT 'a' || number AS account_id, {BEGUN} AS valid_from, 'studio' AS segment, "
    "'UTC' AS hq_tz",
    "contracts_history": f"SELECT 'c' || number AS contract_id, 'a' || number AS account_id, {BEGUN} AS valid_from, "
    f"CAST({BEGUN} AS DATE) AS start_on, DATE '2030-01-01' AS end_on, 96 AS term_months, 'EUR' AS currency, "
    "100000 AS acv_minor",
    "subscription_lines_history": f"SELECT 'l' || number AS line_id, 'c' || number AS contract_id, 'suite' AS "
    f"product_sku, {USERS} AS quantity, {BEGUN} AS valid_from",
}


def load(home: Home, engine: Engine, table: str, name: str, rows: str) -> None:
    """One more file of a canonical table, as an ingest leaves it."""
    given = engine.columns(rows)
    wanted = engine.columns(empty_table_query(table))
    usual = {"event_at": BEGUN, "available_at": BEGUN, "op": "'upsert'", "source_system": "'bench'"}
    usual |= {"row_hash": "CAST(1 AS BIGINT)", "ingested_at": BEGUN, "load_id": "'bench'"}
    cells = ", ".join(
        f'CAST({f"r.{column}" if column in given else usual.get(column, "NULL")} AS {kind}) AS "{column}"'
        for column, kind in wanted.items()
    )
    dataset = Warehouse(home).dataset(table)
    path = dataset.staging(name)
    count = engine.write(f"SELECT {cells} FROM ({rows}) AS r", path)
    engine.name("stored", [path])
    first = engine.fetch("SELECT MIN(available_at) AS first FROM stored").column("first")[0].as_py()
    facts = {FIRST_AVAILABLE_AT: first.astimezone(UTC).isoformat()}
    dataset.commit([(path, stored_file(path, name=name, rows=count, facts=facts))])


def company(home: Home, *, until: datetime, accounts: int = ACCOUNTS) -> Home:
    """A home with all that was known by a moment."""
    home.prepare()
    with open_engine(threads=1, scratch=home.root / "spill", ordered=True) as engine:
        for table, rows in OTHERS.items():
            load(home, engine, table, "all", f"{rows} FROM range({accounts}) AS a(number)")
        load(home, engine, "usage_daily", "history", f"SELECT * FROM ({days(accounts)}) WHERE {_known(None, until)}")
    return home


def one_more_week(home: Home, since: datetime) -> None:
    """What became known in the week since."""
    with open_engine(threads=1, ordered=True) as engine:
        load(
            home, engine, "usage_daily", "week", f"SELECT * FROM ({days(ACCOUNTS)}) WHERE {_known(since, since + WEEK)}"
        )


def _known(after: datetime | None, until: datetime) -> str:
    later = f"available_at > TIMESTAMPTZ '{after.isoformat()}' AND " if after else ""
    return f"{later}available_at <= TIMESTAMPTZ '{until.isoformat()}'"


def built(home: Home, as_ofs: Sequence[datetime]) -> tuple[float, float, float]:
    """Processor seconds of a build, those of its rolling sums, and its peak in megabytes."""
    spent: dict[str, float] = {}
    last = [0.0]

    def told(stage: str, done: int, total: int) -> None:
        now = time.process_time()
        spent[STEPS[done - 1]] = now - last[0]
        last[0] = now

    def build() -> None:
        last[0] = time.process_time()
        build_at(home, as_ofs, progress=told)

    seconds, peak = cost_of(build)
    return seconds, sum(spent[step] for step in ROLLING), peak


def newest(home: Home, view: str) -> object:
    *_, file = snapshot_dataset(home, view).files()
    return pq.read_table(file)


def test_a_build_against_a_scan_and_a_weekly_build_against_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_THREADS", "1")
    whole = company(Home(root=tmp_path / "whole"), until=LAST)
    rows = Warehouse(whole).dataset("usage_daily").rows()
    columns = [
        *("account_id", "user_key", "product_sku", "feature_code", "usage_date"),
        *("available_at", "op", "events", "sessions", "active_minutes"),
    ]
    with Warehouse(whole).engine(threads=1) as engine:
        query = f"SELECT {', '.join(f'MAX({column})' for column in columns)} FROM usage_daily"
        (scan,) = best_of(lambda: engine.fetch(query), rounds=3)
    everything, rolling, peak = built(whole, MONDAYS)
    print(
        f"\n{rows:,} rows of usage, {ACCOUNTS:,} accounts, {WEEKS} snapshots; "
        f"scan of {len(columns)} columns {scan:.2f} s"
    )
    print(
        f"  all {len(TABLES)} tables, {len(STEPS)} steps: {everything:.1f} s = {everything / scan:.0f} scans, "
        f"{peak:.0f} MB"
    )
    print(f"  rolling sums of usage alone: {rolling:.1f} s = {rolling / scan:.1f} scans")
    weekly = company(Home(root=tmp_path / "weekly"), until=LAST - WEEK)
    built(weekly, MONDAYS[-2:-1])
    one_more_week(weekly, LAST - WEEK)
    added, added_rolling, peak = built(weekly, MONDAYS[-1:])
    print(f"  one week more: {added:.2f} s = {added / everything:.1%} of all, {peak:.0f} MB")
    # What a build costs before it reads its first row: the same however large the company is.
    fixed, *_ = built(company(Home(root=tmp_path / "one"), until=LAST, accounts=1), MONDAYS[-1:])
    print(f"    of these, for a company of one account too: {fixed:.2f} s; the rest {(added - fixed) / everything:.1%}")
    print(f"  rolling sums of usage alone: {added_rolling:.2f} s = {added_rolling / rolling:.1%}")
    for view in VIEWS:
        assert newest(weekly, view) == newest(whole, view), view
