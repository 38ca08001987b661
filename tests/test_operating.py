"""Is every command, option, file and setting that our pages name one that there is?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from pulse import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM: Any = typer.main.get_command(app)


def spoken(page: Path) -> list[str]:
    """What a page puts into code: spans, and the lines of blocks, without their comments."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split("  #")[0] for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    return [*re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)), *lines]


def commands_of(page: Path) -> list[list[str]]:
    """The words of each call of ours on a page."""
    calls = [re.search(r"(?:^|[\s/])pulse ([a-z][^|&;]*)", one) for one in spoken(page)]
    return [call[1].split() for call in calls if call]


def found(words: list[str]) -> tuple[Any, list[str]] | None:
    """The command that the words call, and the words behind it; None where there is none."""
    here: Any = PROGRAM
    rest = list(words)
    while hasattr(here, "commands"):
        if not rest or rest[0] not in here.commands:
            return None
        here = here.commands[rest.pop(0)]
    return here, rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    wrong = []
    for words in commands_of(page):
        call = found([word for word in words if word not in {"--home", "DIR"}] if words[0] == "--home" else words)
        if call is None:
            # `pulse keys` alone speaks of a group of commands.
            is_group = len(words) == 1 and hasattr(PROGRAM.commands.get(words[0]), "commands")
            wrong += [] if is_group else [" ".join(words)]
            continue
        known = {option for parameter in call[0].params for option in (*parameter.opts, *parameter.secondary_opts)}
        wrong += [
            f"{' '.join(words)}: {word}"
            for word in call[1]
            if word.startswith("--") and word.split("=")[0] not in known
        ]
    assert wrong == []


def test_the_runbook_speaks_of_what_it_must() -> None:
    calls = {
        " ".join(words[: 2 if words[0] in {"state", "keys", "users"} else 1])
        for words in commands_of(PAGES[0].parent / "docs/operating.md")
    }
    assert {
        "backup", "restore", "state status", "state upgrade", "state downgrade", "serve", "build", "ingest", "monitor",
        "keys create", "keys revoke", "keys list", "audit", "status", "promote", "rollback", "users disable",
    } <= calls  # fmt: skip


def test_every_setting_that_a_page_names_is_one_that_is_read() -> None:
    rooms = ("features", "training", "serving", "tests")
    files = [
        ROOT / "pulse.py",
        ROOT / "deploy" / "compose.yaml",
        *(path for room in rooms for path in (ROOT / room).rglob("*.py")),
    ]
    known = set(
        re.findall(r"PULSE_[A-Z_]+[A-Z]", "".join(path.read_text() for path in files if path != Path(__file__)))
    )
    named = {page.name: set(re.findall(r"PULSE_[A-Z_]+[A-Z]", page.read_text())) - known for page in PAGES}
    assert {page: names for page, names in named.items() if names} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_that_a_page_leads_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert gone == []
