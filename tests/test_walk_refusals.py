"""What the commands refuse on a home in which everything is there: each with its code, its facts and no trace."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.errors import _EXIT_CODES
from features.manifest import MANIFEST
from features.settings import Home
from tests.walk_case import LAST, Told, Walk
from training import promotions

pytestmark = pytest.mark.timeout(1800)


def assert_refused(told: Told, kind: str, *, by: str = "") -> dict[str, str]:
    """The failure's facts, after checking that code, document and stderr all tell the same."""
    facts = told.document["failure"]
    codes = {known.__name__: code for known, code in _EXIT_CODES.items()}
    assert (facts["error"], told.code) == (kind, codes[kind])
    assert set(facts) == {"error", "title", "expected", "found", "todo"}
    assert all(facts.values())
    lines = [f"error: {facts['title']}", f"  expected: {facts['expected']}", f"  found: {facts['found']}"]
    assert "\n".join([*lines, f"  what to do: {facts['todo']}"]) in told.stderr
    assert "Traceback" not in told.stderr
    assert by in " ".join(facts.values())
    return dict(facts)


def manifests(home: Home) -> dict[str, str]:
    """A hash of every manifest of the warehouse: it names every file with its content's hash."""
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.warehouse.glob(f"*/{MANIFEST}"))
    }


def test_the_same_folder_again_adds_nothing(own_walk: Walk) -> None:
    before = manifests(own_walk.home)
    told = own_walk.run("ingest", own_walk.raw)
    assert (told.code, told.document["new"], told.document["refused"]) == (0, 0, 0)
    assert all(table["skipped"] for table in told.document["tables"])
    assert " 0 new, " in told.stdout.splitlines()[0]
    assert manifests(own_walk.home) == before


def test_the_same_rows_in_other_files_add_nothing(own_walk: Walk, tmp_path: Path) -> None:
    # Another file is read and judged row by row, and found to be known.
    before, folder = manifests(own_walk.home), tmp_path / "again"
    folder.mkdir()
    for name in ("accounts_history", "contract_events"):
        pq.write_table(pq.read_table(own_walk.raw / f"{name}.parquet"), folder / f"{name}.parquet", compression="gzip")
    told = own_walk.run("ingest", folder)
    assert (told.code, told.document["new"]) == (0, 0)
    assert [table["skipped"] for table in told.document["tables"]] == [False, False]
    rows = {table["table"]: table["known"] for table in told.document["tables"]}
    assert rows == {name: pq.read_metadata(own_walk.raw / f"{name}.parquet").num_rows for name in rows}
    assert own_walk.run("status").document["tables"] == own_walk.told["simulate"].document["rows"]
    assert set(manifests(own_walk.home)) == set(before)


BROKEN = {
    "accounts_history.csv": "account_id,valid_from,name,segment,hq_tz\nx1,2023-01-02T00:00:00Z,X,studio,UTC\n",
    "contracts_history.csv": (
        "contract_id,valid_from,account_id,start_on,end_on,currency,acv_minor\n"
        "k1,2023-01-02T00:00:00Z,x1,2023-01-02,2024-01-01,EUR,100\n"
        "k2,2023-01-02T00:00:00Z,x1,2023-01-02,2024-01-01,EUR,a lot\n"
    ),
}


def broken_folder(folder: Path, **changes: str) -> Path:
    folder.mkdir()
    for name, text in {**BROKEN, **changes}.items():
        (folder / name).write_text(text)
    return folder


def test_a_broken_row_goes_to_quarantine_and_the_good_ones_are_taken(own_walk: Walk, tmp_path: Path) -> None:
    before = own_walk.run("status").document["tables"]
    told = own_walk.run("ingest", broken_folder(tmp_path / "folder"))
    facts = assert_refused(told, "RowsQuarantined")
    for named in ("contracts_history", "contracts_history.csv row 2", "acv_minor"):
        assert named in facts["found"]
    assert "a lot" not in told.stdout + told.stderr
    (written,) = (own_walk.home.quarantine / "contracts_history").glob("*.jsonl")
    (row,) = [json.loads(line) for line in written.read_text().splitlines()]
    assert (row["table"], row["row"], row["column"]) == ("contracts_history", 2, "acv_minor")
    assert row["rule"]
    assert row["reason"]
    assert row["cells"]["acv_minor"] == "a lot"
    after = own_walk.run("status").document["tables"]
    assert after == {**before, **{name: before[name] + 1 for name in ("accounts_history", "contracts_history")}}


