"""Is every regime declared, written the same each time, taken in, and different from `campaign` only as said?"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from features.commands import simulation
from features.errors import UsageError
from features.simulator import REGIMES, SIZES, World, regime_named, simulate, size_named
from features.simulator.writer import SOURCES, SPECIAL_SOURCES
from pulse import app
from tests.features.regime_case import ACCOUNTS, SEED, WEEKS, fingerprint, hashes, ingested, written
from tests.features.simulator_case import START, table

OTHERS = [name for name in REGIMES if name != "campaign"]
SAME_COMPANY = ("dirty", "leak_trap", "treated_null")
"""Regimes that change what is recorded, and nothing of what happens."""

TAKEN_IN_WITH_ANOTHER = ("drift_price", "drift_instrumentation", "drift_calendar", "drift_loading", "treated_null")
"""These write the same kinds of rows as `drift` and `treated`."""

GOLDEN = {
    "account_campaigns_history": "b24c3d69535e",
    "accounts_history": "f90dc4ffabe7",
    "asset_versions": "d2e6230f6320",
    "assets": "603035015884",
    "campaign_instances_history": "30386dce7ae1",
    "campaigns": "7e684f9ad6a0",
    "contract_events": "6f474452fe10",
    "contracts_history": "bbbf02b65169",
    "credit_notes": "382c1e64df57",
    "invoices_history": "44df068ca592",
    "market_events": "087b1c75dc21",
    "market_indices": "9cbb0ee935cd",
    "milestones_history": "4625043fc27e",
    "payments": "eea4def3184a",
    "projects_history": "84d528a9e7cb",
    "review_events": "e0508760550d",
    "seat_assignments_history": "9c94bc8ae807",
    "subscription_lines_history": "b34faebe4f61",
    "survey_invitations": "eb12eab4cc47",
    "survey_responses": "ff767e1c8a3a",
    "tickets_history": "0d4b58c2f44c",
    "truth/account_weeks": "119d45c46407",
    "truth/accounts": "e5f50441f8e9",
    "truth/decisions": "5cdc6552cc09",
    "truth/oracle": "4e4242527132",
    "truth/participation": "935e5d7632b1",
    "truth/planted": "1e8742296113",
    "truth/shocks": "cb113d712637",
    "usage_daily": "2cb19f048424",
}
"""What `campaign` wrote before there was any other regime (40 accounts, seed 3, 60 weeks of 2023).

