"""Does the page for people with exports of their own say what is so? Its commands are run as they stand on it.

The exports are the small ones of the adapters' tests, with rows that must be refused; they are too few for a model, so
the walk ends where the page says.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from features.errors import _EXIT_CODES, MissingStateError, NoUsableSignal, RowsQuarantined
from features.settings import HOME_VARIABLE, Home
from features.warehouse import Warehouse
from pulse import app
from tests.features.adapter_case import export_of

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own-data.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in block.splitlines()
    if line.startswith("pulse ")
]
TOOLS = ("salesforce", "stripe", "zendesk", "amplitude")
OTHER = {
    "customers.csv": "customer_id,industry,tz,updated_at\nC1,studio,Asia/Tokyo,2023-01-02T00:00:00Z\n",
    "daily_usage.csv": "customer_id,product,day,sessions\nC1,paint,2023-02-03,4\n",
}
# On these exports; every other command ends with 0.
ENDS_WITH = {
    "pulse ingest exports/salesforce": _EXIT_CODES[RowsQuarantined],
    "pulse ingest exports/stripe": _EXIT_CODES[RowsQuarantined],
    "pulse ingest exports/zendesk": _EXIT_CODES[RowsQuarantined],
    "pulse ingest exports/amplitude": _EXIT_CODES[RowsQuarantined],
    "pulse train": _EXIT_CODES[NoUsableSignal],
    "pulse promote": _EXIT_CODES[MissingStateError],
    "pulse score": _EXIT_CODES[MissingStateError],
}


@dataclass(frozen=True)
class Walked:
    """What each command of the page told, and the folder in which they were run."""

    folder: Path
    told: dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    folder = tmp_path_factory.mktemp("walk")
    for tool in TOOLS:
        shutil.copytree(export_of(tool), folder / "exports" / tool)
    (folder / "exports" / "other").mkdir()
    for name, text in OTHER.items():
        (folder / "exports" / "other" / name).write_text(text)
    told = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv(HOME_VARIABLE, raising=False)
        for line in COMMANDS:
            done = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
            told[line] = (done.exit_code, done.output)
        yield Walked(folder, told)


def test_every_command_of_the_page_ends_as_the_page_says(walked: Walked) -> None:
    assert len(COMMANDS) == len(set(COMMANDS)) >= 12
    ended = {line: code for line, (code, _) in walked.told.items()}
    wanted = {line: next((code for start, code in ENDS_WITH.items() if line.startswith(start)), 0) for line in COMMANDS}
    assert ended == wanted, [walked.told[line][1] for line in COMMANDS if ended[line] != wanted[line]]
    # Each code that came up is explained on the page.
    for code in set(ended.values()) - {0}:
        assert f"**{code}**" in PAGE or f"code {code}" in PAGE


def test_the_four_exports_meet_in_the_same_accounts(walked: Walked) -> None:
    warehouse = Warehouse(Home(root=walked.folder / ".pulse"))
    loaded = warehouse.loaded_tables()
    for table in ("accounts_history", "contracts_history", "invoices_history", "tickets_history", "usage_events"):
        assert loaded[table] > 0
    sold = "SELECT account_id FROM accounts_history"
    with warehouse.engine(threads=1) as engine:
        for table in ("contracts_history", "invoices_history", "tickets_history"):
            strangers = f"SELECT DISTINCT account_id FROM {table} WHERE account_id NOT IN ({sold})"
            assert engine.fetch(strangers).num_rows == 0, table
        shared = engine.fetch(
            f"SELECT DISTINCT account_id FROM usage_events WHERE account_id IN ({sold}) AND account_id IN "
            "(SELECT account_id FROM contracts_history) AND account_id IN (SELECT account_id FROM tickets_history)"
        )
    assert shared.num_rows >= 3


def test_accounts_are_live_at_the_end_and_training_is_refused_in_words(walked: Walked) -> None:
    said = {line.split()[1]: output for line, (_, output) in walked.told.items()}
    assert re.search(r"[1-9]\d* accounts put online as of 2024-05-27", said["build"])
    assert "error: " in said["train"]
    assert "what to do: " in said["train"]
    assert "Traceback" not in "".join(said.values())


def test_the_drafted_mapping_brings_its_folder_in(walked: Walked) -> None:
    (drafted,) = (output for line, (_, output) in walked.told.items() if line.startswith("pulse mapping init"))
    assert "customers.csv -> accounts_history: tried, 1 of 1 sampled rows are taken" in drafted
    assert Warehouse(Home(root=walked.folder / ".pulse")).loaded_tables()["usage_daily"] == 1


def test_commands_in_the_text_exist_and_the_readme_leads_to_the_page() -> None:
    program = typer.main.get_group(app)
    for words in re.findall(r"`pulse ([a-z]+)", PAGE):
        assert words in program.commands
    assert "docs/own-data.md" in (ROOT / "README.md").read_text()
    for path in re.findall(r"`(features/[a-z0-9_/.]+\.yaml)`", PAGE):
        assert (ROOT / path).is_file()
