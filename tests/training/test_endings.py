"""When had a customer decided to leave? Small stories in, the moment of the decision out."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.endings import ContractEvent, Lapse, Term, first_lapse, midnight, stretches_of

GRACE = timedelta(days=30)
CUT = datetime(2024, 6, 1, tzinfo=UTC)


def on(text: str) -> date:
    return date.fromisoformat(text)


def at(text: str) -> datetime:
    return midnight(on(text))


def term(start: str, end: str | None) -> Term:
    return Term(on(start), None if end is None else on(end))


def event(kind: str, decided: str, effective: str, known: str | None = None) -> ContractEvent:
    return ContractEvent(kind, at(decided), on(effective), at(known or decided))


def lapse_of(*contracts: tuple[list[Term], list[ContractEvent]], cut: datetime = CUT) -> Lapse | None:
    stretches = [stretches_of(terms, events, GRACE) for terms, events in contracts]
    return first_lapse(stretches, grace=GRACE, heard_until=cut)


YEAR_23 = term("2023-01-01", "2023-12-31")
YEAR_24 = term("2024-01-01", "2024-12-31")
NOTICE = event("notice_given", "2023-10-20", "2023-12-31", "2023-10-25")


def test_notice_decides_when_it_is_given_not_when_it_takes_effect() -> None:
    assert lapse_of(([YEAR_23], [NOTICE])) == Lapse(at("2023-10-20"), at("2023-12-31"), at("2023-10-25"), "full_churn")


def test_a_notice_counts_at_once_though_the_contract_still_runs() -> None:
    lapse = lapse_of(([YEAR_24], [event("notice_given", "2024-05-02", "2024-12-31")]))
    assert lapse is not None
    assert (lapse.decided_at, lapse.effective_at) == (at("2024-05-02"), at("2024-12-31"))


def test_a_term_that_runs_out_in_silence_decides_on_its_last_day() -> None:
    assert lapse_of(([YEAR_23], [])) == Lapse(at("2023-12-31"), at("2023-12-31"), at("2024-01-30"), "full_churn")


@pytest.mark.parametrize(("cut", "known"), [("2024-01-29", False), ("2024-01-30", True)])
def test_silence_is_read_as_leaving_only_when_the_grace_is_over(cut: str, known: bool) -> None:
    assert (lapse_of(([YEAR_23], []), cut=at(cut)) is not None) is known


@pytest.mark.parametrize("undo", ["notice_withdrawn", "renewed", "signed"])
def test_a_notice_that_was_taken_back_or_answered_by_a_signature_ends_nothing(undo: str) -> None:
    terms = [YEAR_23, YEAR_24]
    assert lapse_of((terms, [NOTICE, event(undo, "2023-12-01", "2024-01-01")])) is None


def test_a_withdrawal_before_the_next_notice_does_not_undo_that_one() -> None:
    story = [
        NOTICE,
        event("notice_withdrawn", "2023-11-01", "2023-11-01"),
        event("notice_given", "2023-12-05", "2023-12-31"),
    ]
    lapse = lapse_of(([YEAR_23], story))
    assert lapse is not None
    assert lapse.decided_at == at("2023-12-05")


def test_a_renewal_in_the_grace_is_a_renewal() -> None:
    assert lapse_of(([YEAR_23, term("2024-01-30", "2025-01-29")], [])) is None


def test_a_renewal_after_the_grace_is_a_comeback_and_the_first_lapse_stands() -> None:
    lapse = lapse_of(([YEAR_23, term("2024-01-31", "2025-01-30")], []))
    assert lapse is not None
    assert lapse.decided_at == at("2023-12-31")


def test_a_signature_long_after_the_lapse_does_not_undo_it() -> None:
    back = term("2024-04-01", "2025-03-31")
    lapse = lapse_of(([YEAR_23, back], [NOTICE, event("signed", "2024-03-25", "2024-04-01")]))
    assert lapse is not None
    assert lapse.decided_at == at("2023-10-20")


def test_losing_one_contract_of_two_is_a_contraction() -> None:
    assert lapse_of(([YEAR_23], [NOTICE]), ([term("2022-05-01", None)], [])) is None


def test_an_account_has_decided_when_its_last_contract_has() -> None:
    second = term("2023-03-01", "2024-02-29")
    later = event("cancelled", "2023-11-15", "2024-01-15")
    lapse = lapse_of(([YEAR_23], [NOTICE]), ([second], [later]))
    assert lapse is not None
    assert (lapse.decided_at, lapse.effective_at, lapse.kind) == (at("2023-11-15"), at("2024-01-15"), "cancellation")


def test_a_successor_contract_carries_the_account_on() -> None:
    assert lapse_of(([YEAR_23], [NOTICE]), ([YEAR_24], [])) is None


def test_an_evergreen_contract_ends_by_word_only() -> None:
    endless = term("2022-05-01", None)
    assert lapse_of(([endless], [])) is None
    lapse = lapse_of(([endless], [event("cancelled", "2024-03-03", "2024-03-31")]))
    assert lapse is not None
    assert (lapse.decided_at, lapse.effective_at) == (at("2024-03-03"), at("2024-03-31"))


def test_a_word_that_comes_after_its_effect_decides_at_the_effect() -> None:
    lapse = lapse_of(([YEAR_23], [event("expired", "2024-02-15", "2023-12-31")]))
    assert lapse is not None
    assert lapse.decided_at == at("2023-12-31")


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        ([event("terminated_nonpayment", "2023-09-01", "2023-09-15")], "terminated_nonpayment"),
        ([NOTICE, event("terminated_nonpayment", "2023-11-01", "2023-11-15")], "full_churn"),
        ([event("cancelled", "2023-06-01", "2023-06-30")], "cancellation"),
    ],
)
def test_the_first_word_says_what_kind_of_leaving_it_was(story: list[ContractEvent], kind: str) -> None:
    lapse = lapse_of(([YEAR_23], story))
    assert lapse is not None
    assert lapse.kind == kind


def test_a_merger_is_no_churn() -> None:
    assert lapse_of(([YEAR_23], [event("merged_into", "2023-08-01", "2023-09-01")])) is None


def test_a_notice_for_a_term_that_was_renewed_in_silence_does_not_end_the_new_term() -> None:
    # "In force from 1 January" is the end of the old year, not of the year that begins that day.
    stale = event("notice_given", "2023-10-20", "2024-01-01")
    assert lapse_of(([YEAR_23, YEAR_24], [stale])) is None


def test_an_early_renewal_replaces_the_rest_of_the_old_term() -> None:
    early = term("2023-06-01", "2023-08-31")
    lapse = lapse_of(([YEAR_23, early], []))
    assert lapse is not None
    assert lapse.effective_at == at("2023-08-31")


def test_an_account_without_any_term_has_no_lapse() -> None:
    assert lapse_of() is None


def test_a_far_end_of_time_is_no_trouble() -> None:
    assert lapse_of(([term("2023-01-01", "9999-12-31")], [])) is None


_days = st.integers(0, 400)
_spans = st.lists(st.tuples(_days, st.integers(0, 120)), min_size=1, max_size=6)


@given(spans=_spans)
def test_the_first_lapse_is_found_as_by_walking_every_day(spans: list[tuple[int, int]]) -> None:
    # Outside oracle: mark each covered day, then walk until more than the grace has passed without cover.
    origin, cut_day = date(2022, 1, 1), 600
    covered = {day for start, length in spans for day in range(start, start + length + 1)}
    first = min(covered)
    gaps = (day for day in range(first, cut_day) if day in covered and not covered & set(range(day + 1, day + 31)))
    last_day = next(gaps, None)
    contracts = [
        stretches_of([Term(origin + timedelta(days=start), origin + timedelta(days=start + length))], [], GRACE)
        for start, length in spans
    ]
    lapse = first_lapse(contracts, grace=GRACE, heard_until=midnight(origin + timedelta(days=cut_day)))
    assert lapse is not None
    assert lapse.effective_at == midnight(origin + timedelta(days=last_day or 0))