A change here changes every published number of the demo: raise the simulator's version with it.
"""


def flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    laws: dict[str, Any] = {}
    for name, value in document.items():
        laws |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return laws


def test_campaign_is_what_it_was_before_other_regimes_came(tmp_path: Path) -> None:
    simulate(regime="campaign", accounts=40, seed=3, start=date(2023, 1, 2), weeks=60, out=tmp_path)
    files = sorted(tmp_path.rglob("*.parquet"))
    assert {str(path.relative_to(tmp_path).with_suffix("")): fingerprint(path) for path in files} == GOLDEN


@pytest.mark.parametrize("name", OTHERS)
def test_a_regime_differs_from_campaign_only_through_its_declared_changes(name: str) -> None:
    usual, here = flat(World().model_dump(mode="json")), flat(REGIMES[name].world.model_dump(mode="json"))
    differing = {law for law in usual.keys() | here.keys() if usual.get(law) != here.get(law)}
    declared = [change.law for change in REGIMES[name].changes]
    assert len(set(declared)) == len(declared) > 0
    for law in differing:
        assert [each for each in declared if law == each or law.startswith(f"{each}.")], law
    for each in declared:
        assert [law for law in differing if law == each or law.startswith(f"{each}.")], each


@pytest.mark.parametrize("name", list(REGIMES))
def test_a_regime_says_what_it_is_and_what_is_asked_of_the_service(name: str) -> None:
    regime = regime_named(name)
    assert regime.name == name
    assert regime.meaning
    assert regime.service_must
    assert all(change.why for change in regime.changes)


@pytest.mark.parametrize("name", OTHERS)
def test_the_truth_tells_the_changes_with_their_usual_values(name: str) -> None:
    told = json.loads((written(name)[0] / "truth" / "regime.json").read_text())
    assert (told["regime"], told["meaning"]) == (name, REGIMES[name].meaning)
    assert [each["law"] for each in told["changes"]] == [change.law for change in REGIMES[name].changes]
    assert all(each["usual"] != each["here"] is not None for each in told["changes"])
    manifest = json.loads((written(name)[0] / "truth" / "manifest.json").read_text())
    assert World.model_validate(manifest["parameters"]) == REGIMES[name].world


def test_campaign_writes_nothing_of_the_other_regimes() -> None:
    names = {path.stem for path in written("campaign")[0].rglob("*") if path.is_file()}
    assert not names & {"regime", "switches", "leaks", "dirt", "treatment", "accounts_current", *SPECIAL_SOURCES}


@pytest.mark.parametrize("name", list(REGIMES))
def test_the_same_seed_gives_the_same_bytes_in_every_regime(name: str, tmp_path: Path) -> None:
    out, report = written(name)
    again = simulate(regime=name, accounts=ACCOUNTS, seed=SEED, start=START, weeks=WEEKS, out=tmp_path)
    assert hashes(tmp_path) == hashes(out)
    assert again == report


@pytest.mark.parametrize("name", [name for name in REGIMES if name not in TAKEN_IN_WITH_ANOTHER])
def test_every_regime_is_taken_in_as_the_simulator_counted_it(name: str) -> None:
    report, taken = written(name)[1], ingested(name)[1]
    assert {each.table: each.read for each in taken.tables} == report.rows
    assert set(report.rows) - set(SPECIAL_SOURCES) == set(SOURCES)
    if name != "dirty":
        assert {each.table: each.new for each in taken.tables} == report.rows
    assert taken.unmatched_files == (("accounts_current.parquet",) if name == "leak_trap" else ())
    truth = written(name)[0] / "truth"
    assert report.truth_rows == {path.stem: pq.read_metadata(path).num_rows for path in truth.glob("*.parquet")}


@pytest.mark.parametrize("name", SAME_COMPANY)
def test_what_happens_is_the_same_where_only_the_records_differ(name: str) -> None:
    usual, here = hashes(written("campaign")[0] / "truth"), hashes(written(name)[0] / "truth")
    differing = {file for file in usual if usual[file] != here[file]}
    assert differing == {"manifest.json"}


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("leak_trap", set()),
        ("treated_null", set()),
        ("drift_instrumentation", {"usage_daily"}),
        ("drift_loading", {"usage_daily"}),
    ],
)
def test_a_regime_changes_one_source_and_leaves_the_bytes_of_all_others(name: str, tables: set[str]) -> None:
    # Every component has its own random stream, so what is not changed is not disturbed either.
    usual, here = hashes(written("campaign")[0]), hashes(written(name)[0])
    assert {each for each in SOURCES if usual[f"{each}.parquet"] != here[f"{each}.parquet"]} == tables


def test_a_folder_holds_one_company_only(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for name in ("dirty", "leak_trap", "campaign"):
        simulate(regime=name, accounts=5, seed=1, start=START, weeks=60, out=tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {f"{each}.parquet" for each in SOURCES} | {"truth", "notes.txt"}
    assert len(list((tmp_path / "truth").iterdir())) == 8


def test_regimes_and_sizes_stand_in_the_help_of_the_command() -> None:
    assert ", ".join(REGIMES) == simulation.REGIMES
    assert simulation.SIZES == "tiny (60 accounts, 104 weeks), demo (1,500, 208), power (12,000, 208)"
    assert [(name, size.accounts, size.weeks) for name, size in SIZES.items()] == [
        ("tiny", 60, 104),
        ("demo", 1500, 208),
        ("power", 12_000, 208),
    ]
    page = CliRunner().invoke(app, ["simulate", "--help"], env={"COLUMNS": "400", "TERM": "dumb"}).stdout
    assert all(name in page for name in (*REGIMES, *SIZES))


def test_an_unknown_regime_or_size_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as regime:
        regime_named("calm")
    assert regime.value.expected == f"one of {', '.join(REGIMES)}"
    with pytest.raises(UsageError) as size:
        size_named("huge")
    assert size.value.expected == "one of tiny, demo, power"
    done = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path / "out"), "--regime", "calm"])
    assert done.exit_code == 2
    assert "leak_trap" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_size_is_a_preset_and_what_is_given_wins(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    words = ["simulate", "--out", str(tmp_path / "out"), "--size", "tiny", "--weeks", "6", "--json", str(told)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    answer = json.loads(told.read_text())
    assert (answer["accounts"], answer["weeks"], answer["regime"]) == (60, 6, "campaign")
    manifest = json.loads((tmp_path / "out" / "truth" / "manifest.json").read_text())
    assert (manifest["accounts"], manifest["weeks"]) == (60, 6)
    assert len(table(tmp_path / "out", "truth/accounts")) == 60
