from __future__ import annotations

import json
import sqlite3
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from features.errors import ServiceUnavailable
from features.settings import Home
from features.state import open_state
from features.vocabulary import WEEK, Band, Phase
from serving.assessment import Assessment, Facts, KnownFeatures, Score
from serving.explain import UNTOLD, Explanation
from serving.ledger import Channel, Ledger, Place, Selection
from serving.ledger_tables import explanation_of, packed_explanation
from serving.scorer import Scorer
from tests.serving.pages_case import assessment, filled
from tests.serving.service_case import newest, now, stored_home

MONDAY = newest()


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    """One real assessment; the others of this module are made from it."""
    return Scorer.open(stored_home(tmp_path_factory.mktemp("pattern"))).assess_cohort(MONDAY)[0]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Home(root=tmp_path))


def variant(
    pattern: Assessment,
    account_id: str,
    *,
    as_of: datetime = MONDAY,
    risk: float = 0.2,
    value: float | None = 1000.0,
    digest: str = "d",
    score: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> Assessment:
    told: Score = replace(pattern.score, risk={**pattern.score.risk, 90: risk}, **(score or {}))
    shown: Facts = replace(pattern.facts, annual_value=value, **(facts or {}))
    known = KnownFeatures(pattern.known.packed, digest)
    return replace(pattern, account_id=account_id, as_of=as_of, score=told, facts=shown, known=known)


def add(ledger: Ledger, *assessments: Assessment, channel: Channel = Channel.BATCH) -> int:
    return ledger.append(list(assessments), channel=channel, scored_at=now())


def test_what_is_read_is_what_was_told(ledger: Ledger, pattern: Assessment) -> None:
    mark = MONDAY - timedelta(hours=5, microseconds=3)
    assert ledger.append([pattern], channel=Channel.API, scored_at=now(), data_watermark=mark) == 1
    (entry,) = ledger.latest()
    assert (entry.account_id, entry.as_of, entry.score, entry.facts) == (
        pattern.account_id,
        pattern.as_of,
        pattern.score,
        pattern.facts,
    )
    assert entry.value_at_risk == pattern.score.risk[90] * (pattern.facts.annual_value or 0)
    assert (entry.channel, entry.scored_at, entry.data_watermark) == (Channel.API, now(), mark)
    assert entry.features_hash == pattern.known.digest
    assert ledger.explanation(entry.entry_id) == pattern.explanation
    assert ledger.entry(pattern.account_id) == entry


def test_an_explanation_is_packed_as_the_whole_of_it(pattern: Assessment) -> None:
    # Replays compare packed words byte by byte, so those of older versions must come out the same for ever.
    for told in (pattern.explanation, replace(pattern.explanation, grounds=None)):
        plain = json.dumps(asdict(told), ensure_ascii=False, separators=(",", ":"))
        assert packed_explanation(told) == zlib.compress(plain.encode())
        assert explanation_of(packed_explanation(told)) == told
    assert pattern.explanation.lowers or pattern.explanation.raises
    assert pattern.explanation.grounds is not None


def test_the_same_score_told_again_adds_nothing(ledger: Ledger, pattern: Assessment) -> None:
    one = variant(pattern, "a")
    assert [add(ledger, one, one), add(ledger, one), add(ledger, one, channel=Channel.API)] == [1, 0, 0]
    assert [entry.channel for entry in ledger.latest()] == [Channel.BATCH]


def rows_of(ledger: Ledger, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    with ledger.connected() as connection:
        return {
            table: [tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1, 2"))]
            for table in tables
        }


def test_one_score_lies_in_the_ledger_as_it_does_among_many(tmp_path: Path, pattern: Assessment) -> None:
    # Law: whoever asks for one account and whoever asks for a list leave the same rows.
    tables = ("score_ledger", "score_ledger_details", "score_ledger_models", "score_ledger_reasons")
    one, other = variant(pattern, "a", value=None), replace(variant(pattern, "b"), explanation=UNTOLD)
    by_one, at_once = (Ledger(Home(root=tmp_path / name)) for name in ("one", "many"))
    assert [add(by_one, one, channel=Channel.API), add(by_one, other, channel=Channel.API)] == [1, 1]
    assert add(at_once, one, other, channel=Channel.API) == 2
    assert rows_of(by_one, *tables) == rows_of(at_once, *tables)
    told = variant(pattern, "b")
    assert [add(by_one, told), add(at_once, told, told)] == [0, 0]
    assert rows_of(by_one, *tables) == rows_of(at_once, *tables)
    assert len(rows_of(by_one, "score_ledger_reasons")["score_ledger_reasons"]) == 1
    for ledger in (by_one, at_once):
        ledger.close()


def test_of_many_who_tell_the_same_score_at_once_one_adds_it(ledger: Ledger, pattern: Assessment) -> None:
    scores = [variant(pattern, f"a{number % 8}") for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda one: add(ledger, one, channel=Channel.API), scores))
    assert sum(added) == 8
    assert len(ledger.latest()) == 8


def test_a_score_that_is_there_is_told_again_while_another_writer_holds_the_ledger(
    tmp_path: Path, pattern: Assessment
) -> None:
    home = Home(root=tmp_path)
    ledger = Ledger(home)
    add(ledger, pattern)
    with sqlite3.connect(home.state) as other:
        other.execute("BEGIN IMMEDIATE")
        assert add(ledger, pattern, channel=Channel.API) == 0


def test_another_model_or_other_features_are_another_entry_and_the_last_told_counts(
    ledger: Ledger, pattern: Assessment
) -> None:
    add(ledger, variant(pattern, "a", risk=0.1))
    add(ledger, variant(pattern, "a", risk=0.2, score={"model_version": "2"}))
    add(ledger, variant(pattern, "a", risk=0.3, score={"model_version": "2"}, digest="late data"))
    assert [entry.score.risk[90] for entry in ledger.latest()] == [0.3]
    assert [entry.score.risk[90] for entry in ledger.history("a")] == [0.3]


@pytest.mark.parametrize("table", ["score_ledger", "score_ledger_details", "score_ledger_features"])
@pytest.mark.parametrize("statement", ["UPDATE {table} SET rowid = rowid", "DELETE FROM {table}"])
def test_nothing_is_ever_changed_or_deleted(tmp_path: Path, pattern: Assessment, table: str, statement: str) -> None:
    home = Home(root=tmp_path)
    ledger = Ledger(home)
    add(ledger, pattern)
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), open_state(home).begin() as connection:
        connection.execute(sa.text(statement.format(table=table)))
    assert len(ledger.latest()) == 1


def test_the_portfolio_stands_at_the_newest_batch_not_at_a_single_question(ledger: Ledger, pattern: Assessment) -> None:
    add(ledger, variant(pattern, "a"), variant(pattern, "b"))
    add(ledger, variant(pattern, "a", as_of=MONDAY + WEEK), channel=Channel.API)
    assert ledger.newest_as_of() == MONDAY
    assert [entry.account_id for entry in ledger.latest()] == ["a", "b"]
    newest_of_a = ledger.entry("a")
    assert newest_of_a is not None
    assert newest_of_a.as_of == MONDAY + WEEK


def test_the_portfolio_can_be_seen_as_it_was(ledger: Ledger, pattern: Assessment) -> None:
    for week in range(4):
        add(ledger, variant(pattern, "a", as_of=MONDAY + week * WEEK, risk=0.1 * (week + 1)))
    assert [entry.as_of for entry in ledger.latest(MONDAY + WEEK + timedelta(days=2))] == [MONDAY + WEEK]
    assert ledger.latest(MONDAY - WEEK) == []
    then = ledger.entry("a", MONDAY + WEEK)
    assert then is not None
    assert then.score.risk[90] == 0.2
    assert ledger.entry("a", MONDAY + timedelta(days=1)) is None


def test_history_is_oldest_first_and_a_limit_keeps_the_newest(ledger: Ledger, pattern: Assessment) -> None:
    weeks = [MONDAY + week * WEEK for week in range(5)]
    for as_of in reversed(weeks):
        add(ledger, variant(pattern, "a", as_of=as_of))
    assert [entry.as_of for entry in ledger.history("a")] == weeks
    assert [entry.as_of for entry in ledger.history("a", limit=2)] == weeks[-2:]
    assert ledger.history("nobody") == []


def test_an_empty_ledger_reads_as_empty(ledger: Ledger) -> None:
    assert (ledger.latest(), ledger.newest_as_of(), ledger.beginning(), ledger.entry("a")) == ([], None, None, None)
    assert ledger.explanations([]) == {}


def test_most_value_at_risk_comes_first_and_equal_values_by_id(ledger: Ledger, pattern: Assessment) -> None:
    add(
        ledger,
        variant(pattern, "small", risk=0.9, value=10.0),
        variant(pattern, "b", risk=0.1, value=1000.0),
        variant(pattern, "a", risk=0.1, value=1000.0),
        variant(pattern, "large", risk=0.5, value=9000.0),
        variant(pattern, "unknown", risk=0.9, value=None),
    )
    assert [entry.account_id for entry in ledger.latest()] == ["large", "a", "b", "small", "unknown"]


def pages(ledger: Ledger, selection: Selection, limit: int, between: object = None) -> list[str]:
    place: Place | None = ledger.beginning()
    seen: list[str] = []
    while place is not None:
        entries, place = ledger.page(place, selection, limit=limit)
        seen += [entry.account_id for entry in entries]
        if callable(between):
            between(len(seen))
    return seen


def test_pages_show_every_account_once_while_scores_are_added(ledger: Ledger, pattern: Assessment) -> None:
    many = [variant(pattern, f"a{number:03d}", risk=0.001 * (number % 7)) for number in range(100)]
    add(ledger, *many)
    before = [entry.account_id for entry in ledger.latest()]

    def rescore(seen: int) -> None:
        # Everything turns round in the middle of reading: new values, a new account, another model.
        changed = [variant(pattern, one.account_id, risk=0.9, score={"model_version": str(seen)}) for one in many]
        add(ledger, *changed, variant(pattern, f"new{seen}", risk=1.0))

    assert pages(ledger, Selection(), 13, rescore) == before
    assert len(pages(ledger, Selection(), 13)) > 100


@pytest.mark.parametrize(
    ("selection", "accounts"),
    [
        (Selection(), ["a", "b", "c"]),
        (Selection(segment="agency"), ["b"]),
        (Selection(phase=Phase.POST), ["b", "c"]),
        (Selection(band=Band.RED, phase=Phase.POST), ["c"]),
        (Selection(segment="' OR 1=1 --"), []),
    ],
)
def test_a_selection_takes_what_it_says(
    ledger: Ledger, pattern: Assessment, selection: Selection, accounts: list[str]
) -> None:
    studio, agency = {"segment": "studio"}, {"segment": "agency"}
    add(
        ledger,
        variant(pattern, "a", facts=studio, score={"phase": Phase.PRE, "band": Band.RED}),
        variant(pattern, "b", facts=agency, score={"phase": Phase.POST, "band": Band.GREEN}),
        variant(pattern, "c", facts=studio, score={"phase": Phase.POST, "band": Band.RED}),
    )
    assert sorted(pages(ledger, selection, 1)) == accounts


def test_a_batch_is_added_whole_or_not_at_all(ledger: Ledger, pattern: Assessment) -> None:
    part = replace(pattern.explanation.subcategories[0], words=object())  # type: ignore[arg-type]
    broken = replace(variant(pattern, "b"), explanation=Explanation(lowers=(), raises=(), subcategories=(part,)))
    with pytest.raises(TypeError):
        add(ledger, variant(pattern, "a"), broken)
    assert ledger.latest() == []


def test_a_ledger_that_cannot_be_opened_is_told_as_a_service_that_does_not_answer(
    tmp_path: Path, pattern: Assessment
) -> None:
    home = Home(root=tmp_path)
    home.state.mkdir()
    with pytest.raises(ServiceUnavailable, match="the score ledger does not answer"):
        add(Ledger(home), pattern)


def test_a_portfolio_is_found_by_index_not_by_reading_the_whole_ledger(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    ledger = Ledger(home)
    ledger.latest()
    plans = {
        "as_of": "SELECT MAX(id) FROM score_ledger WHERE as_of = 'x' AND id <= 5 GROUP BY account_id",
        "newest": "SELECT MAX(as_of) FROM score_ledger WHERE channel = 'batch'",
        "history": "SELECT MAX(id) FROM score_ledger WHERE account_id = 'x' GROUP BY as_of",
    }
    with open_state(home).connect() as connection:
        for query in plans.values():
            plan = " ".join(str(row) for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {query}")))
            assert "SEARCH score_ledger USING COVERING INDEX" in plan or "SEARCH score_ledger USING INDEX" in plan
            assert "SCAN score_ledger" not in plan


def test_a_ledger_of_before_there_were_ranges_is_read_and_written_on(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    filled(home, assessment("acc-1"))
    with sqlite3.connect(home.state) as state:
        for name in ("interval_days", "interval_p0", "interval_p1", "interval_low", "interval_high"):
            state.execute(f"ALTER TABLE score_ledger DROP COLUMN {name}")
        state.execute("DROP TABLE alembic_version")  # there were no steps then
    ledger = filled(home, assessment("acc-2"))
    before, after = ledger.entry("acc-1"), ledger.entry("acc-2")
    assert before is not None
    assert after is not None
    assert before.score.range is None
    assert after.score == assessment("acc-2").score
    assert before.score == replace(after.score, range=None)


def test_an_explanation_of_before_there_were_grounds_is_read() -> None:
    told = assessment().explanation
    document = json.loads(zlib.decompress(packed_explanation(told)))
    del document["grounds"]
    assert explanation_of(zlib.compress(json.dumps(document).encode())) == replace(told, grounds=None)
