from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.reporter import ROWS_VARIABLE, report
from tests.faults.table import PAGE, PROPERTIES, STORED, main, page, read

ROOT = Path(__file__).parents[2]


def test_the_page_of_results_is_what_the_stored_lines_make() -> None:
    # A number that was typed by hand, or a page that was left behind, shows here.
    assert PAGE.read_text() == page(read(STORED.read_text()))


def test_every_claim_has_a_test_that_reports_it_and_every_report_a_claim() -> None:
    tests = [path for path in ROOT.glob("tests/**/test_*.py") if path != Path(__file__)]
    reported = {int(row) for path in tests for row in re.findall(r"\breport\((\d+),", path.read_text())}
    assert set(PROPERTIES) == reported


def test_a_row_that_is_measured_again_replaces_itself_and_another_subject_stands_beside_it() -> None:
    lines = "row 16 PASS 0/10 rows, gap 1e-13\nrow 16 PASS 0/5 explanations\nrow 16 FAIL 2/1000 rows, gap 3e-01\n"
    told = [line for line in page(read(lines)).splitlines() if line.startswith("| 16")]
    claim = PROPERTIES[16]
    assert told == [
        f"| 16 | {claim} | 0 | 5 | yes | explanations |",
        f"| 16 | {claim} | 2 | 1,000 | **no** | rows, gap 3e-01 |",
    ]
    assert "1 of 2 measurements hold." in page(read(lines))


@pytest.mark.parametrize("line", ["row x PASS 0/1", "row 9 GOOD 0/1", "9 PASS 0/1", "row 9 PASS 1"])
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no line of a row"):
        read(line)


def test_a_report_is_printed_kept_and_red_when_something_failed_or_nothing_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.txt"
    monkeypatch.setenv(ROWS_VARIABLE, str(rows))
    report(9, 0, 12_000, "p99=41ms")
    for failed, of in ((1, 10), (0, 0)):
        with pytest.raises(AssertionError, match=f"row 10 FAIL {failed}/{of}"):
            report(10, failed, of)
    lines = ["row 09 PASS 0/12000 p99=41ms", "row 10 FAIL 1/10", "row 10 FAIL 0/0"]
    assert rows.read_text().splitlines() == lines == capsys.readouterr().out.splitlines()


def test_a_run_is_taken_in_beside_what_was_stored_and_a_failure_is_the_exit_code(tmp_path: Path) -> None:
    stored, told, new = tmp_path / "stored.txt", tmp_path / "page.md", tmp_path / "new.txt"
    new.write_text("row 11 PASS 0/5 scores\nrow 09 PASS 0/10 p99=4ms\n")
    assert main([str(new)], stored=stored, target=told) == 0
    new.write_text("row 09 FAIL 1/20 p99=7ms\n")
    assert main([str(new)], stored=stored, target=told) == 1
    assert stored.read_text() == "row 09 FAIL 1/20 p99=7ms\nrow 11 PASS 0/5 scores\n"
    assert told.read_text() == page(read(stored.read_text()))
    assert main([], stored=stored, target=told) == 1
