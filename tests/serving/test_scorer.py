from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.errors import IntegrityError, MissingStateError, UnknownAccount
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import Band, Subcategory
from serving.assessment import NUMBERS, WORDS, Assessment, KnownFeatures, assess
from serving.ledger import Ledger
from serving.scorer import Scorer, Status
from tests.serving.service_case import NAME, as_ofs, ids, newest, now, stored_home, stored_rows
from training.model import SCORE_COLUMNS, Bundle, Columns, load_bundle


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return stored_home(tmp_path_factory.mktemp("scorer"))


@pytest.fixture(scope="module")
def scorer(home: Home) -> Scorer:
    return Scorer.open(home)


@pytest.fixture(scope="module")
def batch(scorer: Scorer) -> dict[str, Assessment]:
    return {one.account_id: one for one in scorer.assess_cohort(newest())}


def test_batch_and_endpoint_tell_the_same_bit_for_bit(scorer: Scorer, batch: dict[str, Assessment]) -> None:
    # Law 7. Assessments compare every score, every point, every word and the hash of every feature.
    together = scorer.score_accounts(list(batch), now())
    assert {answer.account_id: answer.assessment for answer in together} == batch


def test_an_account_alone_scores_as_it_does_among_others(home: Home, batch: dict[str, Assessment]) -> None:
    scorer = Scorer.open(home)  # one that was asked for nobody yet, so that it has nothing to repeat
    for account_id in list(batch)[:12]:
        assert scorer.score_accounts([account_id], now())[0].assessment == batch[account_id]


def test_the_batch_is_what_the_model_says_of_the_stored_features(home: Home, batch: dict[str, Assessment]) -> None:
    rows = stored_rows(newest())
    scorable = rows[rows["cohort_status"] != "onboarding"].reset_index(drop=True)
    expected = load_bundle(home.bundles / "1").score(scorable)
    told = pd.DataFrame([{"account_id": one.account_id, **one.score.columns()} for one in batch.values()])
    pd.testing.assert_frame_equal(told, expected.drop(columns="as_of"), check_exact=True)


def test_points_add_up_to_health(batch: dict[str, Assessment]) -> None:
    for one in batch.values():
        score = one.score
        total = score.base_points + sum(score.points.values()) + score.clip_adjust + score.shrink_adjust
        assert abs(total - score.health) < 1e-6
        assert list(score.risk.values()) == sorted(score.risk.values())
        assert {part.subcategory: part.points for part in one.explanation.subcategories} == dict(score.points)


def test_everyone_who_could_still_leave_is_scored_and_nobody_else(batch: dict[str, Assessment]) -> None:
    assert sorted(batch) == sorted(ids("at_risk") + ids("lost_pending"))
    assert ids("onboarding")
    assert {batch[account].score.band for account in ids("lost_pending")} == {Band.LOST_PENDING}


def test_every_id_gets_one_answer_in_the_order_asked(scorer: Scorer) -> None:
    known, new, gone = ids()[3], ids("onboarding")[0], "nobody"
    answers = scorer.score_accounts([gone, known, new, known, gone], now())
    assert [answer.account_id for answer in answers] == [gone, known, new, known, gone]
    assert [answer.status for answer in answers] == [
        Status.NOT_FOUND,
        Status.OK,
        Status.INSUFFICIENT_DATA,
        Status.OK,
        Status.NOT_FOUND,
    ]
    assert [answer.as_of for answer in answers] == [None, newest(), newest(), newest(), None]
    assert [answer.assessment is not None for answer in answers] == [False, True, False, True, False]


def test_nobody_asked_for_gets_no_answer(scorer: Scorer) -> None:
    assert scorer.score_accounts([], now()) == []


@pytest.mark.parametrize("later", [timedelta(days=8, seconds=1), timedelta(days=90), timedelta(seconds=-1)])
def test_features_that_are_too_old_or_too_new_are_never_scored(scorer: Scorer, later: timedelta) -> None:
    answer = scorer.score_accounts(ids()[:1], newest() + later)[0]
    assert (answer.status, answer.as_of, answer.assessment) == (Status.STALE, newest(), None)
    assert answer.freshness is not None
    assert answer.freshness.age == later


