"""Do the exports of CRM, billing, help desk and survey tools become the rows that a person has checked?"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.errors import DataContractError
from features.warehouse import Warehouse
from tests.features.adapter_case import copy_of_export, expected, export_of, require_expected, take_export
from tests.features.source_case import home_in, stored

NAMES = ("salesforce", "hubspot", "stripe", "chargebee", "zendesk", "zigpoll", "qualtrics", "medallia", "delighted")

# The names that the sources give their fields; nested ones with a dot.
FIELDS = {
    "salesforce/Account.csv": "Id ParentId MasterRecordId Industry Type OwnerId IsDeleted",
    "salesforce/Opportunity.csv": "AccountId Amount CloseDate StageName IsClosed IsWon CampaignId CreatedDate",
    "salesforce/OpportunityFieldHistory.csv": "OpportunityId Field OldValue NewValue CreatedDate",
    "hubspot/company.csv": "property_name property_industry property_createdate",
    "hubspot/company_property_history.csv": "name value timestamp",
    "hubspot/deal.csv": "deal_pipeline_stage_id property_amount property_closedate",
    "hubspot/deal_stage.csv": "date_entered",
    "stripe/subscriptions.jsonl": "status current_period_start current_period_end cancel_at cancel_at_period_end "
    "canceled_at ended_at items.data",
    "stripe/invoices.jsonl": "amount_due amount_paid amount_remaining due_date attempt_count status period_start "
    "period_end subscription status_transitions.finalized_at status_transitions.paid_at status_transitions.voided_at "
    "status_transitions.marked_uncollectible_at",
    "chargebee/invoices.jsonl": "date due_date paid_at voided_at status total amount_paid amount_due dunning_status "
    "dunning_attempts write_off_amount updated_at resource_version",
    "chargebee/subscriptions.jsonl": "status current_term_start current_term_end due_since mrr subscription_items",
    "chargebee/contract_terms.jsonl": "contract_start contract_end action_at_term_end cancellation_cutoff_period "
    "total_contract_value status",
    "zendesk/tickets.jsonl": "organization_id requester_id created_at updated_at type priority status via.channel",
    "zendesk/ticket_metrics.jsonl": "reopens reply_time_in_minutes.calendar full_resolution_time_in_minutes.business "
    "solved_at",
    "zendesk/satisfaction_ratings.jsonl": "ticket_id score reason comment created_at updated_at",
    "zigpoll/responses.jsonl": "_id createdAt accountId pollId slideId participantId response valueType metadata",
    "qualtrics/survey_response.csv": "id survey_id start_date end_date recorded_date finished progress "
    "distribution_channel",
    "qualtrics/question_response.csv": "response_id question_id value",
    "qualtrics/survey_embedded_data.csv": "response_id key value",
    "medallia/feedback_history.csv": "id a_unit_identifier e_creationdate e_responsedate e_lastupdated "
    "e_expirationdate",
    "medallia/feedback_answer.csv": "feedback_id question_id value",
    "delighted/survey_responses.jsonl": "id person survey_type score comment created_at updated_at person_properties "
    "additional_answers",
}


def lines_of(name: str, stem: str) -> list[dict[str, Any]]:
    """The objects of a JSONL file of a fixture; a line that is cut is left out."""
    lines = (export_of(name) / f"{stem}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def cells_of(name: str, file: str) -> list[dict[str, str]]:
    """The rows that a person has checked."""
    return list(csv.DictReader(expected(name)[f"{file}.csv"].splitlines()))


@pytest.mark.parametrize("name", NAMES)
def test_an_export_becomes_exactly_what_a_person_has_checked(name: str, tmp_path: Path) -> None:
    home = home_in(tmp_path)
    report = require_expected(home, name)
    assert report.refused > 0, "each fixture has rows that must not pass"
    # Whatever a source says, nothing is known before it happened.
    for table in Warehouse(home).loaded_tables():
        assert all(row["available_at"] > row["event_at"] for row in stored(home, table, "available_at", "event_at"))


@pytest.mark.parametrize("file", FIELDS)
def test_fixtures_bear_the_field_names_of_their_sources(file: str) -> None:
    name, _, file_name = file.partition("/")
    path = export_of(name) / file_name
    if path.suffix == ".csv":
        with path.open(newline="") as stream:
            found = set(next(csv.reader(stream)))
    else:
        first = json.loads(path.read_text().split("\n", maxsplit=1)[0])
        nested = {f"{key}.{own}" for key, value in first.items() if isinstance(value, dict) for own in value}
        found = {*first, *nested}
    assert set(FIELDS[file].split()) <= found


@pytest.mark.parametrize(
    ("file", "word", "refused"),
    [
        ("salesforce/Account", ",Entertainment,", "accounts_history: values of segment_word"),
        ("hubspot/deal", ",existingbusiness,", "opportunities_history: values of type"),
        ("stripe/invoices", '"status": "paid"', "invoices_history: values of state"),
        ("chargebee/contract_terms", '"evergreen"', "contracts_history: values of action_at_term_end"),
        ("zendesk/tickets", '"status": "hold"', "tickets_history: values of status"),
        ("zigpoll/responses", '"valueType": "rating"', "survey_responses: values of family"),
        ("medallia/feedback_answer", "q_osat_5", "survey_responses: values of family"),
        ("delighted/survey_responses", '"survey_type": "stars"', "survey_responses: values of family"),
    ],
)
def test_a_word_that_is_new_to_the_source_fails_the_adapter_by_its_name(
    file: str, word: str, refused: str, tmp_path: Path
) -> None:
    name, _, stem = file.partition("/")
    text = next(export_of(name).glob(f"{stem}.*")).read_text()
    assert word in text
    last = max(place for place, letter in enumerate(word) if letter.isalnum())
    changed = text.replace(word, f"{word[:last]}zzz{word[last + 1 :]}")
    home = home_in(tmp_path)
    with pytest.raises(DataContractError, match=f"{name}, {refused} have no entry in the mapping"):
        take_export(home, name, folder=copy_of_export(name, tmp_path / "in", **{stem: changed}))
    assert Warehouse(home).loaded_tables() == {}


def test_stripe_s_invoices_end_where_stripe_says() -> None:
    latest: dict[str, dict[str, str]] = {}
    for row in cells_of("stripe", "invoices_history"):
        known = latest.get(row["invoice_id"])
        if known is None or (row["valid_from"], row["available_at"]) > (known["valid_from"], known["available_at"]):
            latest[row["invoice_id"]] = row
    wanted = {one["id"]: one for one in lines_of("stripe", "invoices") if one["status"] != "draft"}
    wanted.pop("in_Z1")  # of a customer whom nobody knows
    assert latest.keys() == wanted.keys()
    for invoice, row in latest.items():
        said = wanted[invoice]
        assert (row["status"], row["currency"]) == (said["status"], said["currency"].upper())
        assert int(row["amount_due_minor"]) == said["amount_due"]
        assert int(row["amount_remaining_minor"]) == said["amount_remaining"]
        # Nothing is due on a day where Stripe collects by itself.
        assert (row["due_on"] == "") == (said["due_date"] is None)


def test_chargebee_s_seconds_are_the_moments_they_stand_for() -> None:
    paid = {one["id"]: one["paid_at"] for one in lines_of("chargebee", "invoices") if one["paid_at"]}
    rows = {row["invoice_id"]: row["paid_at"] for row in cells_of("chargebee", "invoices_history") if row["paid_at"]}
    assert rows == {
        invoice: datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
        for invoice, seconds in paid.items()
        if invoice in rows
    }
    assert len(rows) == len(paid) - 1  # one is of a customer without an account


@pytest.mark.parametrize(
    ("name", "stem", "now_says"),
    [
        (
            "stripe",
            "subscriptions",
            {"cancel_at_period_end": True, "canceled_at": 1717200000, "cancel_at": 1743840000, "status": "active"},
        ),
        (
            "zendesk",
            "tickets",
            {"status": "closed", "priority": "urgent", "type": "incident", "updated_at": "2024-06-02T00:00:00Z"},
        ),
    ],
)
def test_what_an_export_says_later_was_not_known_before(
    name: str, stem: str, now_says: dict[str, Any], tmp_path: Path
) -> None:
    """An export shows today; what is overwritten in it after June 2024 must change no row that was known in May."""
    cut = datetime(2024, 1, 1, tzinfo=UTC)
    first, later = home_in(tmp_path / "first"), home_in(tmp_path / "later")
    take_export(first, name)
    changed = "".join(json.dumps({**one, **now_says}) + "\n" for one in lines_of(name, stem))
    take_export(later, name, folder=copy_of_export(name, tmp_path / "in", **{stem: changed}))

    def known(home: Any, table: str) -> list[dict[str, Any]]:
        told = {"ingested_at", "load_id", "row_hash"}
        return [
            {key: value for key, value in row.items() if key not in told}
            for row in stored(home, table)
            if row["available_at"] <= cut
        ]

    tables = Warehouse(first).loaded_tables()
    assert tables.keys() == Warehouse(later).loaded_tables().keys()
    kept = {table: known(first, table) for table in tables}
    assert sum(map(len, kept.values())) > 0
    for table in tables:
        before, after = kept[table], known(later, table)
        # A state that the later export overwrites is gone from it; none may be new or say something else.
        assert [row for row in after if row not in before] == [], table


def test_a_chargebee_site_without_contract_terms_is_read_as_it_is_each_billed_period_a_contract(tmp_path: Path) -> None:
    folder, home = copy_of_export("chargebee", tmp_path / "in"), home_in(tmp_path)
    (folder / "contract_terms.jsonl").unlink()
    report = take_export(home, "chargebee", folder=folder)
    assert report.missing_files == ("contract_terms.jsonl",)
    taken = {row["contract_id"] for row in stored(home, "contracts_history", "contract_id")}
    with_terms = {row["subscription_id"] for row in lines_of("chargebee", "contract_terms")}
    billed = {row["subscription_id"] for row in lines_of("chargebee", "invoices") if row.get("subscription_id")}
    assert with_terms & billed & taken, "those that had terms are contracts still, from what was billed"
