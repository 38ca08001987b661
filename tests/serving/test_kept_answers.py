"""Is an answer told again only while nothing changed, and judged anew each time?"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.catalogue import features_of
from features.settings import Home
from features.store import FeatureStore
from features.vocabulary import Subcategory
from serving.assessment import Assessment
from serving.kept_answers import KeptAnswers
from serving.scorer import Scorer, Status
from tests.serving.service_case import ids, newest, now, stored_home, stored_rows
from training.model import load_bundle


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return stored_home(tmp_path_factory.mktemp("kept"))


def opened(home: Home, version: str = "1") -> Scorer:
    return Scorer(load_bundle(home.bundles / version), FeatureStore(home), home)


def push(home: Home, account_id: str, as_of: datetime, **changed: float) -> None:
    """Bring another row of an account online."""
    rows = stored_rows(newest())
    row = rows[rows["account_id"] == account_id].reset_index(drop=True).assign(**changed)
    keys = pd.DataFrame({"account_id": [account_id], "as_of": [pd.Timestamp(as_of)], "known_at": [pd.Timestamp(as_of)]})
    FeatureStore(home).push(
        {str(part): pd.concat([keys, row[[one.name for one in features_of(part)]]], axis=1) for part in Subcategory}
    )


def told(scorer: Scorer, account_id: str, at: datetime) -> Assessment:
    (answer,) = scorer.score_accounts([account_id], at)
    assert answer.status is Status.OK
    assert answer.assessment is not None
    return answer.assessment


def test_who_asks_again_before_anything_changed_is_told_the_very_same(home: Home) -> None:
    scorer, account = opened(home), ids()[0]
    first = told(scorer, account, now())
    assert told(scorer, account, now() + timedelta(hours=1)) is first
    assert told(opened(home), account, now()) == first


def test_what_is_kept_goes_with_an_answer_for_others_in_the_order_asked(home: Home) -> None:
    scorer, (one, other, third) = opened(home), ids()[:3]
    first = told(scorer, other, now())
    answers = scorer.score_accounts([one, other, "nobody", third, other], now())
    assert [answer.account_id for answer in answers] == [one, other, "nobody", third, other]
    assert [answer.status for answer in answers] == [Status.OK, Status.OK, Status.NOT_FOUND, Status.OK, Status.OK]
    assert answers == opened(home).score_accounts([one, other, "nobody", third, other], now())
    assert answers[1].assessment is first


def test_how_fresh_features_are_is_judged_each_time(home: Home) -> None:
    # Law: nothing is told from stale features, whatever was told of them while they were fresh.
    scorer, account = opened(home), ids()[0]
    told(scorer, account, now())
    (late,) = scorer.score_accounts([account], newest() + timedelta(days=9))
    assert (late.status, late.assessment, late.as_of) == (Status.STALE, None, newest())
    assert late.freshness is not None
    assert late.freshness.age == timedelta(days=9)
    (early,) = scorer.score_accounts([account], newest() - timedelta(days=1))
    assert (early.status, early.assessment) == (Status.STALE, None)


def test_another_model_tells_its_own(home: Home) -> None:
    account = ids()[0]
    versions = [told(opened(home, version), account, now()).score.model_version for version in ("1", "2", "1")]
    assert versions == ["1", "2", "1"]


def test_a_list_without_reasons_has_none_where_they_are_kept(home: Home) -> None:
    scorer, account = opened(home), ids()[0]
    assert told(scorer, account, now()).explanation.subcategories
    (plain,) = scorer.score_accounts([account], now(), reasons=False)
    assert plain.assessment is not None
    assert plain.assessment.explanation.subcategories == ()


def test_news_are_told_at_once(tmp_path: Path) -> None:
    home = stored_home(tmp_path)
    scorer, account, later = opened(home), ids()[0], newest() + timedelta(days=1)
    before = told(scorer, account, now())
    push(home, account, later)
    moved = told(scorer, account, now())
    assert (moved.as_of, moved.known) == (later, before.known)
    push(home, account, later, tenure_weeks=777.0)
    changed = told(scorer, account, now())
    assert changed.known != before.known
    assert changed == told(opened(home), account, now())


def test_what_was_asked_for_longest_ago_goes_first(home: Home) -> None:
    kept, scorer = KeptAnswers(most=2), opened(home)
    one, other, third = (told(scorer, account, now()) for account in ids()[:3])
    kept.keep(b"1", one)
    kept.keep(b"2", other)
    assert kept.of(b"1") is one
    kept.keep(b"3", third)
    assert [kept.of(digest) for digest in (b"1", b"2", b"3")] == [one, None, third]
