"""Does the audit pass what is right, and find every cell that knows the future?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features import build, steps
from features.audit import AuditReport, SnapshotAudit, ViewAudit, audit, sample_of
from features.build import build_at, snapshot_dataset
from features.errors import IntegrityError, MissingStateError
from features.manifest import stored_file
from features.settings import Home
from features.vocabulary import WEEK
from pulse import app
from tests.features.built_case import AS_OFS, company, export, take_in
from tests.features.source_case import home_in, write_text

DATE = AS_OFS[2]


@pytest.fixture(scope="module")
def built() -> Iterator[Home]:
    """A home in which events come late, are corrected and taken back. Read only."""
    with TemporaryDirectory() as folder:
        home = home_in(Path(folder))
        take_in(home, export(Path(folder) / "in", company(11)))
        build_at(home, AS_OFS)
        yield home


@pytest.fixture
def home(built: Home, tmp_path: Path) -> Home:
    """A copy to change."""
    shutil.copytree(built.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


def test_snapshots_that_know_only_their_past_pass(built: Home) -> None:
    report = audit(built, AS_OFS)
    assert (report.cells(), report.rows(), report.failure()) == ({}, 0, None)
    assert [each.as_of for each in report.snapshots] == list(AS_OFS)
    assert all(view.rows > 0 for each in report.snapshots for view in each.views)
    assert not list(built.root.glob("audit-*"))


LEAKS = [
    # Reads a state from when it held, not from when it was known.
    ("ticket_lives", "GREATEST(valid_from, available_at)", "valid_from", "sentiment"),
    ("invoice_lives", "GREATEST(valid_from, available_at)", "valid_from", "financial"),
    ("milestone_lives", "GREATEST(valid_from, available_at)", "valid_from", "output_quality"),
    ("review_lives", "CAST(available_at - INTERVAL", "CAST(event_at - INTERVAL", "output_quality"),
]


@pytest.mark.parametrize("leak", LEAKS, ids=[leak[0] for leak in LEAKS])
def test_a_planted_leak_is_found_and_its_features_are_named(
    home: Home, monkeypatch: pytest.MonkeyPatch, leak: tuple[str, str, str, str]
) -> None:
    step, right, wrong, view = leak
    honest: Callable[[str], str] = steps.step_sql
    assert right in honest(step)
    # The audit runs the leaking step, too: what it may not read is not there.
    leaking = {step: honest(step).replace(right, wrong)}
    for module in (build, steps):
        monkeypatch.setattr(module, "step_sql", lambda name: leaking.get(name) or honest(name))
    build_at(home, [DATE])
    report = audit(home, [DATE])
    found = report.cells()
    assert found
    assert {name.split(".")[0] for name in found} <= {view, "context", "cohort"}
    assert next(iter(found)).startswith(f"{view}.")
    refusal = report.failure()
    assert isinstance(refusal, IntegrityError)
    assert next(iter(found)) in refusal.found
    assert "read what was not known then" in refusal.todo


def rewrite(home: Home, view: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Store a view of one date anew, changed, as if a build had made it so."""
    dataset = snapshot_dataset(home, view)
    (entry,) = (each for each in dataset.entries() if each.name == f"{DATE.date()}")
    (path,) = (each for each in dataset.files() if each.name.startswith(f"{DATE.date()}"))
    rows, staged = change(pq.read_table(path)), dataset.staging("changed")
    pq.write_table(rows, staged, coerce_timestamps="us")
    dataset.commit([(staged, stored_file(staged, name=entry.name, rows=rows.num_rows, facts=entry.facts))])


def test_every_changed_cell_is_counted_under_its_name(home: Home) -> None:
    def change(rows: pa.Table) -> pa.Table:
        place = rows.num_columns - 1
        name = rows.column_names[place]
        values = [None if value is not None else 1.0 for value in rows.column(name).to_pylist()]
        changed.append((name, rows.num_rows))
        return rows.set_column(place, name, pa.array(values, rows.schema.field(name).type))

    changed: list[tuple[str, int]] = []
    rewrite(home, "sentiment", change)
    ((name, rows),) = changed
    report = audit(home, [DATE])
    assert (report.cells(), report.rows()) == ({f"sentiment.{name}": rows}, 0)


