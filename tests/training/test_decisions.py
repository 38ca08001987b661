"""How many decisions a history holds, per length of term."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.training.warehouse_case import home_with
from training.config import TrainingConfig
from training.decisions import TermCensus, census_of_terms
from training.labels import outcomes

CONFIG = TrainingConfig()
CONTRACTS = """
contract_id | valid_from | account_id | start_on   | end_on     | term_months | acv_minor | currency
left        | 2022-01-01 | a          | 2022-01-01 | 2022-12-31 | 12          | 100       | USD
renewed     | 2022-01-01 | b          | 2022-01-01 | 2022-12-31 | 12          | 100       | USD
renewed     | 2023-01-01 | b          | 2023-01-01 | 2023-12-31 | 12          | 100       | USD
two_years   | 2022-06-01 | c          | 2022-06-01 | 2024-05-31 | 24          | 100       | USD
evergreen   | 2022-01-01 | d          | 2022-01-01 | -          | 1           | 100       | USD
evergreen   | 2022-09-01 | d          | 2022-01-01 | 2022-09-30 | 1           | 100       | USD
"""
ACCOUNTS = """
account_id | valid_from | segment | hq_tz
a          | 2022-01-01 | studio  | UTC
b          | 2022-01-01 | studio  | UTC
c          | 2022-01-01 | studio  | UTC
d          | 2022-01-01 | studio  | UTC
"""
HEARTBEAT = """
contract_event_id | contract_id | account_id | type   | effective_on
late              | two_years   | c          | signed | 2023-06-01
"""


def census(tmp_path: Path, cut: datetime) -> tuple[TermCensus, ...]:
    tables = {"accounts_history": ACCOUNTS, "contracts_history": CONTRACTS, "contract_events": HEARTBEAT}
    home = home_with(tmp_path, **tables)
    return census_of_terms(home, outcomes(home, cut, CONFIG), data_cut=cut, config=CONFIG)


def test_ended_terms_are_decisions_and_running_ones_are_right_censored(tmp_path: Path) -> None:
    assert census(tmp_path, datetime(2023, 6, 5, tzinfo=UTC)) == (
        TermCensus(term_months=12, decided=2, left=1, running=1),
        TermCensus(term_months=24, decided=0, left=0, running=1),
    )


def test_a_term_is_decided_only_when_its_grace_is_over_and_known_only_once_it_began(tmp_path: Path) -> None:
    early = datetime(2022, 10, 10, tzinfo=UTC)
    assert census(tmp_path, early) == (
        TermCensus(term_months=12, decided=0, left=0, running=2),
        TermCensus(term_months=24, decided=0, left=0, running=1),
    )


def test_the_words_name_decisions_losses_and_what_cannot_be_learnt() -> None:
    assert TermCensus(1, 1000, 320, 12).line() == "1-month terms: 1000 decisions, 320 left (32%), 12 still run"
    assert TermCensus(12, 0, 0, 1534).line() == (
        "12-month terms: none of 1534 has come to its end (right-censored: nothing can be learnt yet)"
    )
