"""A command speaks to people on stdout, to programs in one document, and fails with its code after both."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from features.console import Answer, HomeOption, Setting, command
from features.errors import _EXIT_CODES, PulseError, RowsQuarantined, UnknownAccount, exit_code
from features.progress import Progress
from features.settings import HOME_VARIABLE, Home

MONDAY = datetime(2024, 4, 15, tzinfo=UTC)
Work = Callable[[Home, Progress], Answer]


def told(kind: type[PulseError] = UnknownAccount) -> PulseError:
    return kind("nobody knows it", expected="an id", found="'x'", todo="ask for another")


def run(work: Callable[..., Answer], *arguments: str) -> Result:
    """Run a command named ``work`` of a program with two commands, as `pulse` is one."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def options(context: typer.Context, home: HomeOption = None) -> None:
        context.obj = Setting(home, lambda: MONDAY)

    @command(app)
    def another(place: Home, progress: Progress) -> Answer:
        return Answer(["another"])

    work.__name__ = "work"
    command(app)(work)
    return CliRunner().invoke(app, list(arguments))


def where(place: Home, progress: Progress) -> Answer:
    return Answer([str(place.root)])


def test_the_home_may_be_named_before_or_after_the_command(tmp_path: Path) -> None:
    assert run(where, "--home", str(tmp_path), "work").stdout == f"{tmp_path}\n"
    assert run(where, "work", "--home", str(tmp_path)).stdout == f"{tmp_path}\n"


def test_the_home_named_last_wins_and_both_win_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "environment"))
    before, after = str(tmp_path / "before"), str(tmp_path / "after")
    assert run(where, "work").stdout == f"{tmp_path / 'environment'}\n"
    assert run(where, "--home", before, "work").stdout == f"{before}\n"
    assert run(where, "--home", before, "work", "--home", after).stdout == f"{after}\n"


def test_without_a_name_the_home_is_a_folder_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(where, "work").stdout == f"{tmp_path / '.pulse'}\n"
    assert run(where, "work", "--home", "mine").stdout == f"{tmp_path / 'mine'}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_command_gets_its_own_options_under_their_names(tmp_path: Path) -> None:
    got: dict[str, Any] = {}

    def work(
        place: Home,
        progress: Progress,
        *,
        account: Annotated[str, typer.Argument(help="Account id.")],
        weeks: Annotated[int, typer.Option(min=1, help="Weeks.")] = 4,
        live: Annotated[bool, typer.Option("--live", help="Live.")] = False,
    ) -> Answer:
        """Do it."""
        got.update(account=account, weeks=weeks, live=live)
        return Answer([])

    assert run(work, "work", "a1", "--weeks", "9", "--live").exit_code == 0
    assert got == {"account": "a1", "weeks": 9, "live": True}
    page = run(work, "work", "--help").stdout
    assert all(word in page for word in ("Do it.", "account", "--weeks", "--live", "--home", "--json"))
    assert "place" not in page
    assert run(work, "work", "a1", "--weeks", "0").exit_code == 2


def test_lines_go_to_people_and_the_document_to_a_file_that_json_reads(tmp_path: Path) -> None:
    def work(place: Home, progress: Progress) -> Answer:
        return Answer(["one", "two"], {"rows": 3, "as_of": MONDAY, "where": tmp_path})

    target = tmp_path / "made" / "on the way" / "answer.json"
    done = run(work, "work", "--json", str(target))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "one\ntwo\n", "")
    assert json.loads(target.read_text()) == {"rows": 3, "as_of": str(MONDAY), "where": str(tmp_path)}


def test_without_json_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(where, "work").exit_code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(_EXIT_CODES), ids=lambda kind: kind.__name__)
def test_a_failure_is_told_in_four_lines_with_its_code_and_no_trace(kind: type[PulseError], tmp_path: Path) -> None:
    def work(place: Home, progress: Progress) -> Answer:
        raise told(kind)

    done = run(work, "work", "--json", str(tmp_path / "answer.json"))
    assert done.exit_code == exit_code(told(kind)) == _EXIT_CODES[kind]
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: nobody knows it",
        "  expected: an id",
        "  found: 'x'",
        "  what to do: ask for another",
    ]
    assert json.loads((tmp_path / "answer.json").read_text()) == {"failure": told(kind).facts()}


def test_a_partial_success_tells_what_was_done_and_then_fails(tmp_path: Path) -> None:
    def work(place: Home, progress: Progress) -> Answer:
        return Answer(["9 rows taken"], {"taken": 9}, told(RowsQuarantined))

    done = run(work, "work", "--json", str(tmp_path / "answer.json"))
    assert (done.exit_code, done.stdout) == (4, "9 rows taken\n")
    assert done.stderr.startswith("error: nobody knows it\n")
    document = json.loads((tmp_path / "answer.json").read_text())
    assert document == {"taken": 9, "failure": told(RowsQuarantined).facts()}


def test_a_defect_of_ours_is_not_dressed_up(tmp_path: Path) -> None:
    def work(place: Home, progress: Progress) -> Answer:
        raise ZeroDivisionError

    done = run(work, "work", "--json", str(tmp_path / "answer.json"))
    assert done.exit_code == 1
    assert isinstance(done.exception, ZeroDivisionError)
    assert not (tmp_path / "answer.json").exists()


def test_bars_are_drawn_on_stderr_only() -> None:
    def work(place: Home, progress: Progress) -> Answer:
        for done in range(1, 4):
            progress("read", done, 3)
            progress("judge", done, 3)
        return Answer(["done"])

    done = run(work, "work")
    assert done.stdout == "done\n"
    assert "read" in done.stderr
    assert "3/3" in done.stderr
    assert done.stderr.count("judge") == 1


@pytest.mark.parametrize("arguments", [("--json", "."), ("--home", "a file"), ("--json",)])
def test_a_path_of_the_wrong_kind_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").write_text("kept")

    def work(place: Home, progress: Progress) -> Answer:
        raise AssertionError

    done = run(work, "work", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert arguments[0] in done.stderr
    assert (tmp_path / "a file").read_text() == "kept"


def test_a_number_that_is_none_is_never_written_as_something_json_cannot_read(tmp_path: Path) -> None:
    def work(place: Home, progress: Progress) -> Answer:
        return Answer([], {"auc": float("nan"), "low": [float("inf")]})

    run(work, "work", "--json", str(tmp_path / "answer.json"))

    def refuse(word: str) -> None:
        raise AssertionError(word)

    if (tmp_path / "answer.json").exists():
        json.loads((tmp_path / "answer.json").read_text(), parse_constant=refuse)
