"""Do the reference pages say what the declarations say, with an example that is a test?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import features
from features.catalogue import FEATURES, NOT_CARRIED, Use
from features.events import ENVELOPE, TABLES
from features.reference import Spec, features_page, spec_tests, tables_page, write_pages

ROOT = Path(features.__file__).parents[1]
HERE = Path(__file__).parent


def test_the_pages_in_docs_are_those_of_the_declarations(tmp_path: Path) -> None:
    # After a change of the catalogue, of a table or of a spec test: `make reference`.
    write_pages(tmp_path, HERE)
    for page in ("features.md", "tables.md"):
        assert (ROOT / "docs" / page).read_text() == (tmp_path / page).read_text(), f"run `make reference` ({page})"


def test_every_input_of_the_model_has_a_test_as_its_example() -> None:
    specs = spec_tests(HERE)
    assert [one.name for one in FEATURES if one.use is Use.MODEL and one.name not in specs] == []


def test_a_feature_is_told_whole() -> None:
    page = features_page({})
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == [feature.name for feature in FEATURES]
    refused = page.split("## Not carried\n")[1]
    assert re.findall(r"^\| (\w\d+) \| `", refused, re.MULTILINE) == [each.code for each in NOT_CARRIED]
    section = page.split("### competitor_feature_exposure_w26\n")[1].split("\n### ")[0]
    for words in (
        "**Competitor features that matter here**: strength of competitors' feature releases",
        "| Reference | M01 |",
        "| Window | 26 weeks |",
        "| Expected | more of it goes with more churn |",
        "| In the model | held to the expected direction |",
        "| Sentence | Exposure to competitor releases is {actual}; with accounts like this {expected}. |",
    ):
        assert words in section


def test_an_example_is_the_shortest_test_that_names_the_feature(tmp_path: Path) -> None:
    long = 'def test_long() -> None:\n    x = 1\n    assert row["usage_par_w4"] == x\n'
    short = 'def test_a_short_one() -> None:\n    assert row["usage_par_w4"] == 1'
    composed = 'def test_composed() -> None:\n    assert row[f"campaigns_live_{phase}"] == f"{phase}s"'
    table = 'def test_table() -> None:\n    check("nps_last nps_change | 1 2")'
    (tmp_path / "test_some_features.py").write_text("\n\n\n".join((long, short, composed, table)))
    (tmp_path / "test_other.py").write_text('def test_not_a_spec() -> None:\n    assert "strike_or_outage_flag"\n')
    found = spec_tests(tmp_path)
    assert found["usage_par_w4"] == Spec("a short one", "test_some_features.py", short)
    live = {name for name, spec in found.items() if spec.sentence == "composed"}
    assert live == {"campaigns_live_pre", "campaigns_live_active", "campaigns_live_post"}
    assert {"nps_last", "nps_change"} <= set(found)
    assert "strike_or_outage_flag" not in found


@pytest.mark.parametrize("lines", [3, 200])
def test_an_example_stands_folded_and_a_long_one_is_cut(lines: int) -> None:
    text = "\n".join(f"line {number}" for number in range(lines))
    page = features_page({"usage_par_w4": Spec("as it should", "test_x_features.py", text)})
    assert "<details><summary>Example: as it should (test_x_features.py)</summary>" in page
    assert ("    ..." in page) == (lines > 40)
    assert "line 2" in page


def test_every_table_and_column_stands_on_the_page_of_tables() -> None:
    page = tables_page()
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["Envelope", *TABLES]
    for table in TABLES.values():
        section = page.split(f"## {table.name}\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [column.name for column in table.columns]
    assert [f"| `{column.name}` |" in page for column in ENVELOPE] == [True] * len(ENVELOPE)
    assert "| `segment` | text | no | line of business: studio, broadcaster, agency, other |" in page
