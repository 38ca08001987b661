"""What if a lever were pulled: what it edits, what the model then says, and that nobody takes it for an effect."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from features.catalogue import Use, feature_named
from features.errors import ConfigError
from features.vocabulary import Subcategory
from serving.api.whatif import FIXED
from serving.assessment import NUMBERS, WORDS
from serving.change import CALENDAR_FEATURES
from serving.levers import Edit, Way, edited, levers, read_levers
from serving.whatif import NOT_CAUSAL, Pull, what_if
from serving.whatif_bodies import MOST_PULLS, PULL_BODIES
from tests.serving.service_case import ids, newest, now, stored_home
from tests.serving.test_api import AS_OF, FRESH, JUDGED, UNKNOWN, Service, invalid

LEVERS = levers()
NAMES = ", ".join(f"'{name}'" for name in LEVERS)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    served = Service(stored_home(tmp_path_factory.mktemp("whatif")))
    yield served
    served.context.close()


def asked(service: Service, account: str, *pulls: dict[str, Any]) -> Any:
    return service.client.post("/v1/whatif", json={"account_id": account, "levers": list(pulls)})


@pytest.mark.parametrize(
    ("way", "value", "amount", "after"),
    [
        (Way.SHRINK, 0.4, 0.25, 0.3),
        (Way.SHRINK, 0.4, 1.0, 0.0),
        (Way.AT_MOST, 30.0, 7.0, 7.0),
        (Way.AT_MOST, 3.0, 7.0, 3.0),
        (Way.ADD, 4.0, 2.0, 6.0),
        (Way.GROW, 0.5, 0.2, 0.6),
        (Way.GROW_LOG, -0.1, 0.2, -0.1 + math.log(1.2)),
        (Way.CLEAR_WHEN_WHOLE, 3.0, 1.0, 0.0),
        (Way.CLEAR_WHEN_WHOLE, 3.0, 0.99, 3.0),
        # Of what is below nothing, nothing can be taken: a lever never makes it worse.
        (Way.SHRINK, -0.4, 1.0, -0.4),
        (Way.GROW, -0.5, 0.2, -0.5),
        (Way.CLEAR_WHEN_WHOLE, -3.0, 1.0, -3.0),
    ],
)
def test_a_way_does_what_the_file_says(way: Way, value: float, amount: float, after: float) -> None:
    assert edited(value, Edit(feature="nps_last", way=way), amount) == pytest.approx(after, abs=1e-12)


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_what_is_not_known_stays_not_known(way: Way, amount: float) -> None:
    assert math.isnan(edited(math.nan, Edit(feature="nps_last", way=way, most=1.0), amount))


def test_a_limit_stops_growth_and_takes_nothing_away() -> None:
    edit = Edit(feature="active_seat_ratio_w4", way=Way.GROW, most=1.0)
    assert [edited(value, edit, 0.5) for value in (0.4, 0.9, 1.2)] == [pytest.approx(0.6), 1.0, 1.2]


@pytest.mark.parametrize("lever", LEVERS.values(), ids=LEVERS)
def test_a_lever_moves_what_a_person_can_move_for_the_better(lever: Any) -> None:
    for edit in lever.edits:
        feature = feature_named(edit.feature)
        assert feature.use is Use.MODEL
        assert feature.subcategory not in (Subcategory.CONTEXT, Subcategory.MARKET)
        assert edit.feature not in CALENDAR_FEATURES
        # More of a feature with direction +1 goes with more churn, so a lever must never raise it; and the reverse.
        for value in (0.0, 0.3, 2.0, 90.0):
            for amount in (lever.amount.least, lever.amount.usual, lever.amount.most):
                assert (edited(value, edit, amount) - value) * feature.direction <= 0
        assert feature.direction != 0


def test_the_file_says_of_every_lever_who_pulls_it_and_what_stays() -> None:
    for lever in LEVERS.values():
        assert lever.title[0].isupper()
        assert lever.done_by.endswith(".")
        assert lever.stays.endswith(".")
    assert len(LEVERS) >= 10


def lever_file(**changes: Any) -> str:
    one = {
        "name": "a_lever",
        "title": "A lever",
        "done_by": "Somebody.",
        "amount": {"unit": "share", "least": 0, "most": 1, "usual": 1},
        "edits": [{"feature": "open_overdue_ratio", "way": "shrink"}],
        "stays": "All else.",
    }
    return yaml.safe_dump({"version": 1, "levers": [one | changes]})


def test_a_file_that_can_be_meant_is_read() -> None:
    assert list(read_levers(lever_file())) == ["a_lever"]


@pytest.mark.parametrize(
    "text",
    [
        lever_file(edits=[{"feature": "no_such_feature", "way": "shrink"}]),
        lever_file(edits=[{"feature": "days_to_decision", "way": "add"}]),
        lever_file(edits=[{"feature": "campaigns_live_active", "way": "add"}]),
        lever_file(edits=[{"feature": "tenure_weeks", "way": "add"}]),
        lever_file(edits=[{"feature": "phase", "way": "add"}]),
        lever_file(edits=[{"feature": "open_overdue_ratio", "way": "double"}]),
        lever_file(edits=[]),
        lever_file(amount={"unit": "share", "least": 0, "most": 1, "usual": 2}),
        lever_file(amount={"unit": "share", "least": 1, "most": 1, "usual": 1}),
        lever_file(name="Not A Name"),
        lever_file(surprise=1),
        "levers: [",
        "version: 1\nlevers: []",
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        read_levers(text)


def test_a_name_twice_is_refused() -> None:
    one = yaml.safe_load(lever_file())["levers"][0]
    with pytest.raises(ConfigError, match="found a name twice"):
        read_levers(yaml.safe_dump({"version": 1, "levers": [one, one]}))


def test_the_bodies_hold_the_bounds_of_the_file() -> None:
    assert list(PULL_BODIES) == list(LEVERS)
    for name, lever in LEVERS.items():
        body, amount = PULL_BODIES[name], lever.amount
        assert body.model_validate({"lever": name}).model_dump() == {"lever": name, "amount": amount.usual}
        for inside in (amount.least, amount.most):
            body.model_validate({"lever": name, "amount": int(inside) if amount.whole else inside})
        if amount.whole:
            assert body.model_validate({"lever": name, "amount": 2.0}).model_dump()["amount"] == 2
        for outside in (amount.least - 1, amount.most + 1, "1", None, math.nan, True):
            with pytest.raises(ValidationError):
                body.model_validate({"lever": name, "amount": outside})


def test_the_score_after_is_the_models_word_on_the_edited_row(service: Service) -> None:
    bundle, moved = service.scorer.bundle, 0
    pulls = [Pull(lever, lever.amount.usual) for lever in LEVERS.values()]
    for answer in service.scorer.score_accounts(ids()[:70], now()):
        assert answer.assessment is not None
        told = what_if(answer.assessment, pulls, bundle)
        # The oracle edits the row by hand, from the words of the file.
        row = answer.assessment.known.frame(answer.account_id, newest(), (NUMBERS, WORDS))
        value = {name: float(row[name].iloc[0]) for name in NUMBERS}
        row["open_overdue_ratio"] = min(value["open_overdue_ratio"], 0.0)
        row["dunning_stage"] = min(value["dunning_stage"], 0.0)
        row["open_ticket_age_days"] = min(value["open_ticket_age_days"], 0.0)
        row["ticket_resolution_hours_w13"] = min(value["ticket_resolution_hours_w13"], 24.0)
        row["unassigned_seat_share"] = min(value["unassigned_seat_share"], 0.0)
        row["seat_adoption_lag_days_w26"] = min(value["seat_adoption_lag_days_w26"], 7.0)
        ratio = value["active_seat_ratio_w4"]
        row["active_seat_ratio_w4"] = ratio if math.isnan(ratio) else max(ratio, min(ratio * 1.2, 1))
        row["active_seats_par_w4"] = value["active_seats_par_w4"] + math.log1p(0.2)
        row["feature_breadth_w13"] = value["feature_breadth_w13"] + 1
        row["collab_par_w8"] = value["collab_par_w8"] + math.log1p(0.2)
        share = value["collab_share_w13"]
        row["collab_share_w13"] = share if math.isnan(share) else max(share, min(share * 1.2, 1))
        row["champion_inactive_days"] = min(value["champion_inactive_days"], 0.0)
        row["open_revision_overdue_share"] = min(value["open_revision_overdue_share"], 0.0)
        row["approval_latency_hours_w13"] = min(value["approval_latency_hours_w13"], 24.0)
        row["projects_starting_next_60d"] = value["projects_starting_next_60d"] + 1
        expected = bundle.score(row).iloc[0]
        assert told.before == answer.assessment.score
        assert told.after.health == pytest.approx(expected["health"], abs=1e-9)
        assert told.after.risk[90] == pytest.approx(expected["risk_90"], abs=1e-12)
        # Grades C and D speak about the account's data alone; A asks how sure the risk is, which another risk may move.
        assert told.after.phase == told.before.phase
        assert "".join(sorted((told.after.grade, told.before.grade))) in ("AA", "AB", "BB", "CC", "DD")
        moved += told.after.health != told.before.health
    assert moved > 20


def test_levers_in_order_are_one_after_the_other(service: Service) -> None:
    lever = LEVERS["assign_free_seats"]
    (answer,) = service.scorer.score_accounts(ids()[:1], now())
    assert answer.assessment is not None
    found = what_if(answer.assessment, [Pull(lever, 0.5), Pull(lever, 0.5)], service.scorer.bundle)
    first, second = (pulled.edits[0] for pulled in found.pulled)
    assert first.before is not None
    assert (first.after, second.before) == (first.before / 2, first.before / 2)
    assert second.after == first.before / 4


def test_an_answer_is_told_whole_and_says_that_it_is_no_effect(service: Service) -> None:
    known = ids()[0]
    assessment = service.scorer.score_accounts([known], now())[0].assessment
    assert assessment is not None
    found = what_if(assessment, [Pull(LEVERS["train_more_features"], 2.0)], service.scorer.bundle)
    (edit,) = found.pulled[0].edits
    answer = asked(service, known, {"lever": "train_more_features", "amount": 2})
    document = answer.json()
    (lever,) = document["answer"]["levers"]
    written = (lever["edits"][0].pop("before"), lever["edits"][0].pop("after"))
    assert edit.before is not None
    assert [float(text) for text in written] == pytest.approx([edit.before, edit.before + 2], abs=0.06)
    assert document == {
        "account_id": known,
        "status": "ok",
        "as_of": AS_OF,
        "freshness": FRESH,
        "model_version": "1",
        "judged_at": JUDGED,
        "causal": False,
        "words": NOT_CAUSAL,
        "fixed": FIXED,
        "answer": {
            "before": _reading(found.before),
            "after": _reading(found.after),
            "health_difference": found.after.health - found.before.health,
            "points": [
                {
                    "subcategory": str(part),
                    "title": one["title"],
                    "before": found.before.points[part],
                    "after": found.after.points[part],
                    "difference": found.after.points[part] - found.before.points[part],
                }
                for part, one in zip(Subcategory, document["answer"]["points"], strict=True)
            ],
            "clip_difference": found.after.clip_adjust - found.before.clip_adjust,
            "shrink_difference": found.after.shrink_adjust - found.before.shrink_adjust,
            "levers": [
                {
                    "lever": "train_more_features",
                    "title": "Training that widens what is used",
                    "amount": 2.0,
                    "unit": "further feature families in use",
                    "edits": [{"feature": "feature_breadth_w13", "label": "Breadth of use", "changed": True}],
                    "words": "Tried as if it were done. How much is done with the features in use stays as it is.",
                }
            ],
        },
    }


def _reading(score: Any) -> dict[str, Any]:
    risk = {f"days_{days}": chance for days, chance in score.risk.items()}
    return {"health": score.health, "band": str(score.band), "risk": risk}


def test_the_points_add_up_to_the_difference(service: Service) -> None:
    pulls = [{"lever": name} for name in LEVERS]
    for account in ids()[:10]:
        told = asked(service, account, *pulls).json()["answer"]
        parts = sum(part["difference"] for part in told["points"])
        whole = parts + told["clip_difference"] + told["shrink_difference"]
        assert whole == pytest.approx(told["health_difference"], abs=1e-9)


def test_a_lever_over_monotone_features_never_makes_the_estimate_worse(service: Service) -> None:
    # The model obeys these signs by its constraints, so doing the right thing can never be told as a loss of health,
    # nor as a rise of a stated risk, however thin the account: what it is drawn to does not move with its features.
    signed = [lever for lever in LEVERS.values() if all(feature_named(edit.feature).monotone for edit in lever.edits)]
    assert len(signed) >= 8
    for answer in service.scorer.score_accounts(ids()[:12], now()):
        assert answer.assessment is not None
        for lever in signed:
            found = what_if(answer.assessment, [Pull(lever, lever.amount.usual)], service.scorer.bundle)
            assert found.after.health >= found.before.health - 1e-9
            assert all(risk <= found.before.risk[days] + 1e-12 for days, risk in found.after.risk.items())


def test_nothing_that_was_tried_is_kept(service: Service) -> None:
    asked(service, ids()[0], {"lever": "assign_free_seats"})
    assert service.context.ledger.entry(ids()[0]) is None


def test_an_account_too_new_to_be_scored_gets_no_answer_and_is_told_so(service: Service) -> None:
    answer = asked(service, ids("onboarding")[0], {"lever": "assign_free_seats"}).json()
    assert (answer["status"], answer["answer"], answer["causal"]) == ("insufficient_data", None, False)


def test_a_lever_over_nothing_known_or_nothing_left_says_so(service: Service) -> None:
    words = set()
    for account in ids()[:25]:
        pulls = ({"lever": "onboard_new_seats", "amount": 180.0}, {"lever": "assign_free_seats", "amount": 0.0})
        for told in asked(service, account, *pulls).json()["answer"]["levers"]:
            known = {edit["before"] != "not known" for edit in told["edits"]}
            if known == {False}:
                assert told["words"].startswith("Nothing is known here of what this lever moves")
            elif not any(edit["changed"] for edit in told["edits"]):
                assert told["words"].startswith("The account stands there already: nothing was changed.")
            words.add(told["words"].split(".")[0])
    assert len(words) >= 2


def test_the_levers_are_listed_with_what_they_mean(service: Service) -> None:
    listed = service.client.get("/v1/levers").json()["levers"]
    assert [one["lever"] for one in listed] == list(LEVERS)
    assert listed[0] == {
        "lever": "settle_overdue_invoices",
        "title": "Overdue invoices settled",
        "done_by": "Finance and the CSM agree with the customer's accounts department on a payment.",
        "unit": "share of the overdue amount",
        "least": 0.0,
        "most": 1.0,
        "usual": 1.0,
        "whole": False,
        "features": ["Overdue now", "Reminders on open invoices"],
        "stays": "Invoices that were paid late stay in the record of the year.",
    }


@pytest.mark.parametrize(
    ("pulls", "errors"),
    [
        ([{"lever": "magic"}], [("body.levers[0]", "union_tag_invalid", f"Input should be {NAMES}")]),
        (
            [{"lever": "assign_free_seats", "amount": 2}],
            [("body.levers[0].amount", "less_than_equal", "Input should be less than or equal to 1")],
        ),
        (
            [{"lever": "assign_free_seats", "amount": -0.1}],
            [("body.levers[0].amount", "greater_than_equal", "Input should be greater than or equal to 0")],
        ),
        (
            [{"lever": "train_more_features", "amount": 1.5}],
            [("body.levers[0].amount", "int_type", "Input should be a valid integer")],
        ),
        (
            [{"lever": "assign_free_seats"}, {"lever": "assign_free_seats", "amount": "all"}],
            [("body.levers[1].amount", "float_type", "Input should be a valid number")],
        ),
        (
            [{"lever": "assign_free_seats", "hunter2": 1}],
            [("body.levers[0]", "extra_forbidden", "Extra inputs are not permitted")],
        ),
        (
            [{"amount": 1}],
            [("body.levers[0]", "union_tag_not_found", "Unable to extract tag using discriminator 'lever'")],
        ),
        ([], [("body.levers", "too_short", "List should have at least 1 item after validation, not 0")]),
        (
            [{"lever": "assign_free_seats"}] * (MOST_PULLS + 1),
            [("body.levers", "too_long", "List should have at most 20 items after validation, not 21")],
        ),
    ],
)
def test_a_lever_or_an_amount_that_cannot_be_is_refused_by_its_place(
    service: Service, pulls: list[dict[str, Any]], errors: list[tuple[str, str, str]]
) -> None:
    answer = asked(service, ids()[0], *pulls)
    assert (answer.status_code, answer.json()) == (422, invalid(*errors))
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_account_nobody_knows_is_refused(service: Service) -> None:
    answer = asked(service, "nobody", {"lever": "assign_free_seats"})
    assert (answer.status_code, answer.json()) == (404, UNKNOWN)


def test_a_refusal_repeats_nothing_that_was_sent(service: Service) -> None:
    secret = "-".join(("s3cret", "lever"))
    for pull in ({"lever": secret}, {"lever": "assign_free_seats", "amount": secret}, {secret: 1}):
        answer = asked(service, ids()[0], pull)
        assert secret not in answer.text
    assert secret not in json.dumps(service.events, default=str)
