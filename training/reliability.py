"""Which grade do the data behind a score earn, and what keeps them from the next one?

Input grain: one row per account and ``as_of`` with the display features on amount of data, and its reliability
interval. Output grain: the same rows. A grade looks at how much is known, never at how high the risk is (domain 4.7.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.vocabulary import CohortStatus
from training.columns import Rows, doubles_in, or_nothing, words_in
from training.config import GradeRule, GradeRules
from training.periods import Floats
from training.shrinkage import SOURCES
from training.venn_abers import Spread

Bools = npt.NDArray[np.bool_]
Letters = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class _Known:
    # Amounts of data per row; what is missing counts as nothing.
    weeks: Floats
    sources: Floats
    campaigns: Floats
    irregularity: Floats
    onboarding: Bools

    @classmethod
    def of(cls, rows: Rows) -> _Known:
        def amount(name: str) -> Floats:
            return or_nothing(doubles_in(rows, name))

        return cls(
            amount("usable_weeks"),
            amount("sources_present"),
            amount("campaign_count_w104"),
            amount("campaign_gap_cv_w156"),
            words_in(rows, "cohort_status") == CohortStatus.ONBOARDING,
        )


def abstains(rows: Rows) -> Bools:
    """True where nothing can be said: not one source told anything of the account in half a year."""
    silent: Bools = or_nothing(doubles_in(rows, "sources_present")) < 1
    return silent


def grades(rows: Rows, spread: Spread, rules: GradeRules) -> Letters:
    """Grade A, B, C or D per row: from weeks of data, sources present, campaigns seen, and how sure the risk is.

    An account in onboarding is D whatever it has: half of what the features look back on is not there yet. Campaigns
    that come irregularly, and a risk that is not sure enough, allow B at best.
    """
    known = _Known.of(rows)
    best = _seasons(known, rules) & ~_irregular(known, rules) & _sure(spread, rules)
    earned = np.where(_meets(known, rules.b), "B", np.where(_meets(known, rules.c), "C", "D"))
    earned = np.where(_meets(known, rules.a) & best, "A", earned)
    return np.where(known.onboarding, "D", earned).astype(object)


def grade_reasons(rows: Rows, letters: Letters, spread: Spread, rules: GradeRules) -> list[tuple[str, ...]]:
    """In words, per row: what the grade rests on, then everything that keeps it from the next better one."""
    known = _Known.of(rows)
    better: dict[str, GradeRule] = {"B": rules.a, "C": rules.b, "D": rules.c}
    holds = {
        "fewer than {campaigns:.0f} campaigns in two years, and no two quiet years to go by": _seasons(known, rules),
        "campaigns come irregularly": ~_irregular(known, rules),
        "too few accounts left in the past to be surer of the risk": _sure(spread, rules),
    }
    told = []
    for place, letter in enumerate(letters):
        reasons = [_rests_on(known, place)]
        if known.onboarding[place]:
            reasons.append("the account is too new")
        elif letter in better:
            reasons += _short_of(better[letter], known, place)
            if letter == "B":
                reasons += [
                    words.format(campaigns=rules.campaigns_for_a) for words, held in holds.items() if not held[place]
                ]
        told.append(tuple(reasons))
    return told


def _meets(known: _Known, rule: GradeRule) -> Bools:
    enough: Bools = (known.weeks >= rule.usable_weeks) & (known.sources >= rule.sources)
    return enough


def _seasons(known: _Known, rules: GradeRules) -> Bools:
    quiet = (known.campaigns == 0) & (known.weeks >= rules.quiet_weeks_for_a)
    seen: Bools = (known.campaigns >= rules.campaigns_for_a) | quiet
    return seen


def _irregular(known: _Known, rules: GradeRules) -> Bools:
    irregular: Bools = known.irregularity > rules.irregular_from
    return irregular


def _sure(spread: Spread, rules: GradeRules) -> Bools:
    near = (spread.p1 <= rules.pair_ratio_for_a * spread.p0) & (spread.high <= rules.range_ratio_for_a * spread.low)
    sure: Bools = near | (spread.high <= rules.surely_low)
    return sure


def _rests_on(known: _Known, place: int) -> str:
    weeks, sources = known.weeks[place], known.sources[place]
    return f"{weeks:.0f} {'week' if weeks == 1 else 'weeks'} of data from {sources:.0f} of {SOURCES} sources"


def _short_of(rule: GradeRule, known: _Known, place: int) -> list[str]:
    short = []
    if known.weeks[place] < rule.usable_weeks:
        short.append(f"fewer than {rule.usable_weeks:.0f} weeks of data")
    if known.sources[place] < rule.sources:
        short.append(f"fewer than {rule.sources:.0f} sources")
    return short
