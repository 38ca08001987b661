"""What was told at an earlier look is open and no news; what returned and came back is news again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from training.watch_memory import last_look, remembered
from training.watch_page import failure, lines, told_news
from training.watch_parts import Advice, Finding, Ramps, Step, Watch

FIRST = datetime(2024, 3, 4, tzinfo=UTC)
ALARM = "alarm: phase post: fewer"


def look(number: int, *names: str) -> Watch:
    at = FIRST + timedelta(weeks=4 * number)
    return Watch(
        model_version="3",
        as_of=at,
        charts=(),
        too_small=(),
        visible=None,
        early=None,
        scores=(),
        features=(),
        ramps=Ramps(campaign=None, accounts=0, late_share=None),
        suspicions=(),
        advice=Advice(step=Step.WAIT, sentence="so"),
        findings=tuple(Finding(name=name, since=at) for name in names),
    )


def kept(folder: Path, alone: Watch) -> Watch:
    found = remembered(alone, last_look(folder, alone.as_of) or ())
    (folder / f"watch-{found.as_of:%Y-%m-%d}.json").write_text(found.model_dump_json())
    return found


def test_an_alarm_is_told_once_while_it_is_open_and_again_when_it_comes_back(tmp_path: Path) -> None:
    looks = [kept(tmp_path, look(place, *names)) for place, names in enumerate([(), (ALARM,), (ALARM,), (), (ALARM,)])]
    assert [[one.name for one in found.news] for found in looks] == [[], [ALARM], [], [], [ALARM]]
    assert [failure(found) is not None for found in looks] == [False, True, False, False, True]
    assert looks[2].findings == looks[1].findings
    assert told_news(looks[1]) == f"new: {ALARM}"
    assert told_news(looks[2]) == f"new: nothing; still open: {ALARM} (since 2024-04-01)"
    assert told_news(looks[2]) in lines(looks[2])


def test_another_finding_beside_an_open_one_is_news(tmp_path: Path) -> None:
    kept(tmp_path, look(0, ALARM))
    found = kept(tmp_path, look(1, ALARM, "suspicion: calendar"))
    assert [one.name for one in found.news] == ["suspicion: calendar"]
    told = failure(found)
    assert told is not None
    assert told.found == "suspicion: calendar"


def test_a_look_at_a_date_is_the_same_however_often_it_is_taken(tmp_path: Path) -> None:
    kept(tmp_path, look(0))
    once = kept(tmp_path, look(1, ALARM))
    later = kept(tmp_path, look(2, ALARM))
    assert kept(tmp_path, look(1, ALARM)) == once
    assert kept(tmp_path, look(2, ALARM)) == later


def test_the_document_of_an_older_release_told_of_nothing(tmp_path: Path) -> None:
    assert last_look(tmp_path, FIRST) is None
    (tmp_path / "watch-2024-01-01.json").write_text(json.dumps({"model_version": "3"}))
    assert last_look(tmp_path, FIRST) == ()
    assert kept(tmp_path, look(0, ALARM)).news != ()