def test_rows_that_are_missing_unexpected_or_doubled_are_counted(home: Home) -> None:
    def change(rows: pa.Table) -> pa.Table:
        other = rows.slice(1, 1).set_column(0, "account_id", pa.array(["nobody"]))
        return pa.concat_tables([rows.slice(1), rows.slice(1, 1), other])

    rewrite(home, "market", change)
    (snapshot,) = audit(home, [DATE]).snapshots
    (market,) = (view for view in snapshot.views if view.view == "market")
    assert (market.missing, market.unexpected, market.repeated, market.cells) == (1, 1, 1, {})


def test_a_column_or_a_view_that_is_not_there_differs_in_every_row(home: Home) -> None:
    rewrite(home, "market", lambda rows: rows.rename_columns([*rows.column_names[:-1], "strange"]))
    snapshot_dataset(home, "sentiment").commit([], replacing=[f"{DATE.date()}"])
    report = audit(home, [DATE])
    assert {name.split(".")[0] for name in report.cells()} == {"market"}
    assert "market.strange" in report.cells()
    accounts = report.snapshots[0].views[0].rows
    assert set(report.cells().values()) == {accounts}
    assert report.rows() == accounts


def test_rows_that_came_late_are_told_from_a_leak(home: Home, tmp_path: Path) -> None:
    header = "account_id,user_key,product_sku,feature_code,usage_date,events,available_at"
    day = DATE - 2 * WEEK
    row = f"a1,nobody,suite,core,{day.date()},500,{(day + WEEK).isoformat()}"
    take_in(home, write_text(tmp_path / "in", "usage_daily.csv", header, row).parent, days=3)
    report = audit(home, AS_OFS[1:3])
    assert [each.differs for each in report.snapshots] == [False, True]
    assert [each.late for each in report.snapshots] == [False, True]
    assert "pulse build --late" in str(report.failure())


def test_only_what_is_built_can_be_audited(built: Home) -> None:
    with pytest.raises(MissingStateError, match="no snapshot of this date"):
        audit(built, [DATE + WEEK])
    with pytest.raises(MissingStateError, match="a built snapshot"):
        audit(home_in(built.root / "empty"), [DATE])


def test_a_sample_follows_from_its_seed_and_never_repeats(built: Home) -> None:
    samples = {sample_of(built, 2, seed) for seed in range(20)}
    assert sample_of(built, 2, 7) == sample_of(built, 2, 7)
    assert len(samples) == 6  # every pair of four
    assert sample_of(built, 99, 1) == AS_OFS


def test_a_failure_names_the_worst_features_and_counts_the_others() -> None:
    cells = {f"f{number:02}": number for number in range(1, 31)}
    refusal = AuditReport((SnapshotAudit(DATE, False, (ViewAudit("market", 3, cells=cells),)),)).failure()
    assert refusal is not None
    assert "market.f30 (30), market.f29 (29)" in refusal.found
    assert refusal.found.endswith("and 18 more")


def run(home: Home, *words: str) -> tuple[int, str, dict[str, Any]]:
    document = home.root.parent / "told.json"
    done = CliRunner().invoke(app, ["audit", *words, "--home", str(home.root), "--json", str(document)])
    return done.exit_code, done.stdout + done.stderr, json.loads(document.read_text())


def test_the_command_ends_well_only_when_no_cell_differs(home: Home) -> None:
    code, said, document = run(home, "--date", f"{DATE.date()}", "--sample", "1", "--seed", "3")
    assert (code, document["differing_cells"], document["features"]) == (0, 0, {})
    assert [each["as_of"] for each in document["snapshots"]] == sorted(each["as_of"] for each in document["snapshots"])
    assert "cells differ" in said
    rewrite(home, "market", lambda rows: rows.slice(1))
    code, said, document = run(home, "--date", f"{DATE.date()}")
    assert (code, document["differing_rows"], document["failure"]["error"]) == (7, 1, "IntegrityError")
    assert run(home, "--date", "2020-01-06")[0] == 5
    assert run(home_in(home.root), "--sample", "2")[0] == 0