def test_a_batch_is_written_to_the_ledger_once(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    scorer = Scorer.open(home)
    first = scorer.score_cohort(newest(), now=now())
    again = scorer.score_cohort(newest(), now=now() + timedelta(hours=1))
    assert (first.added, again.added) == (len(first.assessments), 0)
    assert [entry.scored_at for entry in Ledger(home).latest()] == [now()] * first.added


def test_the_newest_snapshot_at_or_before_the_date_is_scored(scorer: Scorer) -> None:
    assert scorer.explain_at(ids()[0], newest() + timedelta(days=3)).assessment.as_of == newest()
    with pytest.raises(MissingStateError, match="no snapshot is built for"):
        scorer.explain_at(ids()[0], newest() + timedelta(days=9))


def test_an_account_that_cannot_be_scored_then_is_not_explained(scorer: Scorer) -> None:
    with pytest.raises(UnknownAccount):
        scorer.explain_at("nobody", newest())
    with pytest.raises(UnknownAccount):
        scorer.explain_at(ids("onboarding")[0], newest())


def test_a_scorer_needs_a_live_model(tmp_path: Path) -> None:
    with pytest.raises(MissingStateError, match="no model is live"):
        Scorer.open(stored_home(tmp_path, live=None))


def test_the_parquet_file_holds_one_row_per_account_with_the_columns_of_the_model(tmp_path: Path) -> None:
    report = Scorer.open(stored_home(tmp_path / "home")).score_cohort(newest(), now=now())
    out = tmp_path / "deep" / "scores.parquet"
    report.write(out)
    table = pq.read_table(out)
    assert tuple(table.column_names) == SCORE_COLUMNS
    assert str(table.schema.field("as_of").type) == "timestamp[us, tz=UTC]"
    pd.testing.assert_frame_equal(
        table.to_pandas().drop(columns="as_of"), report.scores.drop(columns="as_of"), check_exact=True
    )
    assert list(out.parent.iterdir()) == [out]


def test_a_batch_is_told_in_two_lines(tmp_path: Path) -> None:
    report = Scorer.open(stored_home(tmp_path)).score_cohort(newest(), now=now())
    count = len(report.assessments)
    bands = report.document()["bands"]
    shares = ", ".join(f"{bands[band]} {band}" for band in Band if band in bands)
    assert report.lines() == [
        f"{count} accounts scored at {newest().date()} by model version 1: {shares}",
        f"1 accounts are too new to be scored, of 0 no source tells anything; {count} entries added to the ledger",
    ]
    assert sum(bands.values()) == count


def test_an_account_is_explained_for_a_person(scorer: Scorer, batch: dict[str, Assessment]) -> None:
    account = ids()[0]
    lines = scorer.explain_at(account, newest()).lines()
    score = batch[account].score
    assert lines[0] == f"{NAME} at {newest().date()}: health {score.health:.0f} ({score.band}, grade {score.grade})"
    assert lines[-1].startswith("  ")
    assert f"  {'health':<22}{score.health:>8.1f}" in lines
    assert scorer.explain_at(account, newest()).document()["score"]["health"] == score.health


class Odd:
    """A model whose score is not a number: what a golden check should have caught, had it known the row."""

    def __init__(self, scorer: Scorer) -> None:
        self._bundle = scorer.bundle

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        scores = self._bundle.score(features)
        scores.loc[0, "health"] = np.nan
        return scores


def test_a_score_that_is_not_a_number_is_never_told(scorer: Scorer) -> None:
    rows = stored_rows(newest()).iloc[2:5].reset_index(drop=True)
    with pytest.raises(IntegrityError, match="1 of them with a value that is not a number"):
        assess(rows, Odd(scorer))  # type: ignore[arg-type]


def test_packed_features_come_back_bit_for_bit() -> None:
    row = stored_rows(newest()).iloc[0].to_dict() | {"tenure_weeks": -0.0, "term_months": 5e-324}
    known = KnownFeatures.of(row)
    names = list(row)
    numbers = [name for name in names if isinstance(row[name], float)]
    back = known.frame("a", newest(), [NUMBERS, WORDS])
    for name in numbers:
        assert np.array([row[name]]).tobytes() == back[name].to_numpy().tobytes() or np.isnan(row[name])
    assert back["account_name"][0] == NAME
    assert back["csm_owner_id"][0] is None
    assert KnownFeatures.of(row).digest == known.digest
    assert KnownFeatures.of(row | {"tenure_weeks": 0.0}).digest != known.digest


def test_any_past_score_is_derived_again_from_the_ledger(tmp_path: Path) -> None:
    # Law 12: not from today's features, but from what was known then.
    home = stored_home(tmp_path)
    scorer = Scorer.open(home)
    for as_of in as_ofs():
        scorer.score_cohort(as_of, now=now())
    ledger = Ledger(home)
    for entry in ledger.history(ids()[0]):
        again = assess(ledger.features(entry), load_bundle(home.bundles / entry.score.model_version))[0]
        assert (again.score, again.facts, again.known.digest) == (entry.score, entry.facts, entry.features_hash)
        assert again.explanation == ledger.explanation(entry.entry_id)


def test_every_subcategory_is_told(batch: dict[str, Assessment]) -> None:
    for one in batch.values():
        assert [part.subcategory for part in one.explanation.subcategories] == list(Subcategory)


def test_batch_endpoint_and_explanation_abstain_alike_where_no_source_tells(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, silent, spoken = Scorer.open(home), ids()[4], ids()[5]

    def only_one(_bundle: Bundle, features: pd.DataFrame) -> npt.NDArray[np.bool_]:
        return np.asarray(features["account_id"] == silent)

    monkeypatch.setattr(Bundle, "abstains", only_one)
    answers = scorer.score_accounts([silent, spoken], now())
    assert [answer.status for answer in answers] == [Status.INSUFFICIENT_DATA, Status.OK]
    assert answers[0].assessment is None
    told = [one.account_id for one in scorer.assess_cohort(newest())]
    assert silent not in told
    assert spoken in told
    with pytest.raises(MissingStateError, match="nothing can be said of this account"):
        scorer.explain_at(silent, newest())
    assert scorer.score_cohort(newest(), now=now()).document()["silent"] == 1


def test_a_score_says_how_sure_its_risk_is_and_what_its_grade_rests_on(batch: dict[str, Assessment]) -> None:
    for one in batch.values():
        told, grounds = one.score.range, one.explanation.grounds
        assert told is not None
        assert grounds is not None
        assert told.days == 90
        assert 0 <= told.low <= one.score.risk[90] <= told.high <= 1
        assert told.p0 <= told.p1
        assert told.width == told.high - told.low
        assert " weeks of data from " in grounds.grade_reasons[0]
        assert (len(grounds.grade_reasons) == 1) is (one.score.grade == "A")
        assert 0 < grounds.own_weight < 1
    assert len({one.score.grade for one in batch.values()}) >= 2


def test_offsets_of_segment_and_phase_are_told_as_reasons(batch: dict[str, Assessment]) -> None:
    reasons = [reason for one in batch.values() for reason in (*one.explanation.lowers, *one.explanation.raises)]
    assert {"segment", "phase"} <= {reason.feature for reason in reasons}


def test_plain_arrays_are_assessed_as_a_table_is(scorer: Scorer) -> None:
    # The endpoint reads arrays, the batch a table: words, packed features and every bit must be the same.
    rows = stored_rows(newest()).iloc[2:40].reset_index(drop=True)
    keys = {name: rows[name].to_numpy(dtype=object) for name in ("account_id", "as_of")}
    words = {name: rows[name].to_numpy(dtype=object) for name in WORDS}
    columns = Columns(NUMBERS, rows[list(NUMBERS)].to_numpy(np.float64), {**keys, **words})
    for reasons in (True, False):
        expected = assess(rows, scorer.bundle, reasons=reasons)
        assert assess(columns, scorer.bundle, reasons=reasons) == expected
        alone = [assess(columns.part(place, place + 1), scorer.bundle, reasons=reasons)[0] for place in range(38)]
        assert alone == expected
        assert [one.known.packed for one in alone] == [one.known.packed for one in expected]
    assert assess(columns.part(0, 0), scorer.bundle) == []


def test_a_score_of_arrays_that_is_not_a_number_is_never_told(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = Bundle.scores

    def odd(bundle: Bundle, rows: Columns) -> dict[str, Any]:
        return scores(bundle, rows) | {"health": np.full(len(rows), np.nan)}

    monkeypatch.setattr(Bundle, "scores", odd)
    opened = Scorer(scorer.bundle, FeatureStore(scorer._home), scorer._home)
    with pytest.raises(IntegrityError, match="3 of them with a value that is not a number"):
        opened.score_accounts(ids()[:3], now())
