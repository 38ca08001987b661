"""Is the page made of what was measured, and of nothing else?"""

from __future__ import annotations

from pathlib import Path

from . import record
from .verdicts import Line, Outcome


def line(case: str, asked: str, outcome: Outcome = Outcome.PASS, note: str = "") -> Line:
    return Line(
        case=case, world="campaign, 3 accounts, seed 1", asked=asked, measured="0.80", outcome=outcome, note=note
    )


def test_measuring_a_case_again_replaces_its_lines_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    record.write([line("thin", "old"), line("thin", "older")], "thin", path)
    record.write([line("dirty", "kept")], "dirty", path)
    whole = record.write([line("thin", "new")], "thin", path)
    assert whole == record.read(path) == [line("dirty", "kept"), line("thin", "new")]


def test_without_a_measurement_there_are_no_lines(tmp_path: Path) -> None:
    assert record.read(tmp_path / "none.jsonl") == []


def test_the_page_tells_every_line_and_counts_what_failed() -> None:
    told = record.page([line("thin", "a | b", note="why\nso"), line("dirty", "c", Outcome.FAIL)])
    assert "2 requirements: 1 PASS, 1 FAIL, 0 UNDERPOWERED." in told
    assert "| campaign, 3 accounts, seed 1 | a / b | 0.80 | **PASS** |  |" in told
    assert "- campaign, 3 accounts, seed 1, a | b: why so" in told
    assert told.index("## dirty") < told.index("**FAIL** |") < told.index("## thin")


def test_the_page_in_docs_is_the_one_that_the_lines_make() -> None:
    assert record.PAGE.read_text() == record.page(record.read())