def test_a_table_that_breaks_its_contract_changes_nothing_at_all(own_walk: Walk, tmp_path: Path) -> None:
    before = manifests(own_walk.home)
    lacking = "contract_id,valid_from,account_id,start_on,end_on,currency\nk1,2023-01-02T00:00:00Z,x1,2023-01-02,,EUR\n"
    folder = broken_folder(tmp_path / "folder", **{"contracts_history.csv": lacking})
    facts = assert_refused(own_walk.run("ingest", folder), "DataContractError", by="contracts_history")
    assert "acv_minor" in " ".join(facts.values())
    assert manifests(own_walk.home) == before
    assert not own_walk.home.quarantine.exists()


def test_a_folder_that_is_not_there_is_a_usage_error(own_walk: Walk, tmp_path: Path) -> None:
    before = manifests(own_walk.home)
    assert_refused(own_walk.run("ingest", tmp_path / "nowhere"), "UsageError")
    assert_refused(own_walk.run("ingest", own_walk.raw, "--mapping", "no such mapping"), "ConfigError")
    assert manifests(own_walk.home) == before


def test_the_standing_counts_what_is_there_and_verifying_reads_every_file(walked: Walk) -> None:
    told = walked.run("status", "--verify")
    assert told.code == 0
    assert told.document["tables"] == walked.told["simulate"].document["rows"]
    assert told.document["live"] == "1"
    assert len(told.document["snapshots"]) == walked.told["build"].document["snapshots"]
    norms = 1
    datasets = len(told.document["tables"]) + len(walked.told["build"].document["rows"]) + norms
    assert told.document["verified"] == datasets
    assert f"home: {walked.root}\nlive model: 1\n" in told.stdout


