"""Law 12: any past score comes out again, byte for byte, from what was known then; else the first field is named."""

from __future__ import annotations

import json
import shutil
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from features.errors import IntegrityError, UnknownAccount
from features.settings import Home
from features.state import open_state
from pulse import app
from serving.entries import Channel
from serving.explain import LIMITED_DATA
from serving.ledger import Ledger
from serving.ledger_tables import SCORES, explanation_of
from serving.replay import Difference, ReplayReport, replay
from serving.scorer import Scorer
from tests.serving.service_case import PASSED, as_ofs, ids, newest, now, stored_home
from training.bundle_files import write_files
from training.promotions import promote


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two Mondays scored by the first model, the second one again by the second; read only."""
    home = stored_home(tmp_path_factory.mktemp("replay"))
    scorer = Scorer.open(home)
    for as_of in as_ofs()[-2:]:
        scorer.score_cohort(as_of, now=now())
    promote(home, "2", who="test", why="test", verdict=PASSED, at=now())
    Scorer.open(home).score_cohort(newest(), now=now() + timedelta(hours=1))
    return home


@pytest.fixture
def home(told: Home, tmp_path: Path) -> Home:
    """A copy to spoil."""
    shutil.copytree(told.root, tmp_path / "home")
    return Home(root=tmp_path / "home")


def spoil(home: Home, statement: str, **values: Any) -> None:
    """What only somebody with the file in his hands can do: the triggers forbid it to everybody else."""
    with open_state(home).begin() as connection:
        found = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
        for trigger in list(found):
            connection.execute(sa.text(f'DROP TRIGGER "{trigger}"'))
        connection.execute(sa.text(statement), values)


def command(home: Home, *words: object) -> Result:
    return CliRunner().invoke(app, ["--home", str(home.root), "replay", *map(str, words)])


def first_difference(report: ReplayReport) -> Difference | None:
    return report.different[0].difference if report.different else None


def test_every_score_of_a_day_comes_out_again(told: Home) -> None:
    steps: list[tuple[int, int]] = []
    report = replay(told, newest(), progress=lambda _, *step: steps.append(step))
    accounts = len(ids("at_risk") + ids("lost_pending"))
    assert len(report.replayed) == 2 * accounts
    assert {one.model_version for one in report.replayed} == {"1", "2"}
    assert report.different == ()
    assert report.failure() is None
    assert all(one.with_words and one.fields > 60 for one in report.replayed)
    assert steps[-1] == (2 * accounts, 2 * accounts)
    assert report.document() == {"scores": 2 * accounts, "equal": 2 * accounts, "different": []}


def test_the_newest_day_at_or_before_the_date_is_meant(told: Home) -> None:
    account = ids()[0]
    for at, expected, count in (
        (newest() + timedelta(days=400), newest(), 2),
        (newest() - timedelta(seconds=1), as_ofs()[-2], 1),
    ):
        report = replay(told, at, account_id=account)
        assert [(one.account_id, one.as_of) for one in report.replayed] == [(account, expected)] * count
    with pytest.raises(UnknownAccount):
        replay(told, as_ofs()[0], account_id=account)
    with pytest.raises(UnknownAccount):
        replay(told, newest(), account_id="nobody")


def test_what_the_stores_say_now_plays_no_part(home: Home) -> None:
    # Neither snapshots nor warehouse nor online store: the ledger and the model's files are enough.
    for folder in (home.snapshots, home.feast):
        shutil.rmtree(folder)
    assert replay(home, newest()).different == ()


@pytest.mark.parametrize("column", [column.name for column in SCORES.columns if str(column.type) == "DOUBLE"])
def test_one_bit_in_one_number_is_named(home: Home, column: str) -> None:
    account = ids()[3]
    where = "WHERE account_id = :account AND model_version = '1' AND as_of LIKE :day"
    keys = {"account": account, "day": f"{newest().date()}%"}
    spoil(home, f"UPDATE score_ledger SET {column} = COALESCE({column}, 1.0) * (1 + 2.3e-16) + 5e-324 {where}", **keys)
    report = replay(home, newest(), account_id=account)
    difference = first_difference(report)
    assert difference is not None
    assert difference.field == column
    assert difference.told != difference.again
    assert len(report.different) == 1
    assert isinstance(report.failure(), IntegrityError)


def test_a_word_that_is_not_the_one_that_was_told_is_named(home: Home) -> None:
    account = ids()[5]
    entry = Ledger(home).entry(account)
    assert entry is not None
    with open_state(home).connect() as connection:
        query = sa.text("SELECT explanation FROM score_ledger_details WHERE entry_id = :entry")
        document = json.loads(zlib.decompress(connection.scalar(query, {"entry": entry.entry_id})))
    place = next(name for name in ("lowers", "raises") if document[name])
    was = document[place][0]["sentence"]
    document[place][0]["sentence"] = LIMITED_DATA
    packed = zlib.compress(json.dumps(document).encode())
    statement = "UPDATE score_ledger_details SET explanation = :packed WHERE entry_id = :entry"
    spoil(home, statement, packed=packed, entry=entry.entry_id)
    difference = first_difference(replay(home, newest(), account_id=account))
    assert difference == Difference(
        f"explanation.{place}[0].sentence", json.dumps(LIMITED_DATA), json.dumps(was, ensure_ascii=False)
    )


def test_kept_values_that_were_altered_are_named_before_anything_is_derived(home: Home) -> None:
    entry = Ledger(home).entry(ids()[7])
    assert entry is not None
    for packed in (b"nothing", zlib.compress(bytes(8 * 200))):
        spoil(
            home,
            "UPDATE score_ledger_details SET features = :packed WHERE entry_id = :entry",
            packed=packed,
            entry=entry.entry_id,
        )
        difference = first_difference(replay(home, newest(), account_id=entry.account_id))
        assert difference is not None
        assert difference.field == "features_hash"


def test_another_model_under_the_same_name_is_named(home: Home) -> None:
    # Same features, same columns, sound files: only the hash that the ledger keeps tells that it is not the one.
    folder = home.bundles / "1"
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text())
    shutil.rmtree(folder)
    facts = {name: value for name, value in manifest.items() if name not in ("files", "form")}
    write_files(folder, files, facts | {"written_again": True})
    report = replay(home, newest())
    assert {one.model_version for one in report.different} == {"1"}
    difference = first_difference(report)
    assert difference is not None
    assert difference.field == "model"
    shutil.rmtree(folder)
    gone = first_difference(replay(home, newest()))
    assert gone is not None
    assert gone.field == "model"


def test_a_score_that_was_told_without_reasons_is_compared_without(home: Home) -> None:
    account = ids()[2]
    scorer = Scorer.open(home)
    later = now() + timedelta(days=1)
    online = scorer.score_accounts([account], now(), reasons=False)[0].assessment
    assert online is not None
    fresh = Home(root=home.root.parent / "fresh")
    shutil.copytree(home.bundles, fresh.prepare().bundles)
    ledger = Ledger(fresh)
    assert ledger.append([online], channel=Channel.API, scored_at=later) == 1
    (one,) = replay(fresh, newest()).replayed
    assert (one.difference, one.with_words) == (None, False)
    assert one.line().endswith("(no reasons to compare)")
    # The reasons come when somebody asks for them, are kept beside, and come out again as well.
    with_reasons = scorer.score_accounts([account], now())[0].assessment
    assert with_reasons is not None
    assert ledger.append([with_reasons], channel=Channel.API, scored_at=later) == 0
    entry = ledger.entry(account)
    assert entry is not None
    assert ledger.explanation(entry.entry_id) == with_reasons.explanation
    (one,) = replay(fresh, newest()).replayed
    assert (one.difference, one.with_words) == (None, True)
    assert ledger.append([with_reasons], channel=Channel.API, scored_at=later) == 0


def test_reasons_that_nobody_was_told_are_derived_for_who_looks(home: Home, tmp_path: Path) -> None:
    scorer = Scorer.open(home)
    account = ids()[4]
    (bare,), (whole,) = (scorer.score_accounts([account], now(), reasons=wanted) for wanted in (False, True))
    assert bare.assessment is not None
    assert whole.assessment is not None
    assert bare.assessment.score == whole.assessment.score
    by_hand = Ledger(Home(root=tmp_path / "a"), model_at_hand={"2": scorer.bundle}.get)
    alone = Ledger(Home(root=tmp_path / "b"))
    for ledger in (by_hand, alone):
        ledger.append([bare.assessment], channel=Channel.API, scored_at=now())
        entry = ledger.entry(account)
        assert entry is not None
        told = ledger.explanation(entry.entry_id)
        assert told.subcategories == whole.assessment.explanation.subcategories
        assert (told == whole.assessment.explanation) is (ledger is by_hand)


def test_the_command_says_it_and_ends_with_a_code(home: Home, tmp_path: Path) -> None:
    account = ids()[0]
    done = command(home, "--account", account, "--at", newest().date())
    assert done.exit_code == 0
    assert done.stdout.count(f"{account} at {newest().date()}") == 2
    assert "2 of 2 scores came out again byte for byte" in done.stdout
    spoil(home, "UPDATE score_ledger SET grade = 'E' WHERE account_id = :account", account=account)
    spoilt = command(home, "--all", "--at", newest().date(), "--json", tmp_path / "told.json")
    assert spoilt.exit_code == 7
    assert 'grade was "E" and is "' in spoilt.stdout
    document = json.loads((tmp_path / "told.json").read_text())
    assert [one["field"] for one in document["different"]] == ["grade", "grade"]
    assert command(home, "--all", "--at", "2001-01-01").exit_code == 6
    for words in ((), ("--all", "--account", account)):
        assert command(home, *words, "--at", newest().date()).exit_code == 2


def test_an_explanation_is_read_as_it_was_told(told: Home) -> None:
    entry = Ledger(told).entry(ids()[0])
    assert entry is not None
    with open_state(told).connect() as connection:
        query = sa.text("SELECT explanation FROM score_ledger_details WHERE entry_id = :entry")
        packed = connection.scalar(query, {"entry": entry.entry_id})
    assert explanation_of(packed) == Ledger(told).explanation(entry.entry_id)


def test_moments_are_those_of_the_ledger(told: Home) -> None:
    moments = {one.scored_at for one in replay(told, newest()).replayed}
    assert moments == {now(), now() + timedelta(hours=1)}
    assert all(isinstance(moment, datetime) and moment.tzinfo for moment in moments)
