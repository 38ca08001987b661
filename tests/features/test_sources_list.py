"""Does a person learn which exports can be read, from which files, and what they fill?"""

from __future__ import annotations

from pathlib import Path

import pytest

from features.events import TABLES
from features.sources.brought import Brought, brought
from features.sources.mapping import load_mapping
from tests.features.adapter_case import EXPORTS, export_of
from tests.walk_case import pulse

EVERY = {each.name: each for each in brought()}
# The exports that the product promises to read (requirement R2).
PROMISED = {
    *("shotgrid", "ftrack", "frameio_v4", "workfront", "autodesk_usage", "adobe_users"),
    *("salesforce", "hubspot", "stripe", "chargebee", "zendesk"),
    *("zigpoll", "qualtrics", "medallia", "delighted", "segment", "amplitude"),
}


def test_every_promised_export_is_listed_with_its_product_files_and_tables(tmp_path: Path) -> None:
    told = pulse("sources", "list", home=tmp_path / "home")
    assert told.code == 0
    sources = {each["name"]: each for each in told.document["sources"]}
    assert set(sources) >= PROMISED
    assert told.stdout.startswith(f"{len(sources)} mappings come with us")
    assert not (tmp_path / "home").exists(), "asking makes nothing"
    delighted = sources["delighted"]
    assert (delighted["files"], delighted["optional_files"]) == (["survey_responses.jsonl"], [])
    assert delighted["tables"] == ["survey_responses"]
    assert (
        "delighted: Delighted answers\n"
        "  product  Delighted, answers of its API as JSON lines\n"
        "  files    survey_responses.jsonl\n"
        "  tables   survey_responses\n"
    ) in told.stdout
    assert "note " not in told.stdout


def test_notes_are_told_when_asked_for(tmp_path: Path) -> None:
    told = pulse("sources", "list", "--notes", home=tmp_path)
    for note in EVERY["stripe"].mapping.notes:
        assert f"  note     {note}\n" in told.stdout


@pytest.mark.parametrize("name", sorted(PROMISED & EVERY.keys()))
def test_a_mapping_says_what_it_is_and_has_a_fixture(name: str) -> None:
    said = EVERY[name].mapping
    assert all((said.title, said.product, said.steward, said.about, said.notes)), name
    assert name.startswith(said.source_system.partition("_")[0])
    assert set(EVERY[name].tables) <= TABLES.keys()
    assert (EXPORTS / name / "expected" / "counts.csv").is_file()
    files = {path.name for path in export_of(name).iterdir()}
    # What is told to be needed is there: nobody is sent for a file that is not read.
    literal = {file for file in EVERY[name].files if "*" not in file}
    assert literal <= files


def test_a_file_is_optional_only_where_no_other_table_needs_it() -> None:
    stripe = EVERY["stripe"]
    assert stripe.files == ("customers.jsonl", "invoices.jsonl", "subscriptions.jsonl")
    assert stripe.optional_files == ("charges.jsonl", "credit_notes.jsonl")


def test_looked_up_files_count_as_files_of_the_mapping() -> None:
    assert "survey_embedded_data.csv" in EVERY["qualtrics"].files
    assert Brought("x", load_mapping("datascience365")).files[:2] == (
        "365_student_info.csv",
        "365_student_purchases.csv",
    )