def flip(path: Path) -> Path:
    """Change one byte in the middle of a file; its size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.unlink()  # the file may be shared with other copies of the walk
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("place", ["warehouse/contracts_history", "snapshots/engagement", "snapshots/cohort"])
def test_verifying_names_the_damaged_file(own_walk: Walk, place: str) -> None:
    damaged = flip(max((own_walk.root / place).glob("*.parquet")))
    assert own_walk.run("status").code == 0
    assert_refused(own_walk.run("status", "--verify"), "IntegrityError", by=damaged.name)


@pytest.mark.parametrize("place", ["warehouse/contracts_history", "snapshots/market"])
def test_a_missing_file_is_named_by_whoever_needs_it(own_walk: Walk, place: str) -> None:
    missing = max((own_walk.root / place).glob("*.parquet"))
    missing.unlink()
    assert_refused(own_walk.run("status", "--verify"), "IntegrityError", by=missing.name)
    command = ("score", "--as-of", LAST, "--out", own_walk.root / "s.parquet")
    if place.startswith("warehouse"):
        command = ("build", "--from", LAST, "--to", LAST)
    assert_refused(own_walk.run(*command), "IntegrityError", by=missing.name)


def test_a_damaged_model_scores_nobody(own_walk: Walk) -> None:
    flip(max((own_walk.home.bundles / "1").iterdir(), key=lambda path: path.stat().st_size))
    out = own_walk.root / "again.parquet"
    assert_refused(own_walk.run("score", "--as-of", LAST, "--out", out), "IntegrityError")
    assert_refused(own_walk.run("explain", own_walk.explained, "--as-of", LAST), "IntegrityError")
    assert not out.exists()


def test_an_account_that_cannot_be_scored_is_unknown(walked: Walk) -> None:
    assert_refused(walked.run("explain", "nobody", "--as-of", LAST), "UnknownAccount", by="'nobody' at 2024-01-01")


@pytest.mark.parametrize("date", ["yesterday", "2024-13-01", "01.01.2024", "2024-01-01T00:00:00", ""])
def test_what_is_no_date_is_refused_with_an_example(walked: Walk, tmp_path: Path, date: str) -> None:
    assert_refused(walked.run("explain", walked.explained, "--as-of", date), "UsageError", by="2024")
    assert_refused(walked.run("score", "--as-of", date, "--out", tmp_path / "s.parquet"), "UsageError")
    assert_refused(walked.run("build", "--from", date, "--to", LAST), "UsageError")


def test_a_range_that_runs_backwards_is_refused(walked: Walk) -> None:
    assert_refused(walked.run("build", "--from", LAST, "--to", "2023-01-02"), "UsageError", by="swap the two dates")


def test_a_date_without_a_snapshot_is_a_missing_step(walked: Walk, tmp_path: Path) -> None:
    for date in ("2021-07-04", "2024-01-10"):
        told = walked.run("score", "--as-of", date, "--out", tmp_path / "s.parquet")
        assert_refused(told, "MissingStateError", by="pulse build")
    assert list(tmp_path.iterdir()) == []


def test_a_date_within_the_week_is_served_by_the_snapshot_before(walked: Walk) -> None:
    told = walked.run("explain", walked.explained, "--as-of", "2024-01-05")
    assert told.document == walked.told["explain"].document


def test_a_version_that_does_not_exist_or_is_live_already_is_not_promoted(own_walk: Walk) -> None:
    assert_refused(own_walk.run("promote", "99"), "UsageError", by="registered versions: 1")
    assert_refused(own_walk.run("promote", "1"), "UsageError", by="live already")
    assert_refused(own_walk.run("evaluate", "--model", "99"), "UsageError")
    assert len(promotions.log(own_walk.home)) == 1


def test_there_is_no_way_back_from_the_first_version(own_walk: Walk) -> None:
    assert_refused(own_walk.run("rollback"), "MissingStateError", by="no earlier model")
    assert promotions.require_current(own_walk.home).version == "1"


def test_a_version_whose_files_are_gone_is_not_promoted(own_walk: Walk) -> None:
    own_walk.home.state.unlink()
    shutil.rmtree(own_walk.home.bundles / "1")
    assert_refused(own_walk.run("promote", "1"), "IntegrityError")
    assert promotions.current(own_walk.home) is None


def test_a_score_again_gives_the_same_bytes_and_adds_nothing(own_walk: Walk, tmp_path: Path) -> None:
    told = own_walk.run("score", "--as-of", LAST, "--out", tmp_path / "again.parquet")
    assert (told.code, told.document["added"]) == (0, 0)
    assert (tmp_path / "again.parquet").read_bytes() == own_walk.scored.read_bytes()


def test_the_models_are_listed_with_the_live_one_marked(walked: Walk) -> None:
    told = walked.run("models")
    assert "<- live" in told.stdout
    assert told.document["live"] == "1"
    assert [one["judged"] for one in told.document["versions"]] == ["passed"]


def test_judging_the_stored_version_again_tells_the_same_numbers(own_walk: Walk) -> None:
    told = own_walk.run("evaluate", "--truth", own_walk.raw / "truth")
    first = own_walk.told["train"].document
    assert told.code == 0
    for part in ("evaluation", "verdict", "version"):
        assert told.document[part] == first[part]


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "--out", "OUT", "--regime", "calm", "--accounts", 3, "--weeks", 4),
        ("simulate", "--out", "OUT", "--start", "2021-01-05", "--accounts", 3, "--weeks", 4),
        ("serve", "--host", "0.0.0.0"),  # noqa: S104  the point
        ("serve", "--as-of", "soon"),
        ("train", "--as-of", LAST, "--recipe", "no such recipe"),
    ],
)
def test_what_a_command_cannot_mean_is_refused_in_silence(
    walked: Walk, tmp_path: Path, words: tuple[object, ...]
) -> None:
    told = walked.run(*(tmp_path / "out" if word == "OUT" else word for word in words))
    assert (told.code, told.stdout) == (2, "")
    assert told.document["failure"]["error"] in {"UsageError", "ConfigError"}
    assert list(tmp_path.iterdir()) == []
