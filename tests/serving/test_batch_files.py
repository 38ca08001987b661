"""Files of features into files of scores: the same numbers as everywhere, and nothing that is wrong slips in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features.errors import (
    DataContractError,
    IntegrityError,
    MissingStateError,
    RowsQuarantined,
    ServiceUnavailable,
    UsageError,
)
from features.settings import Home
from pulse import app
from serving.batch import pieces
from serving.batch.choice import ScoreEngine
from serving.batch.contract import FEATURE_SCHEMA
from serving.batch.engines import Workers
from serving.batch.files import FileReport, score_files
from serving.batch.frames import score_frame
from serving.scorer import Scorer
from tests.serving.batch_case import GROUP, features_of, lines_in, scores_in, with_cell, write
from tests.serving.service_case import newest, now, stored_home
from training.model import bundle_hash, load_bundle


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return stored_home(tmp_path_factory.mktemp("batch"))


@pytest.fixture(scope="module")
def rows(home: Home, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return features_of(home, tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def told(home: Home) -> pd.DataFrame:
    """What the scorer of pages and endpoint says of the same accounts."""
    assessments = Scorer.open(home).assess_cohort(newest())
    return pd.DataFrame(
        [{"account_id": one.account_id, "as_of": one.as_of, **one.score.columns()} for one in assessments]
    )


def scored(home: Home, rows: pa.Table, folder: Path, to: str = "scores.parquet") -> tuple[FileReport, pd.DataFrame]:
    report = score_files(home, write(rows, folder / "in" / "features.parquet"), folder / to, now=now())
    return report, scores_in(folder / to)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith(".") or path.name.endswith(".tmp"))


@pytest.mark.parametrize("to", ["scores.parquet", "scores"])
def test_a_file_scores_as_the_service_does_bit_for_bit(
    home: Home, rows: pa.Table, told: pd.DataFrame, tmp_path: Path, to: str
) -> None:
    # Law 7, for the third door: equal features give equal scores, whoever asks.
    report, scores = scored(home, rows, tmp_path, to)
    expected = told.assign(as_of=told["as_of"].astype("datetime64[us, UTC]"))
    pd.testing.assert_frame_equal(scores, expected, check_exact=True)
    assert (report.rows, report.scored, report.refused, report.quarantine) == (len(told), len(told), {}, None)
    assert report.failure() is None
    assert leftovers(tmp_path) == []


def test_the_manifest_says_from_what_and_by_which_model(home: Home, rows: pa.Table, tmp_path: Path) -> None:
    scored(home, rows, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["scores.parquet", "scores.parquet.manifest.json"]
    content = (tmp_path / "scores.parquet").read_bytes()
    assert json.loads((tmp_path / "scores.parquet.manifest.json").read_text()) == {
        "scored_at": now().isoformat(),
        "model_version": "1",
        "bundle_hash": bundle_hash(home.bundles / "1"),
        "inputs": {"features.parquet": len(rows)},
        "rows": len(rows),
        "scored": len(rows),
        "refused": {},
        "files": [
            {
                "name": "scores.parquet",
                "rows": len(rows),
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "refused": {},
            }
        ],
    }


def test_a_folder_gets_a_part_per_row_group_that_any_reader_takes(home: Home, rows: pa.Table, tmp_path: Path) -> None:
    write(rows, tmp_path / "in" / "b.parquet")
    write(rows.slice(0, 5), tmp_path / "in" / "a.parquet")
    report = score_files(home, tmp_path / "in", tmp_path / "out", now=now())
    sizes = [5, *(min(GROUP, len(rows) - start) for start in range(0, len(rows), GROUP))]
    assert [part.rows for part in report.parts] == sizes
    names = [f"part-{number:05d}.parquet" for number in range(len(sizes))]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_manifest.json", *names]
    assert len(pd.read_parquet(tmp_path / "out")) == len(rows) + 5


def _renamed(rows: pa.Table) -> pa.Table:
    return rows.rename_columns([f"{name}_x" if place == 7 else name for place, name in enumerate(rows.column_names)])


def _swapped(rows: pa.Table) -> pa.Table:
    names = list(rows.column_names)
    names[5], names[9] = names[9], names[5]
    return rows.select(names)


NUMBERS = tuple(field.name for field in FEATURE_SCHEMA if field.type == pa.float64())
FIRST_NUMBER = NUMBERS[0]
SPOILT: dict[str, Any] = {
    "renamed": (_renamed, "missing"),
    "out of order": (_swapped, "out of order"),
    "dropped": (lambda rows: rows.drop_columns([FIRST_NUMBER]), f"missing: {FIRST_NUMBER}"),
    "added": (lambda rows: rows.append_column("extra", pa.nulls(len(rows), pa.float64())), "not known: extra"),
    "twice": (lambda rows: rows.append_column(FIRST_NUMBER, rows.column(FIRST_NUMBER)), f"twice: {FIRST_NUMBER}"),
    "single precision": (
        lambda rows: rows.set_column(
            rows.column_names.index(FIRST_NUMBER), FIRST_NUMBER, rows.column(FIRST_NUMBER).cast(pa.float32())
        ),
        f"{FIRST_NUMBER} (float instead of double)",
    ),
    "moments without a zone": (
        lambda rows: rows.set_column(1, "as_of", rows.column("as_of").cast(pa.timestamp("us"))),
        "as_of (timestamp[us] instead of timestamp[us, tz=UTC])",
    ),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_other_columns_are_refused_by_name_and_nothing_is_written(
    home: Home, rows: pa.Table, tmp_path: Path, spoil: str
) -> None:
    change, named = SPOILT[spoil]
    file = write(change(rows), tmp_path / "in" / "features.parquet")
    with pytest.raises(DataContractError) as refused:
        score_files(home, file, tmp_path / "out.parquet", now=now())
    assert named in refused.value.found
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("place", range(2, len(FEATURE_SCHEMA), 23))
def test_no_feature_may_change_its_place_its_name_or_its_type(
    home: Home, rows: pa.Table, tmp_path: Path, place: int
) -> None:
    names = list(rows.column_names)
    moved = [*names[:place], *names[place + 1 :], names[place]]
    kind = pa.int64() if rows.schema.field(place).type == pa.float64() else pa.binary()
    spoilt = (
        rows.select(moved) if place + 1 < len(names) else rows.drop_columns([names[place]]),
        rows.rename_columns([*names[:place], "other", *names[place + 1 :]]),
        rows.set_column(place, names[place], pa.nulls(len(rows), kind)),
    )
    for number, changed in enumerate(spoilt):
        file = write(changed, tmp_path / f"{number}.parquet")
        with pytest.raises(DataContractError):
            score_files(home, file, tmp_path / "out.parquet", now=now())


BAD: dict[int, tuple[str, Any, str]] = {
    3: ("account_id", None, "account_id"),
    4: ("account_id", "", "account_id"),
    5: ("account_id", "\x00\u202e\U0001f600" * 100_000, "account_id"),
    11: ("as_of", None, "as_of"),
    12: ("cohort_status", "gone", "cohort_status"),
    13: ("phase", None, "phase"),
    41: (FIRST_NUMBER, np.inf, "finite"),
    42: ("days_to_decision", -np.inf, "finite"),
    50: ("cohort_status", "onboarding", "too_new"),
    51: ("sources_present", 0.0, "silent"),
}


@pytest.fixture(scope="module")
def poisoned(rows: pa.Table) -> pa.Table:
    for row, (column, value, _) in BAD.items():
        rows = with_cell(rows, row, column, value)
    # What looks odd and is right: any text is an id.
    return with_cell(rows, 60, "account_id", "\u202e\U0001f600'; drop table --")


def test_a_bad_row_stops_no_good_one(home: Home, poisoned: pa.Table, told: pd.DataFrame, tmp_path: Path) -> None:
    report, scores = scored(home, poisoned, tmp_path)
    refused = {row: rule for row, (_, _, rule) in BAD.items()}
    quarantine = lines_in(tmp_path / "scores.parquet.quarantine.jsonl")
    assert {line["row"] - 1: line["rule"] for line in quarantine} == refused
    good = told.drop(index=list(refused)).reset_index(drop=True)
    assert scores["account_id"].tolist()[60 - len(refused)] == "\u202e\U0001f600'; drop table --"
    pd.testing.assert_frame_equal(
        scores.drop(columns=["account_id", "as_of"]), good.drop(columns=["account_id", "as_of"]), check_exact=True
    )
    assert (report.rows, report.scored) == (len(told), len(told) - len(refused))


def test_finite_numbers_beyond_reason_get_a_score_that_is_a_number(
    home: Home, rows: pa.Table, told: pd.DataFrame, tmp_path: Path
) -> None:
    # Their products and differences overflow; no warning, no gap, and the other rows stay as they are.
    beyond = rows
    for row, columns in enumerate((("usable_weeks", "sources_present"), ("days_to_decision", "term_months"), NUMBERS)):
        for column in columns:
            beyond = with_cell(beyond, row, column, 1e308 if column != "term_months" else 1e-308)
    report, scores = scored(home, beyond, tmp_path)
    assert (report.refused, len(scores)) == ({}, len(rows))
    assert np.isfinite(scores.select_dtypes("number").to_numpy(np.float64)).all()
    same = told.drop(columns="as_of").iloc[3:]
    pd.testing.assert_frame_equal(scores.drop(columns="as_of").iloc[3:], same, check_exact=True)


def test_a_model_that_gives_no_numbers_writes_nothing(home: Home, rows: pa.Table) -> None:
    # No row is to blame for it, so none is named: the model must go.
    bundle = load_bundle(home.bundles / "1")
    broken = replace(bundle, calibration=replace(bundle.calibration, slope=float("nan")))
    with pytest.raises(IntegrityError, match=f"{len(rows)} of them with a value that is not a number"):
        score_frame(rows.to_pandas(), broken)


def test_the_quarantine_names_file_row_column_and_reason(home: Home, poisoned: pa.Table, tmp_path: Path) -> None:
    report, _ = scored(home, poisoned, tmp_path, "scores")
    lines = {line["row"]: line for line in lines_in(tmp_path / "scores" / "_quarantine.jsonl")}
    assert lines[42] == {
        "file": "features.parquet",
        "row": 42,
        "account_id": poisoned.column("account_id")[41].as_py(),
        "column": FIRST_NUMBER,
        "rule": "finite",
        "reason": "a finite number is wanted, or null",
    }
    assert lines[4]["account_id"] is None
    assert len(lines[6]["account_id"]) == 200
    assert report.quarantine == tmp_path / "scores" / "_quarantine.jsonl"


def test_faulty_rows_end_with_a_failure_and_rows_that_are_too_new_do_not(
    home: Home, poisoned: pa.Table, rows: pa.Table, tmp_path: Path
) -> None:
    failure = scored(home, poisoned, tmp_path / "1")[0].failure()
    assert isinstance(failure, RowsQuarantined)
    assert failure.title == "8 rows were refused, the others were scored"
    new = with_cell(rows, 0, "cohort_status", "onboarding")
    report, scores = scored(home, new, tmp_path / "2")
    assert (report.failure(), report.refused, len(scores)) == (None, {"too_new": 1}, len(rows) - 1)


def test_a_better_run_takes_the_quarantine_of_the_one_before_away(
    home: Home, rows: pa.Table, poisoned: pa.Table, tmp_path: Path
) -> None:
    scored(home, poisoned, tmp_path)
    assert (tmp_path / "scores.parquet.quarantine.jsonl").exists()
    _, scores = scored(home, rows, tmp_path)
    assert not (tmp_path / "scores.parquet.quarantine.jsonl").exists()
    assert len(scores) == len(rows)


@pytest.mark.parametrize("to", ["scores.parquet", "scores"])
def test_no_rows_give_no_scores(home: Home, rows: pa.Table, tmp_path: Path, to: str) -> None:
    report, scores = scored(home, rows.slice(0, 0), tmp_path, to)
    assert (report.rows, report.scored, len(scores)) == (0, 0, 0)


def test_a_file_without_one_good_row_gives_a_file_without_rows(home: Home, rows: pa.Table, tmp_path: Path) -> None:
    spoilt = rows.set_column(0, "account_id", pa.nulls(len(rows), pa.string()))
    report, scores = scored(home, spoilt, tmp_path)
    assert (report.scored, len(scores), report.refused) == (0, 0, {"account_id": len(rows)})


def test_a_damaged_file_is_told_and_the_last_scores_stay(home: Home, rows: pa.Table, tmp_path: Path) -> None:
    scored(home, rows, tmp_path)
    before = (tmp_path / "scores.parquet").read_bytes()
    whole = write(rows, tmp_path / "whole.parquet", compression="none").read_bytes()
    middle = len(whole) // 3
    flipped = whole[:middle] + bytes([whole[middle] ^ 0x10]) + whole[middle + 1 :]
    for content in (whole[: len(whole) // 2], b"", b"PAR1" + bytes(100), flipped):
        (tmp_path / "damaged.parquet").write_bytes(content)
        with pytest.raises(IntegrityError) as refused:
            score_files(home, tmp_path / "damaged.parquet", tmp_path / "scores.parquet", now=now())
        assert refused.value.title == "a file of features cannot be read"
        assert (tmp_path / "scores.parquet").read_bytes() == before
        assert leftovers(tmp_path) == []


def test_another_model_than_the_one_that_was_meant_does_not_score(home: Home, rows: pa.Table, tmp_path: Path) -> None:
    piece = pieces.pieces_of(write(rows, tmp_path / "features.parquet"))[0]
    target, quarantine = str(tmp_path / "s.parquet"), str(tmp_path / "q.jsonl")
    for folder, found in ((home.bundles / "1", "another bundle"), (home.bundles / "9", "no such folder")):
        task = pieces.Task((piece,), str(folder), "0" * 64, target, quarantine)
        with pytest.raises(IntegrityError, match=found):
            pieces.do(task)
        answer = json.loads(pieces.done_elsewhere(task.text()))
        assert answer["failure"]["error"] == "IntegrityError"


def test_memory_holds_a_batch_and_not_a_file(
    home: Home, rows: pa.Table, told: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    scored_before = pieces.FrameScorer.scored
    monkeypatch.setattr(pieces, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(
        pieces.FrameScorer, "scored", lambda self, part: (seen.append(len(part)), scored_before(self, part))[1]
    )
    steps: list[tuple[int, int]] = []
    file = write(rows, tmp_path / "features.parquet")
    score_files(home, file, tmp_path / "s.parquet", now=now(), progress=lambda _, *step: steps.append(step))
    assert max(seen) == 7
    assert sum(seen) == len(rows)
    assert steps[-1] == (len(rows), len(rows))
    assert [done for done, _ in steps] == np.cumsum(seen).tolist()
    pd.testing.assert_frame_equal(
        scores_in(tmp_path / "s.parquet").drop(columns="as_of"), told.drop(columns="as_of"), check_exact=True
    )


def test_what_cannot_be_meant_is_refused(home: Home, rows: pa.Table, tmp_path: Path) -> None:
    file, taken = write(rows, tmp_path / "in" / "f.parquet"), tmp_path / "taken"
    taken.mkdir()
    spark = Workers(ScoreEngine.SPARK)
    for source, target, workers in (
        (tmp_path / "none.parquet", tmp_path / "s.parquet", None),
        (taken, tmp_path / "s.parquet", None),
        (file, taken, None),
        (file, tmp_path / "s.parquet", spark),
    ):
        with pytest.raises(UsageError):
            score_files(home, source, target, now=now(), workers=workers)
    for words in ({"master": "local[1]"}, {"engine": ScoreEngine.SPARK, "scheduler": "tcp://h:1"}):
        with pytest.raises(UsageError):
            Workers(**words)
    with pytest.raises(MissingStateError):
        score_files(Home(root=tmp_path / "new"), file, tmp_path / "s.parquet", now=now())


def test_the_commands_write_features_and_score_them(home: Home, told: pd.DataFrame, tmp_path: Path) -> None:
    def run(*words: object) -> Any:
        return CliRunner().invoke(app, ["--home", str(home.root), *map(str, words)])

    features, scores = tmp_path / "features.parquet", tmp_path / "scores"
    wrote = run("features", "--as-of", newest().date(), "--out", features)
    assert wrote.exit_code == 0
    assert f"features of {len(told)} accounts as known at {newest().date()}" in wrote.stdout
    assert pq.read_schema(features).equals(FEATURE_SCHEMA)
    done = run("score", "--from", features, "--to", scores)
    assert (done.exit_code, done.stdout) == (
        0,
        f"{len(told)} of {len(told)} rows scored by model version 1: {scores}\n",
    )
    spoilt = write(with_cell(pq.read_table(features), 2, FIRST_NUMBER, np.inf), tmp_path / "spoilt.parquet")
    partial = run("score", "--from", spoilt, "--to", tmp_path / "partial.parquet")
    assert partial.exit_code == 4
    assert "1 rows not scored (finite): a finite number is wanted, or null" in partial.stdout
    for words in ((), ("--from", features), ("--as-of", "2024-01-01", "--to", scores)):
        assert run("score", *words).exit_code == 2


def test_a_disk_that_is_full_is_told_as_such(home: Home, rows: pa.Table, tmp_path: Path) -> None:
    file = write(rows, tmp_path / "features.parquet")
    (tmp_path / "in-the-way").write_text("")
    with pytest.raises(ServiceUnavailable) as refused:
        score_files(home, file, tmp_path / "in-the-way" / "scores.parquet", now=now())
    assert refused.value.title == "the scores cannot be written"
