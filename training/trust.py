"""Can I trust this model, and for whom not?

Input: an evaluation and its verdict. Output: :class:`Trust`: an answer, what may be relied on, and for whom it may not,
each with its number. It is the first thing a finance or product lead reads, so it says nothing that no number holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from training.evaluation import Evaluation
from training.evaluation_parts import Estimate, GroupEvaluation
from training.findings import in_order, listed
from training.gate_findings import TIMING_ONLY
from training.reading import NO_SKILL
from training.segment_parts import CellEvaluation
from training.verdict import SIGNAL_GATES, Verdict

_THIN = "too few leavers to say"


@dataclass(frozen=True, slots=True)
class Limit:
    """For whom, or for what, the model may not be relied on, and why."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Trust:
    """The answer in one sentence, what may be relied on, and what may not."""

    answer: str
    passed: bool
    rely: tuple[str, ...]
    limits: tuple[Limit, ...]


def trust(evaluation: Evaluation, verdict: Verdict) -> Trust:
    """The statement for the first screen of a report."""
    limits = (
        *_cells(evaluation.cells),
        *_segments(evaluation),
        *_groups(evaluation),
        *_single(evaluation),
        *_money(evaluation),
    )
    rely = tuple(_relied(evaluation)) if verdict.passed else ()
    return Trust(_answer(verdict), verdict.passed, rely, limits)


def _answer(verdict: Verdict) -> str:
    if verdict.passed:
        return "Yes, for forecasts of revenue at risk and for whom to call first; not for everybody."
    refused = [gate.code for gate in verdict.refusals]
    if any(code in SIGNAL_GATES for code in refused):
        return "No. The data shows no usable signal: work with renewal dates, not with this score."
    return "No. A gate refused it: do not plan with this score."


def _relied(evaluation: Evaluation) -> Iterable[str]:
    headline, days = evaluation.headline, evaluation.plan.headline_days
    ratio, due = headline.calibration.ratio, headline.auc_window
    yield f"The sum of risks. For every 100 leavers it stated, {_hundred(ratio)} left within {days} days."
    timing = evaluation.arms.get(TIMING_ONLY)
    beside = f"; the calendar alone {_hundred(timing.auc_window)}" if timing else ""
    pairs = "Of 100 pairs of one leaver and one stayer whose decision is due"
    yield f"Whom to call first. {pairs}, it puts the leaver first in {_hundred(due)}{beside} (a coin: 50)."
    if evaluation.replay is not None:
        yield from _alerts(evaluation)
    sound = [cell for cell in evaluation.cells if _judged(cell) and not _off(cell)]
    if sound:
        yield f"As many left as stated, within chance, in {_by_segment(sound)}."


def _alerts(evaluation: Evaluation) -> Iterable[str]:
    replay = evaluation.replay
    if replay is None:
        return
    own, calendar = replay.policies["champion"], replay.policies.get(TIMING_ONLY)
    beside = f"; the calendar alone {_hundred(calendar.early_before_decision)}" if calendar else ""
    early = f"{_hundred(own.early_before_decision)} of 100 leavers were alerted eight weeks before they decided{beside}"
    right = f"{_hundred(own.precision)} of 100 alerts were right"
    yield f"Time to act. With {replay.capacity} new alerts in four weeks, {early}; {right}."


def _cells(cells: Iterable[CellEvaluation]) -> Iterable[Limit]:
    cells = list(cells)
    for cell in cells:
        if _judged(cell) and _off(cell):
            ratio = cell.calibration.ratio
            word = "more" if (ratio.low or 0) > 1 else "fewer"
            yield Limit(
                f"{_name(cell.segment)} in phase {cell.phase}",
                f"{word} left than stated: {_hundred(ratio)} for every 100",
            )
    thin = [cell for cell in cells if not _judged(cell)]
    if thin:
        least = min(cell.expected or 0 for cell in thin), max(cell.expected or 0 for cell in thin)
        yield Limit(
            _by_segment(thin),
            f"{_THIN}: {least[0]:.0f} to {least[1]:.0f} expected in each; read the segment as a whole",
        )


def _segments(evaluation: Evaluation) -> Iterable[Limit]:
    for name, group in evaluation.segments.items():
        auc = group.auc_window
        if auc.low is not None and auc.high is not None and auc.low <= NO_SKILL:
            yield Limit(
                f"ranking within {_name(name)}",
                f"not surely better than a coin: leaver first in {_hundred(auc)} of 100",
            )
        elif auc.value is None:
            yield Limit(f"ranking within {_name(name)}", _THIN if group.note else auc.reason)


def _groups(evaluation: Evaluation) -> Iterable[Limit]:
    named: list[tuple[str, GroupEvaluation]] = [
        *((f"accounts of data grade {name}", group) for name, group in evaluation.grades.items()),
        *((f"{name} contracts", group) for name, group in evaluation.contracts.items()),
    ]
    for who, group in named:
        ratio = group.calibration.ratio
        if not group.rows:
            continue
        if group.note:
            yield Limit(who, f"{_THIN}: {group.expected or 0:.0f} expected")
        elif ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high:
            yield Limit(
                who, f"{'more' if ratio.low > 1 else 'fewer'} left than stated: {_hundred(ratio)} for every 100"
            )


def _single(evaluation: Evaluation) -> Iterable[Limit]:
    precision = evaluation.replay.policies["champion"].precision if evaluation.replay else None
    if precision is not None and precision.value is not None:
        wrong = 1 - precision.value
        yield Limit("verdicts about a single account", f"{wrong:.0%} of alerts are about accounts that stay")


def _money(evaluation: Evaluation) -> Iterable[Limit]:
    curve = evaluation.profit.curves.get("champion") if evaluation.profit else None
    if curve is None:
        return
    if curve.break_even is None:
        yield Limit("a promise of profit", "no share of saved leavers up to one half was surely profitable")
        return
    why = f"surely above 0 only if a contact saves {curve.break_even:.0%} of leavers or more, which nobody has measured"
    yield Limit("a promise of profit", why)


def _judged(cell: CellEvaluation) -> bool:
    return not cell.note and cell.calibration.ratio.value is not None


def _off(cell: CellEvaluation) -> bool:
    ratio = cell.calibration.ratio
    return ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high


def _by_segment(cells: list[CellEvaluation]) -> str:
    phases: dict[str, list[str]] = {}
    for cell in cells:
        phases.setdefault(_name(cell.segment), []).append(cell.phase)
    told = {segment: listed(in_order(dict.fromkeys(found))) for segment, found in phases.items()}
    return "; ".join(f"{segment} (phase {found})" for segment, found in told.items())


def _name(segment: str) -> str:
    return f"segment {segment}"


def _hundred(estimate: Estimate) -> str:
    """A share, or a ratio, per hundred with its interval."""
    if estimate.value is None:
        return "an unknown number"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.0f} (no interval)"
    return f"{100 * estimate.value:.0f} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"
