"""Why a score moved: parts that add up, whoever can still be asked."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.catalogue import FEATURES
from features.errors import IntegrityError
from features.store import FeatureStore
from features.vocabulary import Phase, Subcategory
from serving.change import CALENDAR_FEATURES, Basis, Cause, Change, Kept, change
from serving.change_words import moved_words, title_of, words_of
from serving.entries import Entry
from serving.kept_models import MOST_KEPT, KeptModel, KeptModels
from serving.ledger import Ledger
from serving.live import LiveModel
from serving.scorer import Scorer
from tests.serving.service_case import VERSIONS, as_ofs, ids, now, stored_home
from tests.serving.test_api import UNKNOWN, Service, invalid, problem
from training.model import Bundle, load_bundle

CLOSE = 1e-6
"""The bar: parts add up to the difference of health to this."""


class World:
    """Three weeks of scores: the first two by version 1, the newest told by both, version 2 last."""

    def __init__(self, root: Path) -> None:
        self.home = stored_home(root)
        self.bundles: dict[str, Bundle] = {version: load_bundle(self.home.bundles / version) for version in VERSIONS}
        first, second, third = as_ofs()
        for as_of, version in ((first, "1"), (second, "1"), (third, "1"), (third, "2")):
            Scorer(self.bundles[version], FeatureStore(self.home), self.home).score_cohort(as_of, now=now())
        self.ledger = Ledger(self.home)

    def kept(self, entry: Entry, *, gone: bool = False) -> Kept:
        version = entry.score.model_version
        model = KeptModel(version, None, f"{version} is gone") if gone else KeptModel(version, self.bundles[version])
        return Kept(entry, self.ledger.features(entry), model)

    def pairs(self, first: int, last: int) -> Iterator[tuple[Entry, Entry]]:
        for account in ids():
            before = self.ledger.entry(account, as_ofs()[first])
            after = self.ledger.entry(account, as_ofs()[last])
            if before is not None and after is not None:
                yield before, after


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("change"))


@pytest.fixture(scope="module")
def service(world: World) -> Iterator[Service]:
    served = Service(world.home)
    yield served
    served.context.close()


def whole(told: Change) -> float:
    return sum(part.points for part in told.parts)


def of(told: Change, cause: Cause) -> float:
    return sum(part.points for part in told.parts if part.cause is cause)


def test_with_one_model_the_parts_are_the_moves_of_the_points(world: World) -> None:
    told_something = 0
    for before, after in world.pairs(0, 1):
        told = change(world.kept(before), world.kept(after))
        assert (told.basis, told.troubles, of(told, Cause.MODEL)) == (Basis.ONE_MODEL, (), 0.0)
        assert whole(told) == pytest.approx(after.score.health - before.score.health, abs=CLOSE)
        # An outside account: what the ledger kept per subcategory must be what data, calendar and gaps moved there.
        by_part = dict.fromkeys(Subcategory, 0.0)
        for part in told.parts:
            for one in part.moved:
                by_part[one.subcategory] += one.points
        for part, moved in by_part.items():
            assert moved == pytest.approx(after.score.points[part] - before.score.points[part], abs=CLOSE)
        thin = after.score.shrink_adjust - before.score.shrink_adjust
        assert of(told, Cause.THIN_DATA) == pytest.approx(thin, abs=1e-9)
        assert of(told, Cause.LIMITS) == pytest.approx(after.score.clip_adjust - before.score.clip_adjust, abs=1e-9)
        assert abs(of(told, Cause.ROUNDING)) < CLOSE
        told_something += abs(told.by) > 1
    assert told_something > 20


def test_with_two_models_the_models_part_is_what_they_differ_by_on_the_same_data(world: World) -> None:
    different = 0
    for before, after in list(world.pairs(0, 2))[:25]:
        told = change(world.kept(before), world.kept(after))
        assert told.basis is Basis.BOTH_MODELS
        assert whole(told) == pytest.approx(after.score.health - before.score.health, abs=CLOSE)
        # The oracle scores all four pairs of model and data itself.
        health = {
            (version, place): float(self_score.iloc[0]["health"])
            for version, bundle in world.bundles.items()
            for place, entry in (("then", before), ("now", after))
            for self_score in [bundle.score(world.ledger.features(entry))]
        }
        on_then, on_now = (health["2", place] - health["1", place] for place in ("then", "now"))
        assert of(told, Cause.MODEL) == pytest.approx((on_then + on_now) / 2, abs=1e-9)
        different += abs(of(told, Cause.MODEL)) > 0.5
    assert different > 5


def test_a_change_of_the_model_alone_is_the_models_part_alone(world: World) -> None:
    account = ids()[2]
    new = world.ledger.entry(account, as_ofs()[2])
    assert new is not None
    old = replace(new, score=_rescored(world, "1", new))
    told = change(world.kept(old), world.kept(new))
    assert of(told, Cause.MODEL) == pytest.approx(told.by, abs=CLOSE)
    assert all(abs(part.points) < CLOSE for part in told.parts if part.cause is not Cause.MODEL)


def _rescored(world: World, version: str, entry: Entry) -> Any:
    from serving.assessment import assess  # noqa: PLC0415

    return assess(world.ledger.features(entry), world.bundles[version])[0].score


@pytest.mark.parametrize(
    ("old_gone", "new_gone", "basis"),
    [
        (True, False, Basis.NEW_MODEL),
        (False, True, Basis.OLD_MODEL),
        (True, True, Basis.KEPT_POINTS),
    ],
)
def test_when_a_model_is_gone_the_parts_add_up_and_it_is_said(
    world: World, old_gone: bool, new_gone: bool, basis: Basis
) -> None:
    for before, after in list(world.pairs(0, 2))[:30]:
        told = change(world.kept(before, gone=old_gone), world.kept(after, gone=new_gone))
        assert (told.basis, len(told.troubles)) == (basis, old_gone + new_gone)
        assert whole(told) == pytest.approx(told.by, abs=CLOSE)
        assert {part.cause for part in told.parts} >= {Cause.MODEL, Cause.THIN_DATA, Cause.LIMITS, Cause.ROUNDING}
        assert (Cause.DATA_OR_MODEL in {part.cause for part in told.parts}) is (basis is Basis.KEPT_POINTS)


def test_one_model_that_is_gone_leaves_the_kept_points(world: World) -> None:
    before, after = next(world.pairs(0, 1))
    told = change(world.kept(before, gone=True), world.kept(after, gone=True))
    assert (told.basis, told.troubles) == (Basis.KEPT_POINTS, ("1 is gone",))
    kept = {part.subcategory: part.points for part in told.parts if part.cause is Cause.DATA}
    assert kept == {part: after.score.points[part] - before.score.points[part] for part in Subcategory}


def test_a_model_that_no_longer_gives_the_kept_score_is_not_asked(world: World) -> None:
    before, after = next(world.pairs(0, 1))
    forged = replace(before, score=replace(before.score, health=before.score.health + 0.01))
    told = change(world.kept(forged), world.kept(after))
    assert told.basis is Basis.KEPT_POINTS
    assert told.troubles == ("model version 1 no longer gives the score it gave then",)
    assert whole(told) == pytest.approx(after.score.health - forged.score.health, abs=CLOSE)


def test_features_that_the_model_does_not_know_are_said(world: World) -> None:
    before, after = (world.kept(entry) for entry in next(world.pairs(0, 1)))
    narrow = replace(before, features=before.features.drop(columns="nps_last"))
    told = change(narrow, after)
    assert told.basis is Basis.KEPT_POINTS
    assert told.troubles == ("model version 1 reads features that one of the scores was not kept with",)


def test_a_value_that_goes_missing_is_told_as_missing_and_the_calendar_as_calendar(world: World) -> None:
    gaps = ["active_seats_par_w4", "usage_par_w13", "nps_last"]
    before = next(one for one, _ in world.pairs(0, 1) if world.kept(one).features[gaps].notna().all(axis=None))
    kept = world.kept(before)
    row = kept.features.assign(**dict.fromkeys(gaps, math.nan), weeks_since_wrap=math.nan)
    after = replace(before, as_of=before.as_of + timedelta(weeks=1))
    scored = world.bundles["1"].score(row).iloc[0]
    after = replace(after, score=replace(before.score, health=float(scored["health"])))
    told = change(kept, Kept(after, row, kept.model))
    causes = {one.feature: one.cause for part in told.parts for one in part.moved}
    assert {causes[name] for name in gaps} == {Cause.MISSING_DATA}
    assert causes["weeks_since_wrap"] is Cause.CALENDAR
    missing = next(part for part in told.parts if part.cause is Cause.MISSING_DATA)
    assert missing.subcategory is None
    assert {one.after for one in moved_words(missing)} <= {"not known"}
    assert whole(told) == pytest.approx(told.by, abs=CLOSE)


def test_calendar_features_are_of_the_catalogue() -> None:
    assert {one.name for one in FEATURES if one.name in CALENDAR_FEATURES} == CALENDAR_FEATURES


def test_words_say_what_moved_and_never_that_it_caused_anything(world: World) -> None:
    for before, after in list(world.pairs(0, 2))[:15]:
        told = change(world.kept(before), world.kept(after))
        for part in told.parts:
            words = words_of(part, told)
            assert "cause" not in words
            assert ("lowered" in words) is (part.points <= -0.05)
            assert ("raised" in words) is (part.points >= 0.05)
            assert words.endswith(".")
            assert title_of(part)
            weighed = part.moved and abs(part.points) >= 0.05 and not moved_words(part)
            assert ("the same values weigh differently" in words) is bool(weighed)
            assert ("Most moved: " in words) is bool(moved_words(part))
    calendar = next(part for part in told.parts if part.cause is Cause.CALENDAR)
    still = replace(told, before=replace(before, score=replace(before.score, phase=after.score.phase)))
    assert "(still" in words_of(calendar, still)
    moved = replace(
        told,
        before=replace(before, score=replace(before.score, phase=Phase.OFF)),
        after=replace(after, score=replace(after.score, phase=Phase.ACTIVE)),
    )
    assert "(between campaigns, then a campaign running)" in words_of(calendar, moved)


def test_the_answer_is_told_whole(world: World, service: Service) -> None:
    before, after = next(world.pairs(0, 2))
    asked = f"from={before.as_of.date()}&to={after.as_of.date() + timedelta(days=3)}"
    answer = service.client.get(f"/v1/accounts/{before.account_id}/change?{asked}")
    told = change(world.kept(before), world.kept(after))
    assert answer.status_code == 200
    assert answer.json() == {
        "account_id": before.account_id,
        "before": _told(before),
        "after": _told(after),
        "difference": told.by,
        "basis": "both_models",
        "basis_words": "Both models were asked about the data of both dates; each part is the mean of the two answers.",
        "troubles": [],
        "parts": [
            {
                "cause": str(part.cause),
                "subcategory": str(part.subcategory) if part.subcategory else None,
                "title": title_of(part),
                "points": part.points,
                "words": words_of(part, told),
                "moved": [
                    {"feature": m.feature, "label": m.label, "before": m.before, "after": m.after, "points": m.points}
                    for m in moved_words(part)
                ],
            }
            for part in told.parts
        ],
    }
    document = answer.json()
    assert sum(part["points"] for part in document["parts"]) == pytest.approx(document["difference"], abs=CLOSE)
    assert [part["cause"] for part in document["parts"]] == [
        *["data"] * 7,
        *("calendar", "missing_data", "model", "thin_data", "limits", "rounding"),
    ]


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "as_of": f"{entry.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "scored_at": "2023-06-07T12:00:00Z",
        "model_version": entry.score.model_version,
        "health": entry.score.health,
        "band": str(entry.score.band),
        "phase": str(entry.score.phase),
    }


def test_the_same_score_twice_has_not_moved(world: World, service: Service) -> None:
    account = next(world.pairs(0, 1))[0].account_id
    day = as_ofs()[1].date()
    asked = f"from={day}&to={day + timedelta(days=6)}"
    answer = service.client.get(f"/v1/accounts/{account}/change?{asked}").json()
    assert (answer["difference"], {part["points"] for part in answer["parts"]}) == (0.0, {0.0})


TOO_EARLY = "No score of this account is kept at or before the date {}: expected a date on or after its first score."


@pytest.mark.parametrize(
    ("account", "asked", "status", "body"),
    [
        (
            "known",
            "from=2001-01-01&to=2023-06-06",
            404,
            problem(404, "not-found", "Not Found", TOO_EARLY.format("from")),
        ),
        (
            "known",
            "from=2001-01-01&to=2001-02-01",
            404,
            problem(404, "not-found", "Not Found", TOO_EARLY.format("from")),
        ),
        ("nobody", "from=2023-05-01&to=2023-06-06", 404, UNKNOWN),
        (
            "known",
            "from=2023-06-06&to=2023-06-05",
            422,
            invalid(("query.to", "before_from", "Input should not be before from")),
        ),
        (
            "known",
            "from=1681689600&to=2023-02-30",
            422,
            invalid(
                ("query.from", "date", "Input should be a date written YYYY-MM-DD"),
                ("query.to", "date", "Input should be a date written YYYY-MM-DD"),
            ),
        ),
        (
            "known",
            "to=2023-06-05T00:00:00Z",
            422,
            invalid(
                ("query.from", "missing", "Field required"),
                ("query.to", "date", "Input should be a date written YYYY-MM-DD"),
            ),
        ),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_format(
    service: Service, account: str, asked: str, status: int, body: dict[str, Any]
) -> None:
    known = ids()[0] if account == "known" else account
    answer = service.client.get(f"/v1/accounts/{known}/change?{asked}")
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_newest_score_by_a_date_counts(world: World) -> None:
    account = next(world.pairs(0, 1))[0].account_id
    first, second, third = as_ofs()
    at = world.ledger.entry_until
    assert at(account, first - timedelta(seconds=1)) is None
    found = [at(account, moment) for moment in (first, second - timedelta(days=1), second, third + timedelta(days=99))]
    assert [one.as_of for one in found if one] == [first, first, second, third]
    assert [one.score.model_version for one in found if one] == ["1", "1", "1", "2"]


def test_models_of_before_are_loaded_once_and_only_so_many_are_kept(tmp_path: Path, world: World) -> None:
    opened: list[str] = []

    def opener(folder: Path) -> Bundle:
        opened.append(folder.name)
        if folder.name == "broken":
            raise IntegrityError("broken", expected="a", found="b", todo="c")
        return world.bundles["1"]

    home = stored_home(tmp_path)
    versions = [str(number) for number in range(10, 10 + MOST_KEPT + 1)]
    for name in (*versions, "broken"):
        (home.bundles / name).mkdir()
    models = KeptModels(home, LiveModel(home), opener=opener)
    assert all(models.of(version).bundle is world.bundles["1"] for version in (*versions, *versions[1:]))
    assert opened == versions
    assert models.of(versions[0]).bundle is not None
    assert opened == [*versions, versions[0]]
    assert models.of("broken") == KeptModel("broken", None, "the files of model version broken can no longer be used")
    shutil.rmtree(home.bundles / "2")
    assert models.of("2") == KeptModel("2", None, "the files of model version 2 are no longer here")


def test_the_live_model_is_at_hand(service: Service) -> None:
    assert service.context.models.of("1") == KeptModel("1", service.scorer.bundle)
    assert service.context.models.at_hand("1") == KeptModel("1", service.scorer.bundle)
    assert service.context.models.at_hand("7") == KeptModel("7", None, "model version 7 is not loaded")


def test_who_cannot_wait_is_told_from_the_models_that_are_loaded(world: World) -> None:
    fresh = Service(world.home)
    before, after = next(world.pairs(0, 2))
    ways = [fresh.context.change_between(before, after, patient=patient) for patient in (False, True, False)]
    assert [told.basis for told in ways] == [Basis.OLD_MODEL, Basis.BOTH_MODELS, Basis.BOTH_MODELS]
    assert ways[0].troubles == ("model version 2 is not loaded",)
    assert whole(ways[0]) == pytest.approx(ways[0].by, abs=CLOSE)
    fresh.context.close()


def test_a_refusal_names_neither_account_nor_date(service: Service) -> None:
    day = date(2001, 1, 1).isoformat()
    answer = service.client.get(f"/v1/accounts/{ids()[0]}/change?from={day}&to={day}")
    told = answer.text + json.dumps(service.events, default=str)
    assert ids()[0] not in told
    assert day not in told
