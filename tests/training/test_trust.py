"""The first screen answers a lead's question, and says nothing that no number holds."""

from __future__ import annotations

import pytest

from tests.training.judged_case import SMALL_PLAN, SOUND, evaluated, portfolio
from training.evaluate import evaluate
from training.evaluation import Evaluation
from training.gates import Checks, verdict
from training.trust import Limit, trust


def limits(evaluation: Evaluation) -> dict[str, str]:
    return {limit.who: limit.why for limit in trust(evaluation, verdict(evaluation, SOUND)).limits}


def test_a_passed_model_is_trusted_for_what_was_measured() -> None:
    found = trust(evaluated(), verdict(evaluated(), SOUND))
    assert found.passed
    assert found.answer.startswith("Yes, for forecasts")
    told = " ".join(found.rely)
    ratio, due = evaluated().headline.calibration.ratio, evaluated().headline.auc_window
    for estimate in (ratio, due, evaluated().replay.policies["champion"].early_before_decision):
        assert f"{100 * estimate.value:.0f} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})" in told


def test_a_refused_model_may_be_relied_on_for_nothing() -> None:
    broken = trust(evaluated(), verdict(evaluated(), Checks()))
    assert (broken.passed, broken.rely) == (False, ())
    assert broken.answer == "No. A gate refused it: do not plan with this score."
    noise = evaluate(portfolio(400, skill=0.0, seed=4).judged, model_version="v8", plan=SMALL_PLAN)
    assert trust(noise, verdict(noise, SOUND)).answer.startswith(
        "No. The data shows no usable signal: work with renewal"
    )


def test_cells_too_thin_to_judge_are_named_together_by_segment() -> None:
    thin = [cell for cell in evaluated().cells if cell.note]
    told = [who for who, why in limits(evaluated()).items() if why.startswith("too few leavers to say")]
    if thin:
        assert any(thin[0].segment in who and thin[0].phase in who for who in told)


def test_a_cell_in_which_more_left_than_stated_is_named() -> None:
    cell = next(cell for cell in evaluated().cells if not cell.note)
    ratio = cell.calibration.ratio.model_copy(update={"value": 2.0, "low": 1.5, "high": 2.6})
    off = cell.model_copy(update={"calibration": cell.calibration.model_copy(update={"ratio": ratio})})
    found = evaluated().model_copy(update={"cells": (off,)})
    assert trust(found, verdict(found, SOUND)).limits[0] == Limit(
        f"segment {cell.segment} in phase {cell.phase}", "more left than stated: 200 (150 to 260) for every 100"
    )
    assert not any("within chance, in" in sentence for sentence in trust(found, verdict(found, SOUND)).rely)


def test_a_segment_that_is_ranked_no_better_than_a_coin_is_named() -> None:
    group = evaluated().segments["studio"]
    coin = group.auc_window.model_copy(update={"value": 0.55, "low": 0.45, "high": 0.65})
    segments = {**evaluated().segments, "studio": group.model_copy(update={"auc_window": coin})}
    found = limits(evaluated().model_copy(update={"segments": segments}))
    assert found["ranking within segment studio"] == (
        "not surely better than a coin: leaver first in 55 (45 to 65) of 100"
    )


@pytest.mark.parametrize(
    ("low", "high", "word"), [(1.2, 1.9, "more left than stated"), (0.4, 0.9, "fewer left than stated")]
)
def test_evergreen_contracts_that_are_off_are_named(low: float, high: float, word: str) -> None:
    group = evaluated().contracts["evergreen"]
    ratio = group.calibration.ratio.model_copy(update={"value": (low + high) / 2, "low": low, "high": high})
    off = group.model_copy(update={"note": "", "calibration": group.calibration.model_copy(update={"ratio": ratio})})
    found = limits(evaluated().model_copy(update={"contracts": {**evaluated().contracts, "evergreen": off}}))
    assert found["evergreen contracts"].startswith(word)


def test_no_profit_is_promised_and_no_single_account_condemned() -> None:
    found = limits(evaluated())
    precision = evaluated().replay.policies["champion"].precision.value
    assert found["verdicts about a single account"] == f"{1 - precision:.0%} of alerts are about accounts that stay"
    assert (
        "which nobody has measured" in found["a promise of profit"]
        or "surely profitable" in found["a promise of profit"]
    )


def test_without_a_replay_or_profit_nothing_is_said_of_them() -> None:
    bare = evaluated().model_copy(update={"replay": None, "profit": None})
    told = trust(bare, verdict(evaluated(), SOUND))
    assert not any(sentence.startswith("Time to act") for sentence in told.rely)
    assert not {"verdicts about a single account", "a promise of profit"} & {limit.who for limit in told.limits}
