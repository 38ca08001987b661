"""Law 12 on the whole walk: data that comes late is taken in, and rewrites nothing that was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from features.state import open_state
from tests.walk_case import LAST, Walk

pytestmark = pytest.mark.timeout(1800)


def ledger_rows(walk: Walk) -> dict[int, tuple[Any, ...]]:
    """Every column of every entry, features and reasons as packed, by entry."""
    query = sa.text(
        "SELECT s.*, d.explanation, d.features FROM score_ledger s "
        "JOIN score_ledger_details d ON d.entry_id = s.id ORDER BY s.id"
    )
    with open_state(walk.home).connect() as connection:
        return {row[0]: tuple(row) for row in connection.execute(query)}


def late_usage(walk: Walk, folder: Path) -> Path:
    """A third user works in every account, as a file tells that lay about for three weeks."""
    usage = pq.read_table(walk.raw / "usage_daily.parquet")
    days = pc.unique(usage.column("usage_date")).sort()[-28:-7]
    rows = usage.filter(pc.is_in(usage.column("usage_date"), days))
    late = rows.set_column(
        rows.column_names.index("user_key"), "user_key", pa.array(["late-comer"] * len(rows), pa.string())
    )
    folder.mkdir()
    keys = ["account_id", "usage_date", "user_key", "product_id"]
    kept = late.slice(0, 2000).select(
        [name for name in late.column_names if name not in ("source_event_id", "row_hash")]
    )
    assert set(keys[:3]) <= set(kept.column_names)
    pq.write_table(kept, folder / "usage_daily.parquet")
    return folder


def test_late_rows_give_new_scores_and_leave_the_old_ones_as_they_were(own_walk: Walk, tmp_path: Path) -> None:
    before = ledger_rows(own_walk)
    taken = own_walk.run("ingest", late_usage(own_walk, tmp_path / "late"))
    assert taken.code in (0, 4), taken.stderr
    rebuilt = own_walk.run("build", "--late")
    assert rebuilt.code == 0, rebuilt.stderr
    again = own_walk.run("score", "--as-of", LAST, "--out", tmp_path / "scores.parquet")
    assert again.code == 0
    after = ledger_rows(own_walk)
    # What came late counts from now on, beside what was told then.
    assert len(after) > len(before)
    assert {entry: after[entry] for entry in before} == before
    # And all of it comes out again: the old scores from the old values, the new ones from the new.
    replayed = own_walk.run("replay", "--all", "--at", LAST)
    assert replayed.code == 0, replayed.stdout
    assert replayed.document == {"scores": len(after), "equal": len(after), "different": []}
    account = after[max(after)][1]
    assert "came out again byte for byte" in own_walk.run("replay", "--account", account, "--at", LAST).stdout
