"""Which cause is named, and which step is advised, where several could be meant?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from training.diagnosis import COUNTED, PRICE
from training.watch import Seen
from training.watch_page import lines, render
from training.watch_parts import ALL, BEFORE, Cause, Step

from .watch_case import FIRST, RISK, UNTOLD, found, judged, quarter, seen, starts

QUIET = found(seen())
DEARER = found(seen(1.7))


def test_a_model_that_stated_too_little_from_the_start_has_not_changed_so_no_price_is_named() -> None:
    off = found(seen(1.6, since=0))
    assert [chart.group for chart in off.alarmed if chart.group in (ALL, BEFORE)] == [ALL]
    assert [one.cause for one in off.suspicions] == [Cause.LEVEL]
    assert off.advice.since == off.charts[0].onset


def test_prices_that_rose_in_the_records_name_the_price_before_the_leavers_do() -> None:
    dearer = quarter(1)[PRICE].to_numpy() + 1.5
    early = found(seen(1.15, since=9, **{PRICE: dearer}))
    assert not {ALL, BEFORE} & {chart.group for chart in early.alarmed}
    # That an input moved is told as well.
    assert [one.cause for one in early.suspicions] == [Cause.PRICE, Cause.INPUTS]
    assert "seats cost more than in the same phases a year ago" in early.suspicions[0].sentence
    assert early.advice.step is Step.WAIT
    # Dearer seats while fewer leave are no case; nor are cheaper ones while more do.
    assert Cause.PRICE not in {one.cause for one in found(seen(0.8, since=3, **{PRICE: dearer})).suspicions}
    cheaper = found(seen(1.15, since=9, **{PRICE: dearer - 3.0}))
    assert [one.cause for one in cheaper.suspicions] == [Cause.INPUTS]
    assert (
        "seats cost more than a year ago: a price change" in found(seen(1.7, **{PRICE: dearer})).suspicions[0].sentence
    )


def test_a_change_that_another_cause_explains_is_no_price() -> None:
    both = found(seen(1.7, **{COUNTED: 0.6 * quarter(1)[COUNTED].to_numpy()}))
    assert [one.cause for one in both.suspicions] == [Cause.INSTRUMENTATION, Cause.LEVEL]


def test_an_alarm_of_one_group_asks_for_no_line_that_would_move_everybody() -> None:
    rows, random = judged(), np.random.default_rng(3)
    post, later = rows["phase"] == "post", rows["as_of"] > FIRST + timedelta(days=28 * 4)
    many, some = (random.random(len(rows)) < 2.5 * RISK) * 1.0, (random.random(len(rows)) < 0.8) * 1.0
    # A few less leave elsewhere, so that all accounts together do as stated.
    told = np.where(post, many, rows["y_30"] * some)
    rows["y_30"] = np.where(later & rows["y_30"].notna(), told, rows["y_30"])
    alone = found(Seen(rows, quarter(1), quarter(2), None, starts(), UNTOLD))
    assert [chart.group for chart in alone.alarmed] == ["phase post"]
    assert alone.advice.step in (Step.WAIT, Step.RETRAIN)
    assert "a new line for everybody would not put it right" in alone.advice.sentence
    assert alone.advice.since is None
    assert [one.name for one in alone.findings] == ["alarm: phase post: more"]


def test_a_group_that_moves_as_all_do_is_no_finding_of_its_own() -> None:
    assert {chart.direction for chart in DEARER.alarmed} == {"more"}
    assert len(DEARER.alarmed) > 2
    names = [one.name for one in DEARER.findings]
    assert {ALL, BEFORE} < {chart.group for chart in DEARER.alarmed}
    assert names == [f"alarm: {ALL}: more", "suspicion: price"]


def test_what_can_be_seen_at_all_is_said() -> None:
    told = [line for line in lines(QUIET) if line.startswith("smallest rise seen within 26 weeks")]
    assert len(told) == 1
    assert told[0].endswith("times as many leavers (18.0 leavers stated in four weeks)")
    assert told[0][1:] in " ".join(render(QUIET).split())
